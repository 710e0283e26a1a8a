/*-------------------------------------------------------------------------
 *
 * survey.c
 *	  Comparing shared memory with the tables.
 *
 * Once a minute every type is walked from the beginning, up to its first ready
 * task: a frontier that hides it (nothing known makes one but the end of a
 * prepared transaction, which runs no callback) is lowered.  Where the walk
 * takes long, past millions of finished tasks, it is made in a hundredth of the
 * time, and once a minute from the first key that a prepared transaction may
 * have left.  (Rule 3 of docs/design.md.)
 *
 * When the numbers of some type are in doubt, after a crash or a prepared
 * transaction, all tables are read once: the numbers are counted, and leases
 * that shared memory does not know are entered.  Counting happens beside
 * running transactions: the snapshot is taken at a moment when none is between
 * its commit and its change of the numbers, and what changes after that moment
 * is added to what the snapshot sees.  That moment is looked for once in a
 * millisecond, up to 200 times: it is one at which nothing happens, so nothing
 * could tell of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/dependency.h"
#include "core/installation.h"
#include "core/maintain.h"
#include "core/ready.h"
#include "core/stranded.h"
#include "shared/databases.h"
#include "shared/delays.h"
#include "shared/leases.h"
#include "shared/runners.h"
#include "shared/shmem.h"
#include "shared/window.h"
#include "store/prepared.h"
#include "store/ring.h"
#include "store/types_in_use.h"

#define CHECK_INTERVAL (60 * USECS_PER_SEC)
#define RETRY_INTERVAL (1 * USECS_PER_SEC)
#define ALIGN_ATTEMPTS 200		/* a millisecond apart */
#define LIMITED_ATTEMPTS 20

/* the numbers of one type: at the snapshot's moment, and counted with it */
typedef struct Tally
{
	GqType	   *entry;			/* the hash key */
	uint32		doubts;			/* GqType.doubts before */
	uint64		changes;		/* ... and others, at that moment */
	uint64		began;
	uint64		ended;			/* when all that the snapshot sees was told */
	bool		quiet;			/* nothing changed in between */
	int64		base[GQ_STATUSES];
	int64		counted[GQ_STATUSES];
} Tally;

/* ---- when ---- */

static void
note_doubt(GqType *entry, void *arg)
{
	if (!entry->counted)
		*(bool *) arg = true;
}

static bool
numbers_are_in_doubt(void)
{
	bool		doubt = !gq_types_are_surveyed(gq_instance());

	gq_each_type(note_doubt, &doubt);
	return doubt;
}

static void
note_living(GqType *entry, void *arg)
{
	if (entry->counts[GQ_NEW] + entry->counts[GQ_ERROR] + entry->counts[GQ_PENDING] +
		entry->counts[GQ_PROCESSING] > 0)
		*(bool *) arg = true;
}

/* Is there a task that a frontier could hide? */
static bool
any_task_lives(void)
{
	bool		lives = false;

	gq_each_type(note_living, &lives);
	return lives;
}

/* ---- counting ---- */

/* Delayed tasks, likewise; of all databases, since only they can be told apart
 * by their type. */
typedef struct DelayTallies
{
	GqDelay    *base;
	int			nbase;
	HTAB	   *counted;
} DelayTallies;

static Tally *
tally_of(HTAB *tallies, GqType *entry)
{
	bool		found;
	Tally	   *tally = hash_search(tallies, &entry, HASH_ENTER, &found);

	if (!found)
	{
		/* an entry made since: nothing was told of it before */
		memset(tally, 0, sizeof(Tally));
		tally->entry = entry;
		tally->quiet = true;
	}
	return tally;
}

static void
note_doubts(GqType *entry, void *arg)
{
	Tally	   *tally = tally_of(arg, entry);

	SpinLockAcquire(&entry->mutex);
	tally->doubts = entry->doubts;
	SpinLockRelease(&entry->mutex);
}

static void
note_base(GqType *entry, void *arg)
{
	Tally	   *tally = tally_of(arg, entry);

	SpinLockAcquire(&entry->mutex);
	memcpy(tally->base, entry->counts, sizeof(tally->base));
	tally->changes = entry->changes;
	tally->began = entry->began;
	SpinLockRelease(&entry->mutex);
}

