/*-------------------------------------------------------------------------
 *
 * rate_notes.c
 *	  Fetches of types with a rate limit that the transaction's end may take back.
 *
 * Shared memory counts a fetch at once (core/limit.c); a transaction or a
 * subtransaction that aborts gives back what it took.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "core/notes.h"
#include "core/rate_notes.h"

static GqRateNote *notes;		/* in TopTransactionContext */
static int	nnotes;
static int64 room;

GqRateNote *
gq_rate_note(GqType *entry, TimestampTz at)
{
	int			level = GetCurrentTransactionNestLevel();
	GqRateNote *note = nnotes > 0 ? &notes[nnotes - 1] : NULL;

	if (note != NULL && note->entry == entry && note->level == level && note->at == at)
		return note;
	if (nnotes == room)
		notes = gq_notes_grow(notes, &room, sizeof(GqRateNote));
	note = &notes[nnotes++];
	*note = (GqRateNote)
	{
		entry, level, at, 0
	};
	return note;
}

static void
give_back_from(int level)
{
	for (int i = nnotes - 1; i >= 0 && notes[i].level >= level; i--)
		if (notes[i].n > 0)
			gq_rate_give_back(notes[i].entry, notes[i].at, notes[i].n);
}

void
gq_rate_notes_abort(void)
{
	give_back_from(0);
}

void
gq_rate_notes_commit_sub(int level)
{
	for (int i = nnotes - 1; i >= 0 && notes[i].level >= level; i--)
		notes[i].level = level - 1;
}

void
gq_rate_notes_abort_sub(int level)
{
	give_back_from(level);
	while (nnotes > 0 && notes[nnotes - 1].level >= level)
		nnotes--;
}

void
gq_rate_notes_forget(void)
{
	notes = NULL;
	nnotes = room = 0;
}
