/*-------------------------------------------------------------------------
 *
 * xact.c
 *	  What a transaction did to tasks, kept until it ends.
 *
 * Notes are kept in TopTransactionContext.  The commit and abort callbacks run
 * after the transaction has ended for everybody else (ProcArrayEndTransaction),
 * so that whoever they wake sees its work; they allocate nothing and raise
 * nothing (rule 11 of docs/design.md).
 *
 * Notes of what became ready, and of what was taken, may stand for too much:
 * an event without a task only costs a look.  So a subtransaction's abort does
 * not drop them; it reports what was taken at once, all of it.  What changes
 * numbers, and which leases are over, must be exact: these notes carry the
 * nesting level, and since notes of a level follow all notes of outer levels,
 * those of the ending subtransaction are the tail of the array.
 *
 * PREPARE TRANSACTION: whoever commits it later runs no callback of ours.  A
 * task that it made ready is found by a waiter's safety timer or by the check
 * of the frontiers, within 60 s; numbers that it changed are marked unknown
 * and counted anew once no prepared transaction is left; leases that it ended
 * are found to be over by the healer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/await.h"
#include "core/claim_commit.h"
#include "core/counts.h"
#include "core/delays.h"
#include "core/locks.h"
#include "core/notes.h"
#include "core/rate_notes.h"
#include "core/unsettled.h"
#include "core/xact.h"
#include "guc.h"
#include "shared/cells.h"
#include "shared/databases.h"
#include "shared/leases.h"
#include "shared/prepared_keys.h"
#include "shared/runners.h"
#include "shared/shmem.h"
#include "shared/wakeup.h"
#include "shared/window.h"
#include "store/relations.h"

/* how far back a note is looked for that a new one can be added to */
#define NOTES_SEARCHED 16

typedef struct KeyNote
{
	GqType	   *entry;			/* NULL: a type without one */
	int16		generation;
	int16		priority;
	GqKey		key;			/* the smallest */
	int			ready_now;		/* how many can start now */
	TimestampTz due_at;			/* when the first of the others can */
} KeyNote;

typedef struct LeaseNote
{
	int64		id;
	int64		token;
	int			level;
	bool		begun;			/* by this transaction; else ended */
	TimestampTz until;			/* of one that began */
	bool		unknown;		/* to shared memory */
} LeaseNote;

/* an array that grows, in TopTransactionContext */
typedef struct Notes
{
	void	   *items;
	int			n;
	int64		room;
} Notes;

static Notes ready_notes;
static Notes taken_notes;
static Notes lease_notes;

static Oid	noted_instance;
static bool wake_all;
static bool announce;
static uint32 forget_generations;	/* bit per generation */

/* ---- notes ---- */

static void *
note_append(Notes *notes, Size size)
{
	if (notes->n == notes->room)
		notes->items = gq_notes_grow(notes->items, &notes->room, size);
	return memset((char *) notes->items + (Size) notes->n++ * size, 0, size);
}

static KeyNote *
key_note(Notes *notes, GqType *entry, int generation, int16 priority, GqKey key)
{
	KeyNote    *items = notes->items;
	KeyNote    *note;

	for (int i = notes->n - 1; i >= 0 && i >= notes->n - NOTES_SEARCHED; i--)
	{
		note = &items[i];
		if (note->entry == entry && note->generation == generation && note->priority == priority)
		{
			if (gq_key_cmp(key, note->key) < 0)
				note->key = key;
			return note;
		}
	}
	note = note_append(notes, sizeof(KeyNote));
	note->entry = entry;
	note->generation = generation;
	note->priority = priority;
	note->key = key;
	note->due_at = DT_NOEND;
	noted_instance = gq_instance();
	return note;
}

void
gq_xact_ready(GqType *entry, int generation, int16 priority, GqKey key)
{
	KeyNote    *note;

	if (gq_shared == NULL)
		return;
	note = key_note(&ready_notes, entry, generation, priority, key);
	if (key.at <= GetCurrentTimestamp())
		note->ready_now++;
	else
		note->due_at = Min(note->due_at, key.at);
}

void
gq_xact_taken(GqType *entry, int generation, int16 priority, GqKey key)
{
	if (gq_shared != NULL && entry != NULL)
		key_note(&taken_notes, entry, generation, priority, key)->ready_now++;
}

static void
note_lease(int64 id, int64 token, bool begun, TimestampTz until)
{
	LeaseNote  *note;

	if (gq_shared == NULL)
		return;
	note = note_append(&lease_notes, sizeof(LeaseNote));
	note->id = id;
	note->token = token;
	note->level = GetCurrentTransactionNestLevel();
	note->begun = begun;
	note->until = until;
	note->unknown = false;
	noted_instance = gq_instance();
}

