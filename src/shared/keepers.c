/*-------------------------------------------------------------------------
 *
 * keepers.c
 *	  The table of databases as the launcher and the keepers use it.
 *
 * The life of a slot's keeper:
 *
 *	  none -> starting			the launcher needs one: something is due, or
 *								nobody knows whether the database has goque
 *	  starting -> none			it could not be started, or came too late
 *	  starting -> present		it entered its slot (before it connects)
 *	  present -> none			it left, failed or was stopped: at process exit
 *
 * The generation ties a process to the start it was made for: whoever comes
 * with an old one has no business there.  A failure makes the next start wait,
 * longer each time; leaving and being stopped does not.
 *
 * Locks: see databases.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"

#include "shared/database_slots.h"
#include "shared/shmem.h"

#define LIST_EVERY_MS (10 * 60 * 1000)	/* databases, though nothing is known
										 * to have changed */
#define START_LIMIT_MS (60 * 1000)	/* then "starting" is taken for failed */
#define PROBE_LIMIT_MS 5000		/* then the next database is looked at too */
#define NO_SLOT_MS 2000			/* without a background worker, before it is
								 * called so */
#define LOG_EVERY_MS (60 * 1000)	/* lines about a database that fails */
#define STOPPED_PAUSE_MS 1000

/* this process's slot, if it is a keeper */
static GqDatabase *my_slot = NULL;
static bool leaving = false;

static TimestampTz
after_ms(TimestampTz now, int ms)
{
	return TimestampTzPlusMilliseconds(now, ms);
}

/* Pause after so many failures in a row: one quick retry, then slower. */
static int
pause_ms(int failures)
{
	static const int pauses[] = {0, 1000, 10000, 20000, 40000, 60000};

	return pauses[Min(failures, (int) lengthof(pauses) - 1)];
}

/* ---- the launcher ---- */

static void
launcher_exit(int code, Datum arg)
{
	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	gq_slots->launcher_pid = 0;
	gq_slots->launcher = NULL;
	LWLockRelease(gq_shared->databases_lock);
}

void
gq_launcher_enter(void)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	gq_slots->launcher_pid = MyProcPid;
	gq_slots->launcher = MyProc;
	gq_slots->launcher_since = now;
	gq_slots->list_anew = true;
	if (gq_slots->first_start == 0)
		gq_slots->first_start = now;
	LWLockRelease(gq_shared->databases_lock);
	on_shmem_exit(launcher_exit, (Datum) 0);
}

TimestampTz
gq_launcher_first_start(void)
{
	return gq_slots->first_start;
}

/* Blocks end with the transaction of their process; none should be left here. */
static void
drop_stale_blocks(void)
{
	for (int i = 0; i < GQ_MAX_BLOCKS; i++)
	{
		GqBlock    *block = &gq_slots->blocks[i];

		if (block->pid != 0 && BackendPidGetProc(block->pid) == NULL)
			memset(block, 0, sizeof(GqBlock));
	}
}

/* The clock was set back: what was due by now may be due at a later time by the
 * clock.  So each database is looked at. */
static void
wake_all_databases(TimestampTz now)
{
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		GqDatabase *slot = &gq_slots->slots[i];

		if (slot->state != GQ_DATABASE_WITH)
			continue;
		if (slot->keeper_pid == 0)
			pg_atomic_write_u64(&slot->wakes_at, (uint64) now);
		else
			gq_slot_wake(slot->keeper);
	}
}

bool
gq_launcher_pass(TimestampTz now)
{
	bool		list;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	if (now < gq_slots->passed_at)
		wake_all_databases(now);
	gq_slots->passed_at = now;
	drop_stale_blocks();
	list = gq_slots->list_anew || now < gq_slots->listed_at ||
		now >= after_ms(gq_slots->listed_at, LIST_EVERY_MS);
	if (list)
	{
		gq_slots->list_anew = false;
		gq_slots->listed_at = now;
	}
	LWLockRelease(gq_shared->databases_lock);
	return list;
}

