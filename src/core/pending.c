/*-------------------------------------------------------------------------
 *
 * pending.c
 *	  What becomes of a pending task: it is started, or canceled.
 *
 * For lines and for dependencies.  Each of them has seen to it, under its locks,
 * that the other does not hold a task back either that it starts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/ending.h"
#include "core/pending.h"

/* Those that start together are ready at the same instant, and so run by their ids. */
static TimestampTz started_at;

void
gq_pending_begin(void)
{
	started_at = GetCurrentTimestamp();
}

static bool
change(int64 id, GqDecide decide, const char *reason)
{
	const GqManner manner = {.wait = true};
	GqSearch   *search = gq_search_begin(NULL);
	GqOutcome	outcome = gq_change_by_id(search, id, manner, decide, unconstify(char *, reason));

	gq_search_end(search);
	CommandCounterIncrement();
	return outcome == GQ_CHANGED;
}

/* It is this task's turn. */
static bool
decide_start(const GqTask *task, GqDecision *decision, void *arg)
{
	if (task->status != GQ_PENDING)
		return false;
	/* nobody cancels or replaces it without the line's lock */
	decision->under_line = true;
	gq_task_unblock(&decision->changes, Max(started_at, task->run_at));
	gq_change(&decision->changes, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	return true;
}

bool
gq_pending_start(int64 id)
{
	return change(id, decide_start, NULL);
}

static bool
decide_cancel(const GqTask *task, GqDecision *decision, void *arg)
{
	return task->status == GQ_PENDING &&
		gq_ending_cancel(task, decision, GetCurrentTimestamp(), arg);
}

bool
gq_pending_cancel(int64 id, const char *reason)
{
	return change(id, decide_cancel, reason);
}
