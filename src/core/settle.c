/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  What other tasks' ends mean for those that wait for them.
 *
 * Whoever ends a task notes its line, if it has an ordering key, and the task
 * itself, if others may have been added after it (core/change.c does it for all).
 * To settle a note is to take the lock of the line or task, to look with a
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
 * a line may be settled twice.  A subtransaction that is rolled back takes back
 * what it settled, but not the need of it: each note remembers the transaction
 * id that settled it, and counts as settled as long as that one does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/aftermath.h"
#include "core/change.h"
#include "core/dependency.h"
#include "core/finish.h"
#include "core/line.h"
#include "core/notes.h"
#include "core/settle.h"
#include "store/dependencies.h"

typedef struct Note
{
	GqKeyLock	line;			/* kind 0: of a task */
	int64		number;			/* the id; of a line: the place that was left */
	GqStatus	status;			/* how the task ended, if it is gone; 0:
								 * unknown */
	bool		deferred;		/* not before the commit */
	TransactionId settled_by;
} Note;

/* in TopTransactionContext */
static Note *notes;
static int64 nnotes;
static int64 room;
static int64 ntried;			/* those before were noted by earlier calls */

/* Those that start together are ready at the same instant, and so run by their ids. */
static TimestampTz started_at;

/* ---- notes ---- */

static Datum
copy_text(Datum value)
{
	return datumCopy(value, false, -1);
}

static Note *
append_note(void)
{
	if (nnotes == room)
		notes = gq_notes_grow(notes, &room, sizeof(Note));
	return memset(&notes[nnotes++], 0, sizeof(Note));
}

static bool
is_settled(const Note *note)
{
	return TransactionIdIsValid(note->settled_by) &&
		TransactionIdIsCurrentTransactionId(note->settled_by);
}

void
gq_settle_note_line(const GqTask *task)
{
	Note	   *last = nnotes > ntried ? &notes[nnotes - 1] : NULL;
	MemoryContext old;
	GqKeyLock	line;
	Note	   *note;

	if (!gq_line_of(task, &line))
		return;
	if (last != NULL && last->line.kind != 0 && !is_settled(last) &&
		gq_locks_compare(&last->line, &line) == 0)
	{
		last->number = Min(last->number, task->place);
		return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	line.type = copy_text(line.type);
	line.key = copy_text(line.key);
	MemoryContextSwitchTo(old);
	note = append_note();
	note->line = line;
	note->number = task->place;
}

void
gq_settle_note_task(int64 id, GqStatus gone_as, bool deferred)
{
	Note	   *note = append_note();

	note->number = id;
	note->status = gone_as;
	note->deferred = deferred;
}

void
gq_settle_forget(void)
{
	notes = NULL;				/* the memory goes with the transaction */
	nnotes = room = ntried = 0;
}

/* The notes from `first` on that are to be settled, of tasks or of lines. */
static int64 *
gather(int64 first, bool wait, bool lines, int64 *n)
{
	int64	   *found = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(nnotes - first, 1));

	*n = 0;
	for (int64 i = first; i < nnotes; i++)
		if ((notes[i].line.kind != 0) == lines && (wait || !notes[i].deferred) && !is_settled(&notes[i]))
			found[(*n)++] = i;
	return found;
}

static void
mark_settled(const int64 *which, int64 n)
{
	for (int64 i = 0; i < n; i++)
		notes[which[i]].settled_by = GetCurrentTransactionId();
}

/* ---- starting ---- */

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
gq_settle_start(int64 id)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqOutcome	outcome = gq_change_task(search, id, true, decide_start, NULL);

	gq_search_end(search);
	CommandCounterIncrement();
	return outcome == GQ_CHANGED;
}

/* ---- tasks ---- */

/* False: a lock was not free. */
static bool
settle_tasks(GqAftermath *aftermath, int64 first, bool wait)
{
	int64		n;
	int64	   *which = gather(first, wait, false, &n);

	for (int64 i = 0; i < n; i++)
		gq_aftermath_add(aftermath, notes[which[i]].number, notes[which[i]].status,
						 !notes[which[i]].deferred);
	if (n == 0)
		return true;
	if (!gq_aftermath_run(aftermath, wait))
		return false;
	mark_settled(which, n);
	return true;
}

