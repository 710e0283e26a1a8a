/*-------------------------------------------------------------------------
 *
 * start.c
 *	  Starting a pending task, when nothing holds it back any more.
 *
 * For lines and for dependencies, each of which has seen to it, under its locks,
 * that the other does not hold the task back either.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/start.h"

/* Those that start together are ready at the same instant, and so run by their ids. */
static TimestampTz started_at;

void
gq_start_begin(void)
{
	started_at = GetCurrentTimestamp();
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
gq_start(int64 id)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqOutcome	outcome = gq_change_task(search, id, true, decide_start, NULL);

	gq_search_end(search);
	CommandCounterIncrement();
	return outcome == GQ_CHANGED;
}
