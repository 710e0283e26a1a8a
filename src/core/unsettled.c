/*-------------------------------------------------------------------------
 *
 * unsettled.c
 *	  Notes of what a transaction has to settle for those that wait.
 *
 * Whoever ends a task notes its line, if it has an ordering key, and the task
 * itself, if others may have been added after it (core/change.c does it for all).
 * core/settle.c tells what becomes of a note.
 *
 * A subtransaction that is rolled back takes back what it settled, but not the
 * need of it: each note remembers the transaction id that settled it, and counts
 * as settled as long as that one does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "core/line.h"
#include "core/notes.h"
#include "core/unsettled.h"

static GqUnsettled *notes;		/* in TopTransactionContext */
static int64 nnotes;
static int64 room;
static int64 nearlier;			/* those before were noted by earlier calls */

static GqUnsettled *
append_note(void)
{
	if (nnotes == room)
		notes = gq_notes_grow(notes, &room, sizeof(GqUnsettled));
	return memset(&notes[nnotes++], 0, sizeof(GqUnsettled));
}

static bool
is_settled(const GqUnsettled *note)
{
	return TransactionIdIsValid(note->settled_by) &&
		TransactionIdIsCurrentTransactionId(note->settled_by);
}

void
gq_unsettled_line(const GqTask *task)
{
	GqUnsettled *last = nnotes > nearlier ? &notes[nnotes - 1] : NULL;
	MemoryContext old;
	GqKeyLock	line;
	GqUnsettled *note;

	if (!gq_line_of(task, &line))
		return;
	if (last != NULL && last->line.kind != 0 && !is_settled(last) &&
		gq_locks_compare(&last->line, &line) == 0)
	{
		last->number = Min(last->number, task->place);
		return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	line.type = datumCopy(line.type, false, -1);
	line.key = datumCopy(line.key, false, -1);
	MemoryContextSwitchTo(old);
	note = append_note();
	note->line = line;
	note->number = task->place;
}

void
gq_unsettled_task(int64 id, GqStatus gone_as, bool deferred)
{
	GqUnsettled *note = append_note();

	note->number = id;
	note->status = gone_as;
	note->deferred = deferred;
}

int64
gq_unsettled_mark(void)
{
	return nnotes;
}

const GqUnsettled *
gq_unsettled_nth(int64 n)
{
	return &notes[n];
}

static bool
is_due(const GqUnsettled *note, bool wait)
{
	return (wait || !note->deferred) && !is_settled(note);
}

bool
gq_unsettled_any(int64 mark, bool wait)
{
	for (int64 i = mark; i < nnotes; i++)
		if (is_due(&notes[i], wait))
			return true;
	return false;
}

int64 *
gq_unsettled_gather(int64 mark, bool wait, bool lines, int64 *n)
{
	int64	   *found = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(nnotes - mark, 1));

	*n = 0;
	for (int64 i = mark; i < nnotes; i++)
		if ((notes[i].line.kind != 0) == lines && is_due(&notes[i], wait))
			found[(*n)++] = i;
	return found;
}

void
gq_unsettled_done(const int64 *which, int64 n)
{
	for (int64 i = 0; i < n; i++)
		notes[which[i]].settled_by = GetCurrentTransactionId();
}

void
gq_unsettled_reset(int64 mark)
{
	nnotes = mark;
	nearlier = Min(nearlier, mark);
}

int64
gq_unsettled_call(void)
{
	return nearlier;
}

void
gq_unsettled_next_call(void)
{
	nearlier = nnotes;
}

void
gq_unsettled_forget(void)
{
	notes = NULL;				/* the memory goes with the transaction */
	nnotes = room = nearlier = 0;
}