/* ---- lines ---- */

/* Under the lock of the line. */
static bool
settle_line(const GqKeyLock *line, int64 place)
{
	int64		id = gq_line_next(line, place);

	return id != 0 && !gq_dependencies_any(id) && gq_settle_start(id);
}

static int
compare_notes(const void *a, const void *b)
{
	const Note *x = &notes[*(const int64 *) a];
	const Note *y = &notes[*(const int64 *) b];
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
		locks[count++] = notes[which[i]].line;
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
	int64	   *which = gather(first, wait, true, &n);

	if (!lock_lines(which, n, doomed, ndoomed, wait))
		return false;
	for (int i = 0; i < ndoomed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) gq_cancel_pending(doomed[i].id, doomed[i].reason);
	}
	qsort(which, n, sizeof(int64), compare_notes);
	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* of equal ones the first has the smallest place */
		if (i == 0 || gq_locks_compare(&notes[which[i - 1]].line, &notes[which[i]].line) != 0)
			(void) settle_line(&notes[which[i]].line, notes[which[i]].number);
	}
	mark_settled(which, n);
	return true;
}

/* ---- all ---- */

static bool
any_unsettled(int64 first, bool wait)
{
	for (int64 i = first; i < nnotes; i++)
		if ((wait || !notes[i].deferred) && !is_settled(&notes[i]))
			return true;
	return false;
}

/* Settle what was noted from `first` on, and what comes of that. */
static void
settle_from(int64 first, bool wait)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque settle",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	started_at = GetCurrentTimestamp();
	while (any_unsettled(first, wait))
	{
		GqAftermath *aftermath = gq_aftermath_begin();

		CHECK_FOR_INTERRUPTS();
		if (!settle_tasks(aftermath, first, wait) || !settle_lines(aftermath, first, wait))
			break;
		MemoryContextReset(scratch);
	}
	ntried = nnotes;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

void
gq_settle_call(void)
{
	if (nnotes > ntried)
		settle_from(ntried, false);
}

void
gq_settle_rest(void)
{
	if (nnotes == 0)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	settle_from(0, true);
	PopActiveSnapshot();
}

int64
gq_settle_mark(void)
{
	return nnotes;
}

bool
gq_settle_is_complete(int64 mark)
{
	return !any_unsettled(mark, true);
}

void
gq_settle_reset(int64 mark)
{
	nnotes = mark;
	ntried = Min(ntried, mark);
}

/* ---- what nobody noticed ---- */

#define PARENTS_CHECKED 100		/* of a task that waits for many */

/* Parents that have ended, or are gone, without their children hearing of it. */
static bool
settle_lost_parents(int64 id)
{
	int64		n;
	int64	   *parents = gq_dependencies_parents(id, PARENTS_CHECKED, &n);
	int64		mark = gq_settle_mark();
	GqSearch   *search = gq_search_begin(NULL);

	for (int64 i = 0; i < n; i++)
	{
		TupleTableSlot *slot;
		GqTask		parent;

		CHECK_FOR_INTERRUPTS();
		if (gq_search_find(search, parents[i], &slot) != NULL)
		{
			gq_task_read(&parent, slot);
			if (!GqStatusIsTerminal(parent.status))
				continue;
		}
		gq_settle_note_task(parents[i], GQ_CANCELED, false);
	}
	gq_search_end(search);
	if (nnotes == mark)
		return false;
	gq_settle_call();
	/* what is left is found by the next check */
	gq_settle_reset(mark);
	return !gq_dependencies_any(id);
}

bool
gq_settle_stranded(const GqTask *task)
{
	GqKeyLock	lock;

	started_at = GetCurrentTimestamp();
	if (gq_dependencies_any(task->id))
		return settle_lost_parents(task->id);
	if (gq_line_of(task, &lock))
		return gq_line_next(&lock, task->place) == task->id && gq_locks_try(&lock) &&
			settle_line(&lock, task->place);
	lock = gq_dependency_lock(task->id);
	return gq_locks_try(&lock) && !gq_dependencies_any(task->id) && gq_settle_start(task->id);
}
