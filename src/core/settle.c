/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  What other tasks' ends mean for those that wait for them.
 *
 * Whoever ends a task with an ordering key notes its line (core/change.c does
 * it for all).  To settle a line is to take its lock, to look with a snapshot
 * taken after that, and to start the pending task whose turn it is.  This
 * happens
 *
 *	- at the end of the call, line by line in the order of the locks, up to the
 *	  first whose lock is not free: so the next call of the transaction finds the
 *	  successor, and no call waits;
 *	- before the commit for the rest, where it may wait for whoever is adding to
 *	  the line.
 *
 * The order of locks is: external ids, rows of tasks that are not pending, lines,
 * rows of pending tasks.  The latter are changed under their line's lock alone,
 * so nobody waits for one.  Whoever waits for a line holds rows, and nobody who
 * holds a line waits for a row.
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

#include "core/change.h"
#include "core/line.h"
#include "core/settle.h"

typedef struct Note
{
	GqKeyLock	lock;			/* must be first: notes are sorted by it */
	int64		place;			/* of the task that ended */
	TransactionId settled_by;
} Note;

/* in TopTransactionContext */
static Note *notes;
static int64 nnotes;
static int64 room;
static int64 ntried;			/* those before were noted by earlier calls */

/* ---- notes ---- */

static Datum
copy_text(Datum value)
{
	return datumCopy(value, false, -1);
}

static Note *
append_note(void)
{
	if (notes == NULL)
	{
		room = 16;
		notes = MemoryContextAlloc(TopTransactionContext, sizeof(Note) * room);
	}
	else if (nnotes == room)
	{
		room *= 2;
		notes = repalloc_huge(notes, sizeof(Note) * room);
	}
	return memset(&notes[nnotes++], 0, sizeof(Note));
}

void
gq_settle_note_line(const GqTask *task)
{
	MemoryContext old;
	GqKeyLock	line;
	Note	   *note;

	if (!gq_line_of(task, &line))
		return;
	if (nnotes > ntried && gq_locks_compare(&notes[nnotes - 1].lock, &line) == 0)
	{
		notes[nnotes - 1].place = Min(notes[nnotes - 1].place, task->place);
		return;
	}
	note = append_note();
	old = MemoryContextSwitchTo(TopTransactionContext);
	note->lock.kind = line.kind;
	note->lock.type = copy_text(line.type);
	note->lock.key = copy_text(line.key);
	note->place = task->place;
	MemoryContextSwitchTo(old);
}

void
gq_settle_forget(void)
{
	notes = NULL;				/* the memory goes with the transaction */
	nnotes = room = ntried = 0;
}

/* ---- settling ---- */

/* It is this task's turn. */
static bool
decide_start(const GqTask *task, GqDecision *decision, void *arg)
{
	TimestampTz now = GetCurrentTimestamp();

	if (task->status != GQ_PENDING)
		return false;
	gq_task_unblock(&decision->changes, Max(now, task->run_at));
	gq_change(&decision->changes, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(now));
	return true;
}

static bool
start(int64 id)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqOutcome	outcome = gq_change_task(search, id, true, decide_start, NULL);

	gq_search_end(search);
	CommandCounterIncrement();
	return outcome == GQ_CHANGED;
}

/* Under the lock of the line. */
static bool
settle_line(const GqKeyLock *line, int64 place)
{
	int64		id = gq_line_next(line, place);

	return id != 0 && start(id);
}

static int
compare_notes(const void *a, const void *b)
{
	const Note *x = &notes[*(const int64 *) a];
	const Note *y = &notes[*(const int64 *) b];
	int			cmp = gq_locks_compare(&x->lock, &y->lock);

	if (cmp != 0)
		return cmp;
	return x->place < y->place ? -1 : x->place > y->place ? 1 : 0;
}

static bool
is_settled(const Note *note)
{
	return TransactionIdIsValid(note->settled_by) &&
		TransactionIdIsCurrentTransactionId(note->settled_by);
}

/* The notes from `first` on that are not settled, sorted. */
static int64 *
gather(int64 first, int64 *n)
{
	int64	   *found = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * (nnotes - first));

	*n = 0;
	for (int64 i = first; i < nnotes; i++)
		if (!is_settled(&notes[i]))
			found[(*n)++] = i;
	qsort(found, *n, sizeof(int64), compare_notes);
	return found;
}

static bool
same_lock(int64 i, int64 j)
{
	return gq_locks_compare(&notes[i].lock, &notes[j].lock) == 0;
}

/* Settle these in turn, or, if not all of their locks are held, up to the first
 * that is not free. */
static void
settle_in_turn(const int64 *order, int64 n)
{
	for (int64 i = 0; i < n; i++)
	{
		GqKeyLock	lock = notes[order[i]].lock;

		CHECK_FOR_INTERRUPTS();
		/* of equal ones the first has the smallest place */
		if (i == 0 || !same_lock(order[i - 1], order[i]))
		{
			if (!gq_locks_try(&lock))
				return;
			(void) settle_line(&lock, notes[order[i]].place);
		}
		notes[order[i]].settled_by = GetCurrentTransactionId();
	}
}

static void
take_locks(const int64 *order, int64 n)
{
	GqKeyLock  *locks = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * Max(n, 1));

	for (int64 i = 0; i < n; i++)
		locks[i] = notes[order[i]].lock;
	gq_locks_take(locks, n);
	pfree(locks);
}

/* Settle what was noted from `first` on; returns how many notes there were. */
static int64
settle_from(int64 first, bool wait)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque settle",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int64		n;
	int64	   *order = gather(first, &n);

	ntried = nnotes;
	if (wait)
		take_locks(order, n);
	settle_in_turn(order, n);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return n;
}

void
gq_settle_call(void)
{
	if (nnotes > ntried)
		(void) settle_from(ntried, false);
}

void
gq_settle_rest(void)
{
	if (nnotes == 0)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	while (settle_from(0, true) > 0)
		CHECK_FOR_INTERRUPTS();
	PopActiveSnapshot();
}

bool
gq_settle_stranded(const GqTask *task)
{
	GqKeyLock	line;

	if (gq_line_of(task, &line))
		return gq_line_next(&line, task->place) == task->id && gq_locks_try(&line) &&
			settle_line(&line, task->place);
	return start(task->id);
}