void
gq_xact_lease_begun(int64 id, int64 token, TimestampTz until)
{
	note_lease(id, token, true, until);
}

void
gq_xact_lease_unknown(void)
{
	if (lease_notes.n > 0)
		((LeaseNote *) lease_notes.items)[lease_notes.n - 1].unknown = true;
}

void
gq_xact_lease_over(int64 id, int64 token)
{
	note_lease(id, token, false, DT_NOEND);
}

void
gq_xact_wake_all(void)
{
	wake_all = true;
}

void
gq_xact_announce(void)
{
	announce = true;
	noted_instance = gq_instance();
}

void
gq_xact_forget_frontier(Oid table)
{
	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (gq_relid_generation(g, GQ_PART_TABLE) == table)
			forget_generations |= 1u << g;
	if (gq_relid(GQ_REL_DEPENDENCIES) == table)
		forget_generations = (1u << GQ_GENERATIONS) - 1;
	noted_instance = gq_instance();
}

static void
merge_cell(GqFrontier *frontier, int16 priority, GqKey key)
{
	GqCell	   *cell = gq_cell_find(frontier, priority);

	if (cell != NULL)
	{
		if (gq_key_cmp(key, cell->frontier) < 0)
			cell->frontier = key;
	}
	/* else, if not complete, it is looked for from the beginning anyway */
	else if (frontier->complete && !gq_cell_insert(frontier, priority, key))
		frontier->complete = false;
}

void
gq_xact_merge_own(GqType *entry, GqFrontier frontier[GQ_GENERATIONS])
{
	const KeyNote *items = ready_notes.items;

	for (int i = 0; i < ready_notes.n; i++)
		if (items[i].entry == entry)
			merge_cell(&frontier[items[i].generation], items[i].priority, items[i].key);
	if (forget_generations != 0)
		for (int g = 0; g < GQ_GENERATIONS; g++)
			if (forget_generations & (1u << g))
				memset(&frontier[g], 0, sizeof(GqFrontier));
}

/* ---- telling shared memory ---- */

static void
pull_back(const Notes *notes)
{
	const KeyNote *items = notes->items;

	for (int i = 0; i < notes->n; i++)
		if (items[i].entry != NULL)
			gq_frontier_pull_back(items[i].entry, items[i].generation,
								  items[i].priority, items[i].key);
}

static void
wake_for(const Notes *notes)
{
	const KeyNote *items = notes->items;

	for (int i = 0; i < notes->n; i++)
	{
		if (items[i].ready_now > 0)
			gq_runners_wake(items[i].entry, items[i].ready_now);
		if (items[i].due_at != DT_NOEND)
			gq_runners_wake_at(items[i].entry, items[i].due_at);
	}
}

/* Claims that were rolled back: the tasks are others' to take. */
static void
give_back_taken(void)
{
	pull_back(&taken_notes);
	wake_for(&taken_notes);
}

/* At a commit, those that ended; at an abort, from a nesting level on, those
 * that began. */
static void
remove_leases(bool begun, int level)
{
	const LeaseNote *items = lease_notes.items;

	for (int i = lease_notes.n - 1; i >= 0 && items[i].level >= level; i--)
		if (items[i].begun == begun)
			gq_runners_lease_over(noted_instance, items[i].id, items[i].token);
}

/*
 * A lease that was over before its claim was committed, or that shared memory had no
 * room for: the healer may have looked for it, found no task of that number, and
 * forgotten it.
 */
static void
enter_late_leases(void)
{
	const LeaseNote *items = lease_notes.items;
	TimestampTz now = lease_notes.n > 0 ? GetCurrentTimestamp() : 0;

	for (int i = 0; i < lease_notes.n; i++)
	{
		if (!items[i].begun || (items[i].until > now && !items[i].unknown))
			continue;
		(void) gq_lease_enter(noted_instance, items[i].id, items[i].token, items[i].until,
							  MyProcPid);
		gq_database_due(MyDatabaseId, items[i].until);
	}
}

static void
forget_entry(GqType *entry, void *arg)
{
	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (forget_generations & (1u << g))
			gq_frontier_forget(entry, g);
	SpinLockAcquire(&entry->mutex);
	entry->counted = false;
	entry->running_known = false;
	entry->doubts++;
	SpinLockRelease(&entry->mutex);
}

/* To those who look into shared memory, the keeper too: at commit, or before it is
 * left to others (PREPARE). */