static void
free_slot(GqDatabase *slot)
{
	slot->database = InvalidOid;
	slot->state = GQ_DATABASE_UNKNOWN;
	slot->starting = false;
}

static void
note_entries(const GqDatabaseEntry *entries, int n)
{
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
		gq_slots->slots[i].exists = gq_slots->slots[i].connectable = false;

	for (int i = 0; i < n; i++)
	{
		GqDatabase *slot;

		slot = entries[i].connectable ? gq_slot_make(entries[i].database) :
			gq_slot_find(entries[i].database);
		if (slot == NULL)
			continue;
		slot->exists = true;
		slot->connectable = entries[i].connectable;
		slot->is_template = entries[i].is_template;
	}
}

/*
 * Slots that the list does not justify any more are given back: at once, or by
 * their keeper when it has gone.
 */
int
gq_databases_list(const GqDatabaseEntry *entries, int n, TimestampTz now, Oid *gone)
{
	int			ngone = 0;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	note_entries(entries, n);
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		GqDatabase *slot = &gq_slots->slots[i];

		if (!OidIsValid(slot->database) || slot->connectable)
			continue;
		if (!slot->exists)
			gone[ngone++] = slot->database;
		if (slot->keeper_pid != 0)
			kill(slot->keeper_pid, SIGTERM);
		else
			free_slot(slot);
	}
	LWLockRelease(gq_shared->databases_lock);
	return ngone;
}

static void
note_failure(GqDatabase *slot, TimestampTz now)
{
	slot->failures++;
	slot->failed_at = now;
	slot->next_start_at = after_ms(now, pause_ms(slot->failures));
}

/*
 * When this slot wants a keeper: DT_NOEND for never, or not before something
 * happens.
 */
static TimestampTz
wanted_at(GqDatabase *slot, TimestampTz now, bool probing)
{
	TimestampTz at;

	if (!OidIsValid(slot->database) || !slot->connectable || slot->keeper_pid != 0 ||
		slot->starting || gq_slot_blocked_by(slot->database) != 0)
		return DT_NOEND;

	if (slot->state == GQ_DATABASE_UNKNOWN && !probing)
		at = DT_NOBEGIN;
	else if (slot->state == GQ_DATABASE_WITH)
		at = gq_slot_due_at(slot);
	else
		return DT_NOEND;

	/* a clock that was set back does not prolong a pause */
	if (slot->next_start_at > after_ms(now, pause_ms(INT_MAX)))
		slot->next_start_at = after_ms(now, pause_ms(INT_MAX));
	if (slot->next_start_at > now)
		at = Max(at, slot->next_start_at);
	return at;
}

/*
 * Count the keepers, here or coming, and note whether one of them looks at a
 * database that is not known yet: they do so one at a time, unless that takes
 * long.
 */
static int
count_keepers(TimestampTz now, bool *probing, TimestampTz *wake_at)
{
	int			n = 0;

	*probing = false;
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		GqDatabase *slot = &gq_slots->slots[i];
		TimestampTz limit = after_ms(slot->started_at, PROBE_LIMIT_MS);

		if (slot->starting && (now >= after_ms(slot->started_at, START_LIMIT_MS) ||
							   now < slot->started_at))
		{
			slot->starting = false;
			note_failure(slot, now);
		}
		if (slot->starting)
			*wake_at = Min(*wake_at, after_ms(slot->started_at, START_LIMIT_MS));
		else if (slot->keeper_pid == 0)
			continue;
		n++;
		if (slot->state == GQ_DATABASE_UNKNOWN && now < limit)
		{
			*probing = true;
			*wake_at = Min(*wake_at, limit);
		}
	}
	return n;
}

/* Ask the keepers that have nothing to do just now to make room. */
static void
ask_for_room(void)
{
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		if (gq_slots->slots[i].keeper_pid != 0)
			gq_slot_wake(gq_slots->slots[i].keeper);
	}
}

