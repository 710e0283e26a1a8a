/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  What other tasks' ends mean for those that wait for them.
 *
 * Whoever ends a task notes its line, and the task itself if others may have been
 * added after it.  To settle a note is to take the lock of the line or task, to look with a
 * snapshot taken after that, and to start or cancel who waited.  This happens
 *
 *	- at the end of the call, in the order of the locks, up to the first that is
 *	  not free: so the next call of the transaction finds the successor, and no
 *	  call waits;
 *	- before the commit for the rest, where it may wait for whoever is adding to
 *	  the line or after the task.
 *
 * The order of locks is: external ids, rows of tasks that are not pending, tasks,
 * lines, rows of pending tasks.  The latter are changed under the locks of their
 * line and of themselves alone, so nobody waits for one.  Whoever waits for a line
 * or a task holds rows, and nobody who holds one waits for a row.
 *
 * Settling looks at what is the case, so that a note may stand for too much, and
 * a line may be settled twice.  The notes are in core/unsettled.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/aftermath.h"
#include "core/dependency.h"
#include "core/line.h"
#include "core/pending.h"
#include "core/settle.h"
#include "core/unsettled.h"
#include "store/dependencies.h"

/* ---- tasks ---- */

/* False: a lock was not free. */
static bool
settle_tasks(GqAftermath *aftermath, const int64 *which, int64 n, bool wait)
{
	for (int64 i = 0; i < n; i++)
	{
		const GqUnsettled *note = gq_unsettled_nth(which[i]);

		gq_aftermath_add(aftermath, note->number, note->status, !note->deferred);
	}
	return gq_aftermath_run(aftermath, wait);
}

/* ---- lines ---- */

/* Under the lock of the line. */
static bool
settle_line(const GqKeyLock *line, int64 place)
{
	int64		id = gq_line_next(line, place);

	return id != 0 && !gq_dependencies_any(id) && gq_pending_start(id);
}

static int
compare_notes(const void *a, const void *b)
{
	const GqUnsettled *x = gq_unsettled_nth(*(const int64 *) a);
	const GqUnsettled *y = gq_unsettled_nth(*(const int64 *) b);
	int			cmp = gq_locks_compare(&x->line, &y->line);

	if (cmp != 0)
		return cmp;
	return x->number < y->number ? -1 : x->number > y->number ? 1 : 0;
}

/* Lock the lines of these notes and of those who are to be canceled; without
 * wait, false at the first that is not free. */
static bool
lock_lines(const int64 *which, int64 n, const GqDoomed *doomed, int ndoomed, bool wait)
{
	GqKeyLock  *locks = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * Max(n + ndoomed, 1));
	int64		count = 0;
	bool		all = true;

	for (int64 i = 0; i < n; i++)
		locks[count++] = gq_unsettled_nth(which[i])->line;
	for (int i = 0; i < ndoomed; i++)
		locks[count++] = doomed[i].line;
	if (wait)
		gq_locks_take(locks, count);
	else
	{
		qsort(locks, count, sizeof(GqKeyLock), gq_locks_compare);
		for (int64 i = 0; i < count && all; i++)
			all = gq_locks_try(&locks[i]);
	}
	pfree(locks);
	return all;
}

static bool
settle_lines(const GqAftermath *aftermath, int64 first, bool wait)
{
	int			ndoomed;
	const GqDoomed *doomed = gq_aftermath_doomed(aftermath, &ndoomed);
	int64		n;
	int64	   *which = gq_unsettled_gather(first, wait, true, &n);

	if (!lock_lines(which, n, doomed, ndoomed, wait))
		return false;
	for (int i = 0; i < ndoomed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) gq_pending_cancel(doomed[i].id, doomed[i].reason);
	}
	qsort(which, n, sizeof(int64), compare_notes);
	for (int64 i = 0; i < n; i++)
	{
		const GqUnsettled *note = gq_unsettled_nth(which[i]);
		GqKeyLock	line = note->line;

		CHECK_FOR_INTERRUPTS();
		/* of equal ones the first has the smallest place */
		if (i == 0 || gq_locks_compare(&gq_unsettled_nth(which[i - 1])->line, &line) != 0)
			(void) settle_line(&line, note->number);
	}
	gq_unsettled_done(which, n);
	return true;
}

/* ---- all ---- */

/*
 * All that is noted by now.  Of the tasks that must end when their lines are locked
 * (aftermath's doomed) no note is left but those of their parents; so these are
 * settled last.
 */
static bool
settle_noted(int64 first, bool wait)
{
	GqAftermath *aftermath = gq_aftermath_begin();
	int64		n;
	int64	   *which = gq_unsettled_gather(first, wait, false, &n);

	if (!settle_tasks(aftermath, which, n, wait) || !settle_lines(aftermath, first, wait))
		return false;
	gq_unsettled_done(which, n);
	return true;
}

/* Settle what was noted from `first` on, and what comes of that. */
static void
settle_from(int64 first, bool wait)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque settle",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	gq_pending_begin();
	while (gq_unsettled_any(first, wait))
	{
		CHECK_FOR_INTERRUPTS();
		if (!settle_noted(first, wait))
			break;
		MemoryContextReset(scratch);
	}
	gq_unsettled_next_call();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

void
gq_settle_call(void)
{
	if (gq_unsettled_mark() > gq_unsettled_call())
		settle_from(gq_unsettled_call(), false);
}

static void
settle_rest(void)
{
	if (gq_unsettled_mark() == 0)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	settle_from(0, true);
	PopActiveSnapshot();
}

/*
 * The callback that was registered last is called first: so what is settled here is
 * noted in time for what core/xact.c does before the commit.
 */
static void
before_commit(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		settle_rest();
}

void
gq_settle_init(void)
{
	RegisterXactCallback(before_commit, NULL);
}

/* ---- what nobody noticed ---- */

#define PARENTS_CHECKED 100		/* of a task that waits for many */

/* Parents that have ended, or are gone, without their children hearing of it. */
static bool
settle_lost_parents(int64 id)
{
	int64		n;
	int64	   *parents = gq_dependencies_parents(id, PARENTS_CHECKED, &n);
	int64		mark = gq_unsettled_mark();
	GqSearch   *search = gq_search_begin(NULL);

	for (int64 i = 0; i < n; i++)
	{
		GqTask		parent;

		CHECK_FOR_INTERRUPTS();
		if (gq_task_find(search, parents[i], &parent) && !GqStatusIsTerminal(parent.status))
			continue;
		gq_unsettled_task(parents[i], GQ_CANCELED, false);
	}
	gq_search_end(search);
	if (gq_unsettled_mark() == mark)
		return false;
	gq_settle_call();
	/* what is left is found by the next check */
	gq_unsettled_reset(mark);
	return !gq_dependencies_any(id);
}

bool
gq_settle_stranded(const GqTask *task)
{
	GqKeyLock	lock;

	gq_pending_begin();
	if (gq_dependencies_any(task->id))
		return settle_lost_parents(task->id);
	if (gq_line_of(task, &lock))
		return gq_line_next(&lock, task->place) == task->id && gq_locks_try(&lock) &&
			settle_line(&lock, task->place);
	lock = gq_dependency_lock(task->id);
	return gq_locks_try(&lock) && !gq_dependencies_any(task->id) && gq_pending_start(task->id);
}