static void
note_end(GqType *entry, void *arg)
{
	Tally	   *tally = tally_of(arg, entry);

	SpinLockAcquire(&entry->mutex);
	tally->quiet = entry->changes == tally->changes;
	tally->ended = entry->ended;
	SpinLockRelease(&entry->mutex);
}

static bool
limited_are_quiet(HTAB *tallies)
{
	HASH_SEQ_STATUS status;
	Tally	   *tally;
	bool		quiet = true;

	hash_seq_init(&status, tallies);
	while ((tally = hash_seq_search(&status)) != NULL)
		if (tally->entry->limited && !tally->quiet)
			quiet = false;
	return quiet;
}

/*
 * A snapshot, and the numbers as they are for it.  If there are transactions
 * without a pause, at least those of types with a limit; or the best effort.
 * *told: all that it sees was told before note_end.
 */
static Snapshot
take_aligned_snapshot(HTAB *tallies, DelayTallies *delays, bool *told)
{
	for (int i = 0;; i++)
	{
		uint64		before;
		uint64		after;
		Snapshot	snapshot;
		bool		aligned;

		(void) gq_windows_are_closed(&before);
		gq_each_type(note_base, tallies);
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		delays->base = gq_delays_copy(&delays->nbase);
		aligned = gq_windows_are_closed(&after) && after == before;
		*told = aligned || gq_windows_drain();
		gq_each_type(note_end, tallies);
		if (aligned || i == ALIGN_ATTEMPTS || !*told ||
			(i >= LIMITED_ATTEMPTS && limited_are_quiet(tallies)))
			return snapshot;
		UnregisterSnapshot(snapshot);
		pfree(delays->base);
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
}

static void
count_delay(HTAB *counted, GqType *entry, const GqTask *task)
{
	GqDelay		delay;
	GqDelay    *known;
	bool		found;

	if (!gq_delay_of(entry, task->next_attempt_at, task->updated_at, &delay))
		return;
	known = hash_search(counted, &delay.span, HASH_ENTER, &found);
	if (!found)
		*known = delay;
	else
	{
		known->n++;
		known->first = Min(known->first, delay.first);
		known->last = Max(known->last, delay.last);
	}
}

static void
count_task(HTAB *tallies, HTAB *delays, const GqTask *task)
{
	GqType	   *entry = gq_type_of_task(task);

	if (entry != NULL)
	{
		tally_of(tallies, entry)->counted[task->status]++;
		if (GqStatusIsClaimable(task->status))
			count_delay(delays, entry, task);
	}
	if (task->status == GQ_PROCESSING)
	{
		gq_lease_enter(gq_instance(), task->id, task->token, task->lease_until, 0);
		gq_database_due(MyDatabaseId, task->lease_until);	/* the healer may have
															 * looked before */
	}
}

static void
count_generation(int number, HTAB *tallies, HTAB *delays, Snapshot snapshot)
{
	GqGeneration *generation = gq_generation_open(number);
	TableScanDesc scan = table_beginscan_strat(generation->table, snapshot, 0, NULL, true, false);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		gq_task_read(&task, slot);
		count_task(tallies, delays, &task);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	gq_generation_close(generation);
}

/*
 * How many run: claims that the snapshot may see count twice at worst, and ends
 * that it may not see do not count; so it is never too few.
 */
static int64
running_now(const GqType *entry, const Tally *tally)
{
	return tally->counted[GQ_PROCESSING] + (int64) (entry->began - tally->began) -
		(int64) (entry->ended - tally->ended);
}

static void
publish_tally(const Tally *tally, bool told)
{
	GqType	   *entry = tally->entry;
	bool		certain;
	int64		freed;

	SpinLockAcquire(&entry->mutex);
	certain = entry->doubts == tally->doubts;
	freed = entry->counts[GQ_PROCESSING] + entry->prepared_claims;
	for (int s = 0; s < GQ_STATUSES; s++)
		if (s != GQ_PROCESSING || !told)
			entry->counts[s] += tally->counted[s] - tally->base[s];
	if (told)
		entry->counts[GQ_PROCESSING] = running_now(entry, tally);
	if (!told)
		entry->running_known = false;
	else if (certain)
	{
		entry->running_known = true;
		entry->prepared_claims = 0;
	}
	entry->counted = certain && (!entry->limited || (told && tally->quiet));
	entry->delays_lost = false;
	freed -= entry->counts[GQ_PROCESSING] + entry->prepared_claims;
	if (!entry->limited)
		freed = 0;
	SpinLockRelease(&entry->mutex);
	gq_runners_wake(entry, Min(freed, PG_INT32_MAX));
}

/* After the tallies: there may be no room for all of it. */
static void
publish_delays(HTAB *tallies, DelayTallies *delays)
{
	HASH_SEQ_STATUS status;
	GqDelay    *delay;

	for (int i = 0; i < delays->nbase; i++)
	{
		GqType	   *entry = gq_type_nth(delays->base[i].span.type);

		delays->base[i].n = -delays->base[i].n;
		if (entry != NULL && hash_search(tallies, &entry, HASH_FIND, NULL) != NULL)
			gq_delays_add(entry, &delays->base[i]);
	}
	hash_seq_init(&status, delays->counted);
	while ((delay = hash_seq_search(&status)) != NULL)
		gq_delays_add(gq_type_nth(delay->span.type), delay);
}

static HTAB *
make_table(const char *name, Size keysize, Size entrysize)
{
	HASHCTL		ctl = {.keysize = keysize,.entrysize = entrysize,.hcxt = CurrentMemoryContext};

	return hash_create(name, 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* False: a generation was emptied meanwhile, and its tasks not seen. */
static bool
survey(HTAB *tallies)
{
	DelayTallies delays = {.counted = make_table("goque delays", sizeof(GqSpan), sizeof(GqDelay))};
	bool		told;
	Snapshot	snapshot = take_aligned_snapshot(tallies, &delays, &told);
	HASH_SEQ_STATUS status;
	Tally	   *tally;
	bool		complete;

	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (!gq_generation_is_void(g))
			count_generation(g, tallies, delays.counted, snapshot);
	complete = !gq_ring_is_emptied_since(snapshot);
	UnregisterSnapshot(snapshot);

	if (complete)
	{
		hash_seq_init(&status, tallies);
		while ((tally = hash_seq_search(&status)) != NULL)
			publish_tally(tally, told);
		publish_delays(tallies, &delays);
	}
	hash_destroy(delays.counted);
	pfree(delays.base);
	return complete;
}

/*
 * Numbers cannot be known before the last prepared transaction has ended.  Doubts
 * are read before that is asked: one that was prepared and committed between the
 * two would go unnoticed.
 */
static bool
survey_if_possible(void)
{
	HTAB	   *tallies = make_table("goque survey", sizeof(GqType *), sizeof(Tally));
	bool		complete = true;

	gq_each_type(note_doubts, tallies);
	if (!gq_prepared_pending())
	{
		complete = survey(tallies);
		if (complete)
			gq_types_set_surveyed(gq_instance(), true);
	}
	hash_destroy(tallies);
	return complete;
}

/* ---- the duty ---- */

static void
note_pending(GqType *entry, void *arg)
{
	if (!entry->counted || entry->counts[GQ_PENDING] > 0)
		*(bool *) arg = true;
}

static void
start_stranded(void)
{
	bool		pending = !gq_types_are_surveyed(gq_instance());
	int			started;

	gq_each_type(note_pending, &pending);
	started = pending ? gq_stranded_check() : 0;
	if (started > 0)
		ereport(LOG,
				(errhidecontext(true),
				 errmsg_plural("goque started %d pending task that waited for nothing any more",
							   "goque started %d pending tasks that waited for nothing any more",
							   started, started)));
}

TimestampTz
gq_duty_check(TimestampTz now)
{
	char	  **types;
	int			ntypes;
	int			hidden = 0;

	/* of transactions that were prepared before a crash nothing is known */
	bool		all = !gq_types_are_surveyed(gq_instance());

	if (numbers_are_in_doubt() && !survey_if_possible())
		return now + RETRY_INTERVAL;
	types = gq_types_in_use(&ntypes);
	for (int i = 0; i < ntypes; i++)
	{
		CHECK_FOR_INTERRUPTS();
		hidden += gq_ready_check(types[i], now, all);
	}
	if (hidden > 0)
		ereport(LOG,
				(errhidecontext(true),
				 errmsg_plural("goque found %d ready task that its shared memory did not know of",
							   "goque found %d ready tasks that its shared memory did not know of",
							   hidden, hidden)));
	gq_dependency_survey();
	start_stranded();
	return any_task_lives() || numbers_are_in_doubt() ? now + CHECK_INTERVAL : DT_NOEND;
}
