/*-------------------------------------------------------------------------
 *
 * replace.c
 *	  on_conflict 'replace': a task that nobody has begun with becomes another.
 *
 * One that goes from one line to another, or gets tasks to wait for, is pending
 * when its row has been changed.  When all that it joins is locked, it gets its
 * place and its parents, and starts if nothing holds it back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/line.h"
#include "core/pending.h"
#include "core/replace.h"
#include "core/under_locks.h"
#include "core/unsettled.h"
#include "store/dependencies.h"

typedef struct Replacement
{
	const GqAddOptions *options;
	const GqNewTask *task;
	bool		all;
} Replacement;

static void
change_options(const GqAddOptions *options, const GqNewTask *task, GqChanges *changes)
{
	gq_change(changes, GQ_ATT_PAYLOAD, task->payload);
	gq_change(changes, GQ_ATT_PRIORITY, Int16GetDatum(options->priority));
	gq_change(changes, GQ_ATT_MAX_ATTEMPTS, Int32GetDatum(options->max_attempts));
	gq_change(changes, GQ_ATT_UNIQUE_WHILE, Int16GetDatum((int16) options->unique_while));
	gq_change(changes, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(options->now));
	if (options->timeout != NULL)
		gq_change(changes, GQ_ATT_TIMEOUT, IntervalPGetDatum(options->timeout));
	else
		gq_change_to_null(changes, GQ_ATT_TIMEOUT);
	if (options->expires_at != 0)
		gq_change(changes, GQ_ATT_EXPIRES_AT, TimestampTzGetDatum(options->expires_at));
	else
		gq_change_to_null(changes, GQ_ATT_EXPIRES_AT);
	if (options->parents != NULL)
		gq_change(changes, GQ_ATT_AFTER, options->parents->array);
	else
		gq_change_to_null(changes, GQ_ATT_AFTER);
	if (options->has_metadata)
		gq_change(changes, GQ_ATT_METADATA, options->metadata);
	else
		gq_change_to_null(changes, GQ_ATT_METADATA);
}

static bool
stays_in_line(const GqTask *old, const GqNewTask *task)
{
	GqKeyLock	line;
	GqKeyLock	next = {GQ_LOCK_LINE, old->type, task->ordering_key};

	if (!gq_line_of(old, &line))
		return !task->has_ordering_key;
	return task->has_ordering_key && gq_locks_compare(&line, &next) == 0;
}

static void
change_line(const GqNewTask *task, GqChanges *changes)
{
	gq_change_to_null(changes, GQ_ATT_PLACE);
	if (task->has_ordering_key)
		gq_change(changes, GQ_ATT_ORDERING_KEY, task->ordering_key);
	else
		gq_change_to_null(changes, GQ_ATT_ORDERING_KEY);
}

static bool
decide_replace(const GqTask *old, GqDecision *decision, void *arg)
{
	const Replacement *replacement = arg;
	const GqAddOptions *options = replacement->options;
	const GqNewTask *task = replacement->task;
	GqChanges  *changes = &decision->changes;

	if ((old->status != GQ_NEW && old->status != GQ_PENDING) || old->attempts != 0)
		return false;
	if (old->status == GQ_PENDING && !replacement->all)
		return false;
	change_options(options, task, changes);
	if (!stays_in_line(old, task))
		change_line(task, changes);
	else if (old->status == GQ_NEW && (options->parents == NULL || options->parents->n == 0))
	{
		gq_change(changes, GQ_ATT_NEXT_ATTEMPT_AT, TimestampTzGetDatum(options->run_at));
		return true;
	}
	gq_task_block(changes, options->run_at);
	return true;
}

static bool
change(int64 id, bool wait, GqDecide decide, Replacement *replacement)
{
	const GqManner manner = {.wait = wait};
	GqSearch   *search = gq_search_begin(NULL);
	GqOutcome	outcome = gq_change_by_id(search, id, manner, decide, replacement);

	gq_search_end(search);
	CommandCounterIncrement();
	return outcome == GQ_CHANGED;
}

bool
gq_replace(const GqAddOptions *options, const GqNewTask *task, bool all)
{
	Replacement replacement = {options, task, all};

	/* with locks held, nobody is waited for: it is just being fetched, say */
	return change(task->id, !all, decide_replace, &replacement);
}

/* ---- when all is locked ---- */

static bool
decide_join(const GqTask *task, GqDecision *decision, void *arg)
{
	const Replacement *replacement = arg;
	const GqAddOptions *options = replacement->options;
	GqKeyLock	line;

	if (task->status != GQ_PENDING || task->place != 0 || !gq_line_of(task, &line))
		return false;
	/* it is held, or will be when we are called again */
	if (gq_locks_hold(&line))
		gq_line_join(&line, &decision->changes, options->run_at);
	if (options->parents != NULL && options->parents->nlive > 0)
		gq_task_block(&decision->changes, options->run_at);
	return true;
}

static bool
is_pending(int64 id)
{
	bool		pending;

	return gq_under_find(&id, 1, GQ_UNDER_PENDING, &pending) > 0;
}

void
gq_replace_finish(const GqAddOptions *options, const GqNewTask *task)
{
	Replacement replacement = {.options = options,.task = task};
	const GqParents *parents = options->parents;

	if (!is_pending(task->id))
		return;
	gq_dependencies_delete_all(task->id);
	if (parents != NULL && parents->nlive > 0)
	{
		gq_parents_check_cycle(parents, task->id);
		gq_dependencies_insert(parents->live, parents->nlive, &task->id, 1);
	}
	if (task->has_ordering_key)
		(void) change(task->id, true, decide_join, &replacement);
	if (parents != NULL && parents->ended != 0)
		(void) gq_pending_cancel(task->id, gq_parents_reason(parents->ended, parents->ended_as));
	gq_unsettled_task(task->id, 0, false);
}