static void
tell_of_settings(void)
{
	if (gq_shared != NULL)
		pg_atomic_fetch_add_u32(&gq_shared->settings_changes, 1);
	gq_database_due(MyDatabaseId, GetCurrentTimestamp());
}

/* The keeper is to look: soon for retention, at once where more has changed. */
static void
ask_keeper(void)
{
	TimestampTz now;

	if (!gq_counts_noted() && !gq_locks_taken() && !wake_all && forget_generations == 0)
		return;
	now = GetCurrentTimestamp();
	if (!wake_all && forget_generations == 0)
		now += gq_clean_interval * INT64CONST(1000);
	gq_database_due(MyDatabaseId, now);
}

static void
tell_committed(void)
{
	if (gq_shared == NULL)
		return;
	pull_back(&ready_notes);
	if (forget_generations != 0)
	{
		gq_types_set_surveyed(noted_instance, false);
		gq_types_foreach(noted_instance, forget_entry, NULL);
	}
	gq_counts_commit();
	gq_delays_commit();
	gq_window_leave();
	enter_late_leases();
	remove_leases(false, 0);
	wake_for(&ready_notes);
	gq_await_tell();
	if (wake_all)				/* the cache's invalidation comes too late */
		tell_of_settings();
	if (wake_all || forget_generations != 0)
		gq_wake_all();
	ask_keeper();
	if (announce)
	{
		gq_types_forget(MyDatabaseId, noted_instance);
		gq_database_announce(MyDatabaseId);
	}
}

/* The memory goes with the transaction. */
static void
forget_notes(void)
{
	memset(&ready_notes, 0, sizeof(Notes));
	memset(&taken_notes, 0, sizeof(Notes));
	memset(&lease_notes, 0, sizeof(Notes));
	wake_all = false;
	announce = false;
	forget_generations = 0;
	gq_claim_commit_reset();
	gq_await_forget();
	gq_counts_forget();
	gq_rate_notes_forget();
	gq_delays_forget_notes();
	gq_locks_forget();
	gq_unsettled_forget();
}

/* What the prepared transaction's end may make claimable, by either end. */
static void
note_prepared(const Notes *notes)
{
	const KeyNote *items = notes->items;

	for (int i = 0; i < notes->n; i++)
		if (items[i].entry != NULL)
			gq_prepared_note(items[i].entry, items[i].key);
}

static void
note_prepared_anywhere(GqType *entry, void *arg)
{
	const GqKey anywhere = {DT_NOBEGIN, 0};

	gq_prepared_note(entry, anywhere);
}

/* ---- callbacks ---- */

static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			gq_claim_commit_choose();
			if (gq_counts_noted() || gq_delays_noted())
				gq_window_enter();
			break;
		case XACT_EVENT_COMMIT:
			gq_claim_commit_done(true);
			tell_committed();
			forget_notes();
			break;
		case XACT_EVENT_ABORT:
			gq_claim_commit_done(false);
			gq_window_leave();
			gq_rate_notes_abort();
			gq_counts_abort();
			remove_leases(true, 0);
			give_back_taken();
			forget_notes();
			break;
		case XACT_EVENT_PREPARE:
			if (wake_all)		/* the keeper then looks until it has ended */
				tell_of_settings();
			gq_counts_prepare();
			note_prepared(&ready_notes);
			note_prepared(&taken_notes);
			if (forget_generations != 0)
				gq_types_foreach(noted_instance, note_prepared_anywhere, NULL);
			forget_notes();
			break;
		default:
			break;
	}
}

static void
subtransaction_commits(int level)
{
	LeaseNote  *leases = lease_notes.items;

	for (int i = lease_notes.n - 1; i >= 0 && leases[i].level >= level; i--)
		leases[i].level = level - 1;
	gq_counts_commit_sub(level);
	gq_rate_notes_commit_sub(level);
	gq_delays_commit_sub(level);
}

static void
subtransaction_aborts(int level)
{
	LeaseNote  *leases = lease_notes.items;

	remove_leases(true, level);
	while (lease_notes.n > 0 && leases[lease_notes.n - 1].level >= level)
		lease_notes.n--;
	gq_rate_notes_abort_sub(level);
	gq_counts_abort_sub(level);
	gq_delays_abort_sub(level);
	give_back_taken();
}

static void
subtransaction_ends(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		subtransaction_commits(GetCurrentTransactionNestLevel());
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		subtransaction_aborts(GetCurrentTransactionNestLevel());
}

void
gq_xact_init(void)
{
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(subtransaction_ends, NULL);
}
