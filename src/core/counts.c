/*-------------------------------------------------------------------------
 *
 * counts.c
 *	  What a transaction changes in the numbers of tasks, and the places that its
 *	  claims have taken.
 *
 * Both must be exact.  So a note carries its nesting level; notes of a level
 * follow all notes of outer levels, and those of a subtransaction that ends are
 * the tail of the array.
 *
 * How many tasks of a type are in processing is known from its counts, which
 * change when a transaction has committed.  Claims that are not committed yet
 * hold places of their own (GqType.claiming): taken under the mutex before the
 * row is touched, and turned into a count in the same step in which the claim's
 * commit is counted.  So claims and counts together never say too little:
 * max_running is kept, whoever claims.  Claims of types without a limit take
 * places too, so that a limit holds from the moment it is set.  A finish frees its
 * place when it has committed; to its own transaction the place is free at once,
 * since no other can see the one without the other.
 *
 * A prepared transaction keeps its places (GqType.prepared_claims), and those
 * of tasks that it finishes, until a survey has counted anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "core/counts.h"
#include "core/notes.h"
#include "shared/runners.h"
#include "shared/shmem.h"

/* how far back a note is looked for that a new one can be added to */
#define NOTES_SEARCHED 16

typedef struct CountNote
{
	GqType	   *entry;
	int			level;
	int64		places;			/* taken */
	int64		counts[GQ_STATUSES];
	int64		totals[GQ_TOTALS];
} CountNote;

static CountNote *notes;		/* in TopTransactionContext */
static int	nnotes;
static int64 room;

static CountNote *
append_note(void)
{
	if (nnotes == room)
		notes = gq_notes_grow(notes, &room, sizeof(CountNote));
	return memset(&notes[nnotes++], 0, sizeof(CountNote));
}

static CountNote *
note_of(GqType *entry)
{
	int			level = GetCurrentTransactionNestLevel();
	CountNote  *note;

	for (int i = nnotes - 1; i >= 0 && i >= nnotes - NOTES_SEARCHED; i--)
	{
		if (notes[i].level != level)
			break;
		if (notes[i].entry == entry)
			return &notes[i];
	}
	note = append_note();
	note->entry = entry;
	note->level = level;
	return note;
}

void
gq_count_moved(GqType *entry, int from, int to, int64 n)
{
	CountNote  *note;

	if (entry == NULL || from == to)
		return;
	note = note_of(entry);
	note->counts[from] -= n;
	note->counts[to] += n;
}

void
gq_count_total(GqType *entry, GqTotal total)
{
	if (entry != NULL)
		note_of(entry)->totals[total]++;
}

void
gq_count_add_own(const GqType *entry, int64 counts[GQ_STATUSES], int64 totals[GQ_TOTALS])
{
	for (int i = 0; i < nnotes; i++)
	{
		if (notes[i].entry != entry)
			continue;
		for (int s = 0; s < GQ_STATUSES; s++)
			counts[s] += notes[i].counts[s];
		for (int t = 0; t < GQ_TOTALS; t++)
			totals[t] += notes[i].totals[t];
	}
}

/* ---- places ---- */

/* What this transaction's own finishes free, or did not take a place for. */
static int64
own_balance(const GqType *entry)
{
	int64		balance = 0;

	for (int i = 0; i < nnotes; i++)
		if (notes[i].entry == entry)
			balance += notes[i].counts[GQ_PROCESSING] - notes[i].places;
	return balance;
}

void
gq_places_take_any(GqType *entry, int n)
{
	note_of(entry)->places += n;
	SpinLockAcquire(&entry->mutex);
	entry->claiming += n;
	SpinLockRelease(&entry->mutex);
}

bool
gq_place_take(GqType *entry, int32 max, bool counted)
{
	CountNote  *note = note_of(entry);	/* before it is needed: it may fail */
	int64		own = own_balance(entry);
	bool		taken;

	SpinLockAcquire(&entry->mutex);
	entry->limited = true;
	/* whoever has counted in the tables minds what is known since */
	taken = entry->running_known ?
		entry->counts[GQ_PROCESSING] + entry->claiming + entry->prepared_claims + own < max : counted;
	if (taken)
		entry->claiming++;
	SpinLockRelease(&entry->mutex);
	if (taken)
		note->places++;
	return taken;
}

/* Somebody may have seen the type full because of them. */
static void
free_places(GqType *entry, int64 n)
{
	bool		limited;

	SpinLockAcquire(&entry->mutex);
	entry->claiming -= n;
	limited = entry->limited;
	SpinLockRelease(&entry->mutex);
	if (limited && n > 0)		/* a note of what was given back is negative */
		gq_runners_wake(entry, Min(n, PG_INT32_MAX));
}

void
gq_places_give_back(GqType *entry, int n)
{
	note_of(entry)->places -= n;
	free_places(entry, n);
}

int64
gq_places_taken(GqType *entry)
{
	int64		own = own_balance(entry);
	int64		taken;

	SpinLockAcquire(&entry->mutex);
	entry->limited = true;
	taken = entry->counts[GQ_PROCESSING] + entry->claiming + entry->prepared_claims + own;
	SpinLockRelease(&entry->mutex);
	return taken;
}

/* ---- the end of a transaction ---- */

bool
gq_counts_noted(void)
{
	return nnotes > 0;
}

void
gq_counts_commit(void)
{
	for (int i = 0; i < nnotes; i++)
	{
		CountNote  *note = &notes[i];
		GqType	   *entry = note->entry;
		int64		ended = note->places - note->counts[GQ_PROCESSING];
		bool		limited;

		SpinLockAcquire(&entry->mutex);
		for (int s = 1; s < GQ_STATUSES; s++)
			entry->counts[s] += note->counts[s];
		for (int t = 0; t < GQ_TOTALS; t++)
			entry->totals[t] += note->totals[t];
		entry->claiming -= note->places;
		entry->began += note->places;
		entry->ended += ended;
		entry->changes++;
		limited = entry->limited;
		SpinLockRelease(&entry->mutex);
		if (limited && ended > 0)
			gq_runners_wake(entry, Min(ended, PG_INT32_MAX));
	}
}

static void
give_back(int level)
{
	for (int i = nnotes - 1; i >= 0 && notes[i].level >= level; i--)
		if (notes[i].places != 0)
			free_places(notes[i].entry, notes[i].places);
}

void
gq_counts_abort(void)
{
	give_back(0);
}

/* It will change numbers when nobody looks. */
void
gq_counts_prepare(void)
{
	for (int i = 0; i < nnotes; i++)
	{
		GqType	   *entry = notes[i].entry;

		SpinLockAcquire(&entry->mutex);
		entry->counted = false;
		entry->doubts++;
		entry->claiming -= notes[i].places;
		entry->prepared_claims += notes[i].places;
		SpinLockRelease(&entry->mutex);
	}
}

void
gq_counts_commit_sub(int level)
{
	for (int i = nnotes - 1; i >= 0 && notes[i].level >= level; i--)
		notes[i].level = level - 1;
}

void
gq_counts_abort_sub(int level)
{
	give_back(level);
	while (nnotes > 0 && notes[nnotes - 1].level >= level)
		nnotes--;
}

void
gq_counts_forget(void)
{
	notes = NULL;
	nnotes = room = 0;
}