static void
mark_starting(GqDatabase *slot, TimestampTz now, GqKeeperStart *start)
{
	slot->starting = true;
	slot->generation++;
	slot->started_at = now;

	start->slot = slot - gq_slots->slots;
	start->generation = slot->generation;
	start->database = slot->database;
}

bool
gq_keeper_next(TimestampTz now, int processes, int most, GqKeeperStart *start,
			   TimestampTz *wake_at)
{
	GqDatabase *best = NULL;
	TimestampTz best_at = DT_NOEND;
	bool		waiting = false;
	bool		probing;
	bool		room;

	*wake_at = DT_NOEND;
	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	room = Max(count_keepers(now, &probing, wake_at), processes) < most;
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		GqDatabase *slot = &gq_slots->slots[i];
		TimestampTz at = wanted_at(slot, now, probing);

		if (at != DT_NOEND && slot->no_slot_since != 0)
			waiting = true;
		if (at > now)
			*wake_at = Min(*wake_at, at);
		else if (at < best_at)
		{
			best = slot;
			best_at = at;
		}
	}

	gq_slots->lacking = waiting;
	gq_slots->wanted = waiting || (best != NULL && !room);
	if (gq_slots->wanted)
		ask_for_room();
	if (best != NULL && room)
		mark_starting(best, now, start);
	LWLockRelease(gq_shared->databases_lock);
	return best != NULL && room;
}

/*
 * No background worker to be had costs nobody anything: it is tried again soon,
 * and for as long as it takes.  The first moments do not count: the place of a
 * process that has just ended is not free at once.
 */
bool
gq_keeper_not_started(const GqKeeperStart *start, GqStartFailure why, TimestampTz now)
{
	GqDatabase *slot = &gq_slots->slots[start->slot];
	bool		lasting = false;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	if (slot->starting && slot->generation == start->generation)
	{
		slot->starting = false;
		if (why == GQ_START_NO_SLOT)
		{
			if (slot->no_slot_tries++ == 0)
				slot->no_slot_since = now;
			slot->next_start_at = after_ms(now, 1000 * Min(slot->no_slot_tries, 4));
			lasting = now >= after_ms(slot->no_slot_since, NO_SLOT_MS);
		}
		else
			note_failure(slot, now);
	}
	LWLockRelease(gq_shared->databases_lock);
	return lasting;
}

bool
gq_keepers_lack_place(void)
{
	bool		result;

	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	result = gq_slots->lacking;
	LWLockRelease(gq_shared->databases_lock);
	return result;
}

void
gq_keepers_place_free(TimestampTz now)
{
	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
		if (gq_slots->slots[i].no_slot_tries > 0)
			gq_slots->slots[i].next_start_at = Min(gq_slots->slots[i].next_start_at, now);
	LWLockRelease(gq_shared->databases_lock);
}

/* ---- a keeper ---- */

/*
 * Give the slot back.  Who exits without gq_keeper_leaves was stopped, or (with
 * another code than 0) failed: what was due is due still.
 */
static void
keeper_exit(int code, Datum arg)
{
	GqDatabase *slot = my_slot;
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	slot->keeper_pid = 0;
	slot->keeper = NULL;
	if (!leaving)
	{
		pg_atomic_write_u64(&slot->wakes_at, (uint64) now);
		if (code == 0)
			slot->next_start_at = after_ms(now, STOPPED_PAUSE_MS);
		else
			note_failure(slot, now);
	}
	if (!slot->connectable)
		free_slot(slot);
	ConditionVariableBroadcast(&gq_slots->left);
	gq_slot_wake(gq_slots->launcher);
	LWLockRelease(gq_shared->databases_lock);
}

/*
 * The exit callback is registered before the connection to the database is
 * made, and so runs after this process has left the list of those that use it:
 * who waits for the slot to be free can be sure that it is not counted.
 */
