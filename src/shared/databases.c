/*-------------------------------------------------------------------------
 *
 * databases.c
 *	  The table of databases in shared memory, as everybody but the launcher
 *	  and the keepers uses it: a database has goque now, something is due in
 *	  it, keepers must stay out of it.
 *
 * A slot is made when the launcher lists pg_database, or when a database is
 * announced, and given back when the database is gone.  There are more
 * databases than slots only on very large servers: then those without goque
 * share the slots that are left, in turn.
 *
 * Locks: databases_lock for all but asked_at and wakes_at; the protocol of
 * those is in database_slots.h.  Signals and latches may be sent under it, as
 * a keeper cannot go away while its slot names it.
 *
 * After a crash everything starts empty, and the launcher asks each database
 * anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "monotonic.h"
#include "shared/database_slots.h"
#include "shared/runners.h"
#include "shared/shmem.h"

/* how long a command waits for the keeper that stands in its way */
#define BLOCK_WAIT_MS 5000

const char *const gq_activity_names[GQ_ACTIVITIES] = {
	"schedule", "heal", "expire", "clean", "check", "process", "map", "idle", "starting"
};

GqSlots    *gq_slots = NULL;

Size
gq_databases_shmem_size(void)
{
	return sizeof(GqSlots);
}

void
gq_databases_shmem_init(void)
{
	bool		found;

	gq_slots = ShmemInitStruct("goque databases", sizeof(GqSlots), &found);
	if (found)
		return;

	memset(gq_slots, 0, sizeof(GqSlots));
	gq_slots->list_anew = true;
	ConditionVariableInit(&gq_slots->left);
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		pg_atomic_init_u64(&gq_slots->slots[i].asked_at, (uint64) DT_NOEND);
		pg_atomic_init_u64(&gq_slots->slots[i].wakes_at, (uint64) DT_NOEND);
	}
}

/* ---- slots; the caller holds databases_lock ---- */

GqDatabase *
gq_slot_find(Oid database)
{
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		if (gq_slots->slots[i].database == database)
			return &gq_slots->slots[i];
	}
	return NULL;
}

/* The slot of the database without goque that was looked at longest ago. */
static GqDatabase *
find_dispensable(void)
{
	GqDatabase *best = NULL;

	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		GqDatabase *slot = &gq_slots->slots[i];

		if (slot->state == GQ_DATABASE_WITHOUT && slot->keeper_pid == 0 &&
			!slot->starting &&
			(best == NULL || slot->looked_at < best->looked_at))
			best = slot;
	}
	return best;
}

GqDatabase *
gq_slot_make(Oid database)
{
	GqDatabase *slot = gq_slot_find(database);
	uint32		generation;

	if (slot != NULL)
		return slot;
	slot = gq_slot_find(InvalidOid);
	if (slot == NULL)
		slot = find_dispensable();
	if (slot == NULL)
		return NULL;

	generation = slot->generation;	/* a keeper of the previous owner may come
									 * yet */
	memset(slot, 0, offsetof(GqDatabase, asked_at));
	slot->generation = generation + 1;
	slot->database = database;
	slot->state = GQ_DATABASE_UNKNOWN;
	slot->exists = slot->connectable = true;
	pg_atomic_write_u64(&slot->asked_at, (uint64) DT_NOEND);
	pg_atomic_write_u64(&slot->wakes_at, (uint64) DT_NOEND);
	return slot;
}

int
gq_slot_blocked_by(Oid database)
{
	for (int i = 0; i < GQ_MAX_BLOCKS; i++)
	{
		if (gq_slots->blocks[i].database == database)
			return gq_slots->blocks[i].pid;
	}
	return 0;
}

/* ---- something happened in a database ---- */

/*
 * Forget the pauses too: what failed may work now.
 */
void
gq_database_announce(Oid database)
{
	GqDatabase *slot;

	if (gq_slots == NULL || !OidIsValid(database))
		return;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	slot = gq_slot_find(database);
	if (slot == NULL)
	{
		/* a list of databases that is just being made may lack it */
		gq_slots->list_anew = true;
		slot = gq_slot_make(database);
	}
	if (slot != NULL)
	{
		slot->announced++;
		slot->next_start_at = 0;
		slot->planned = false;
		if (slot->keeper_pid == 0)
			slot->state = GQ_DATABASE_UNKNOWN;
		else
			gq_slot_wake(slot->keeper);
	}
	gq_slot_wake(gq_slots->launcher);
	LWLockRelease(gq_shared->databases_lock);
}

/*
 * The slot of a database that something is due in: remembered from call to
 * call.  The slot may be given to another database at any moment; that one's
 * keeper then wakes up for nothing, once.
 */
static GqDatabase *
find_due_slot(Oid database)
{
	static GqDatabase *mine = NULL;
	GqDatabase *slot = mine;

	if (slot != NULL && slot->database == database && slot->state != GQ_DATABASE_WITHOUT)
		return slot;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	slot = gq_slot_find(database);
	if (slot == NULL)
	{
		gq_slots->list_anew = true;
		slot = gq_slot_make(database);
		gq_slot_wake(gq_slots->launcher);
	}
	else if (slot->state == GQ_DATABASE_WITHOUT && slot->keeper_pid == 0)
	{
		/* whoever calls us from there has found an extension */
		slot->state = GQ_DATABASE_UNKNOWN;
		gq_slot_wake(gq_slots->launcher);
	}
	LWLockRelease(gq_shared->databases_lock);

	mine = slot;
	return slot;
}