Oid
gq_keeper_enter(int n, uint32 generation)
{
	GqDatabase *slot = &gq_slots->slots[n];
	TimestampTz now = GetCurrentTimestamp();
	Oid			database = InvalidOid;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	if (slot->starting && slot->generation == generation)
	{
		slot->starting = false;
		slot->no_slot_tries = 0;
		slot->no_slot_since = 0;
		if (slot->connectable && gq_slot_blocked_by(slot->database) == 0)
		{
			database = slot->database;
			slot->keeper_pid = MyProcPid;
			slot->keeper = MyProc;
			slot->keeper_since = slot->activity_since = now;
			slot->activity = GQ_STARTING;
			my_slot = slot;
		}
	}
	LWLockRelease(gq_shared->databases_lock);

	if (my_slot != NULL)
		on_shmem_exit(keeper_exit, (Datum) 0);
	return database;
}

uint32
gq_keeper_announced(void)
{
	uint32		result;

	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	result = my_slot->announced;
	LWLockRelease(gq_shared->databases_lock);
	return result;
}

bool
gq_keeper_found(GqDatabaseState state, const char *version, uint32 announced)
{
	bool		changed;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	changed = strncmp(my_slot->version, version, GQ_MAX_VERSION_BYTES - 1) != 0;
	strlcpy(my_slot->version, version, GQ_MAX_VERSION_BYTES);
	my_slot->looked_at = GetCurrentTimestamp();
	/* announced since: another look is needed */
	my_slot->state = announced == my_slot->announced ? state : GQ_DATABASE_UNKNOWN;
	gq_slot_wake(gq_slots->launcher);
	LWLockRelease(gq_shared->databases_lock);
	return changed;
}

void
gq_keeper_doing(GqActivity activity)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	if (my_slot->activity != activity)
		my_slot->activity_since = now;
	my_slot->activity = activity;
	LWLockRelease(gq_shared->databases_lock);
}

void
gq_keeper_done(GqActivity duty, TimestampTz now, bool well)
{
	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	my_slot->done_at[duty] = now;
	if (well)
		my_slot->failures = 0;
	LWLockRelease(gq_shared->databases_lock);
}

/*
 * Taken once: who fails, or is stopped, leaves no plan.
 */
bool
gq_keeper_resume(GqDutyPlan plan[GQ_DUTIES])
{
	bool		result;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	result = my_slot->planned;
	my_slot->planned = false;
	memcpy(plan, my_slot->plan, sizeof(my_slot->plan));
	LWLockRelease(gq_shared->databases_lock);
	return result;
}

bool
gq_keeper_failed(TimestampTz now)
{
	bool		log;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	note_failure(my_slot, now);
	log = now < my_slot->logged_at || now >= after_ms(my_slot->logged_at, LOG_EVERY_MS);
	if (log)
		my_slot->logged_at = now;
	LWLockRelease(gq_shared->databases_lock);
	return log;
}

TimestampTz
gq_keeper_asked(void)
{
	return (TimestampTz) pg_atomic_exchange_u64(&my_slot->asked_at, (uint64) DT_NOEND);
}

TimestampTz
gq_keeper_sleeps(TimestampTz at)
{
	TimestampTz asked;

	pg_atomic_write_u64(&my_slot->wakes_at, (uint64) at);
	pg_memory_barrier();
	asked = gq_slot_asked_at(my_slot);
	return Min(at, asked);
}

bool
gq_keeper_in_a_hurry(void)
{
	bool		result;

	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	result = gq_slots->wanted || my_slot->is_template;
	LWLockRelease(gq_shared->databases_lock);
	return result;
}

/*
 * What is asked for from here on wakes the launcher, which waits for the exit.
 */
void
gq_keeper_leaves(TimestampTz at, const GqDutyPlan *plan)
{
	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	pg_atomic_write_u64(&my_slot->wakes_at, (uint64) at);
	my_slot->planned = plan != NULL;
	if (plan != NULL)
		memcpy(my_slot->plan, plan, sizeof(my_slot->plan));
	LWLockRelease(gq_shared->databases_lock);
	leaving = true;
}