void
gq_database_due(Oid database, TimestampTz at)
{
	GqDatabase *slot;
	uint64		asked;

	if (gq_slots == NULL || !OidIsValid(database) || at == DT_NOEND)
		return;
	slot = find_due_slot(database);
	if (slot == NULL)
		return;

	asked = pg_atomic_read_u64(&slot->asked_at);
	do
	{
		if (at >= (TimestampTz) asked)
			return;
	} while (!pg_atomic_compare_exchange_u64(&slot->asked_at, &asked, (uint64) at));

	/* the exchange is the full barrier that database_slots.h speaks of */
	if (at < gq_slot_wakes_at(slot))
	{
		gq_slot_wake(slot->keeper);
		gq_slot_wake(gq_slots->launcher);
	}
}

void
gq_databases_changed(void)
{
	if (gq_slots == NULL)
		return;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	gq_slots->list_anew = true;
	gq_slot_wake(gq_slots->launcher);
	LWLockRelease(gq_shared->databases_lock);
}

/* ---- keeping keepers out ---- */

/*
 * Enter the block and stop the keeper; true: there was one.  One that is about
 * to start finds the block before it connects.
 */
static bool
enter_block(Oid database)
{
	GqDatabase *slot;
	bool		present = false;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	for (int i = 0; i < GQ_MAX_BLOCKS; i++)
	{
		GqBlock    *block = &gq_slots->blocks[i];

		if (!OidIsValid(block->database))
		{
			block->database = database;
			block->pid = MyProcPid;
			break;
		}
	}
	slot = gq_slot_find(database);
	if (slot != NULL && slot->keeper_pid != 0)
	{
		kill(slot->keeper_pid, SIGTERM);
		present = true;
	}
	LWLockRelease(gq_shared->databases_lock);
	return gq_runners_stop(database) || present;
}

static bool
has_worker(Oid database)
{
	GqDatabase *slot;
	bool		result;

	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	slot = gq_slot_find(database);
	result = slot != NULL && slot->keeper_pid != 0;
	LWLockRelease(gq_shared->databases_lock);
	return result || gq_runners_present(database);
}

/*
 * A keeper gives its slot up only after it has left the list of processes that
 * PostgreSQL looks at when it asks who uses a database: see gq_keeper_enter.
 */
void
gq_database_block(Oid database)
{
	static uint32 wait_event = 0;
	int64		end;

	if (gq_slots == NULL || !OidIsValid(database))
		return;
	if (!enter_block(database))
		return;

	gq_wait_event(&wait_event, "GoqueKeeperExit");
	end = gq_monotonic_now() + BLOCK_WAIT_MS * INT64CONST(1000);
	ConditionVariablePrepareToSleep(&gq_slots->left);
	while (has_worker(database))
	{
		long		ms = (end - gq_monotonic_now()) / 1000;

		if (ms <= 0 ||
			ConditionVariableTimedSleep(&gq_slots->left, ms, wait_event))
			break;				/* the command itself will say who is there */
	}
	ConditionVariableCancelSleep();
}

void
gq_databases_unblock(void)
{
	if (gq_slots == NULL)
		return;

	LWLockAcquire(gq_shared->databases_lock, LW_EXCLUSIVE);
	for (int i = 0; i < GQ_MAX_BLOCKS; i++)
	{
		if (gq_slots->blocks[i].pid == MyProcPid)
			memset(&gq_slots->blocks[i], 0, sizeof(GqBlock));
	}
	gq_slots->list_anew = true;
	gq_slot_wake(gq_slots->launcher);
	LWLockRelease(gq_shared->databases_lock);
}

/* ---- for the views ---- */

static void
copy_slot(GqDatabase *slot, GqDatabaseInfo *info)
{
	info->database = slot->database;
	info->state = slot->state;
	strlcpy(info->version, slot->version, sizeof(info->version));
	info->keeper_pid = slot->keeper_pid;
	if (slot->keeper_pid != 0)
	{
		info->keeper_since = slot->keeper_since;
		strlcpy(info->activity, gq_activity_names[slot->activity], sizeof(info->activity));
		info->activity_since = slot->activity_since;
	}
	info->last_heal_at = slot->done_at[GQ_DUTY_HEAL];
	info->last_clean_at = slot->done_at[GQ_DUTY_CLEAN];
	info->due_at = gq_slot_due_at(slot);
	info->failures = slot->failures;
	info->failed_at = slot->failed_at;
	info->no_slot_since = slot->no_slot_tries > 2 ? slot->no_slot_since : 0;
	info->blocked_by = gq_slot_blocked_by(slot->database);
}

GqDatabaseInfo *
gq_databases(int *n)
{
	GqDatabaseInfo *result;

	*n = 0;
	if (gq_slots == NULL)
		return NULL;

	result = palloc0(GQ_MAX_DATABASES * sizeof(GqDatabaseInfo));
	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	for (int i = 0; i < GQ_MAX_DATABASES; i++)
	{
		if (OidIsValid(gq_slots->slots[i].database))
			copy_slot(&gq_slots->slots[i], &result[(*n)++]);
	}
	LWLockRelease(gq_shared->databases_lock);
	return result;
}

GqDatabaseInfo
gq_database_own(void)
{
	GqDatabaseInfo none = {0};
	int			n;
	GqDatabaseInfo *databases = gq_databases(&n);

	for (int i = 0; i < n; i++)
	{
		if (databases[i].database == MyDatabaseId)
			return databases[i];
	}
	return none;
}

bool
gq_launcher_info(int *pid, TimestampTz *since, TimestampTz *last_run)
{
	if (gq_slots == NULL)
		return false;

	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	*pid = gq_slots->launcher_pid;
	*since = gq_slots->launcher_since;
	*last_run = gq_slots->passed_at;
	LWLockRelease(gq_shared->databases_lock);
	return *pid != 0;
}
