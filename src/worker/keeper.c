/*-------------------------------------------------------------------------
 *
 * keeper.c
 *	  The process that keeps one database's queue in order: it ends expired
 *	  leases, cancels what has expired, applies retention, checks, and adds the
 *	  tasks of schedules.
 *
 * It first looks for the extension, and exits if there is none, or one of
 * another version than this library.  Then it does its duties (core/maintain.h)
 * when each is due, every one in a transaction of its own, and sleeps until the
 * next is.  A duty tells when it is next due; a session that makes something
 * fall due earlier sets this process's latch (gq_database_due).  Whoever needs
 * a duty at all says so, so a keeper that has had nothing to do for a while
 * exits: the launcher starts one again in time.
 *
 * A duty that fails is reported (a line a minute at most) and tried again a few
 * seconds later, by the same process: a fault that ends must not be waited for
 * longer, nor cost a process start each time; and the other duties go on.  Any
 * other error ends the process, and so do very many failures in a row, in case
 * it is the process that is broken.
 *
 * Against DROP EXTENSION: a duty runs under a share lock on the extension, taken
 * only if it is free.  So a DROP waits for one duty at most, and none starts
 * after it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "core/maintain.h"
#include "guc.h"
#include "shared/keepers.h"
#include "shared/runners.h"
#include "shared/shmem.h"
#include "worker/worker.h"

#define CHECK_EVERY_MS (60 * 1000)
#define LINGER_MS (60 * 1000)	/* without anything to do, before it leaves */
#define START_EARLY_MS 5000		/* before a schedule is due */
#define BUSY_EXTENSION_MS 1000	/* until the next look when it is locked */
#define AT_ONCE_MS 100			/* between two heals, when sessions end one
								 * after the other */
#define MAX_RETRY_MS 5000
#define MAX_FAILURES 100		/* in a row, of one duty, in one process */

typedef struct Duty
{
	TimestampTz (*run) (TimestampTz now);
	const int  *interval_ms;	/* it runs no more often than so */
	const char *activity;
} Duty;

static const int check_interval_ms = CHECK_EVERY_MS;
static const int no_interval_ms = 0;
static const int process_interval_ms = 100;
static const int map_interval_ms = 2000;

static const Duty duties[GQ_DUTIES] = {
	[GQ_DUTY_SCHEDULE] = {gq_duty_schedule, &no_interval_ms, "goque: schedule"},
	[GQ_DUTY_HEAL] = {gq_duty_heal, &gq_heal_interval, "goque: heal"},
	[GQ_DUTY_EXPIRE] = {gq_duty_expire, &gq_heal_interval, "goque: expire"},
	[GQ_DUTY_CLEAN] = {gq_duty_clean, &gq_clean_interval, "goque: clean"},
	[GQ_DUTY_CHECK] = {gq_duty_check, &check_interval_ms, "goque: check"},
	[GQ_DUTY_PROCESS] = {gq_duty_process, &process_interval_ms, "goque: process"},
	[GQ_DUTY_MAP] = {gq_duty_map, &map_interval_ms, "goque: map"},
};

static GqDutyPlan plan[GQ_DUTIES];
static int	failures[GQ_DUTIES];	/* in a row */

static const char *database_name;
static uint32 seen_announced;
static bool look_again;			/* found in a duty */

/* ---- the extension ---- */

typedef struct Extension
{
	Oid			oid;			/* InvalidOid: not here */
	char		version[GQ_MAX_VERSION_BYTES];
} Extension;

static Extension extension;

static void
read_extension(Extension *result)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	memset(result, 0, sizeof(Extension));
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("goque"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion,
										   RelationGetDescr(rel), &isnull);

		result->oid = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
		if (!isnull)
			text_to_cstring_buffer(DatumGetTextPP(version), result->version,
								   sizeof(result->version));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
warn_mismatch(void)
{
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("goque does not heal or clean in database \"%s\"", database_name),
			 errdetail("The extension is of version %s, the library that the server has loaded of version %s.",
					   extension.version, GQ_VERSION),
			 errhint("Run \"ALTER EXTENSION goque UPDATE\" there, or restart the server if the library was updated.")));
}

/*
 * Note what is here; exit unless it is the extension of our version.
 */
static void
look_for_extension(void)
{
	GqDatabaseState state;
	bool		news;

	look_again = false;
	seen_announced = gq_keeper_announced();
	gq_worker_begin("goque: look for the extension");
	if (database_name == NULL)
		database_name = MemoryContextStrdup(TopMemoryContext, get_database_name(MyDatabaseId));
	read_extension(&extension);
	gq_worker_commit();

	if (!OidIsValid(extension.oid))
		state = GQ_DATABASE_WITHOUT;
	else if (strcmp(extension.version, GQ_VERSION) == 0)
		state = GQ_DATABASE_WITH;
	else
		state = GQ_DATABASE_MISMATCH;

	news = gq_keeper_found(state, extension.version, seen_announced);
	if (state == GQ_DATABASE_WITH)
		return;
	if (state == GQ_DATABASE_MISMATCH && news)
		warn_mismatch();
	gq_processors_begin(MyDatabaseId);
	gq_processors_end(MyDatabaseId);
	gq_keeper_leaves(DT_NOEND, NULL);
	proc_exit(0);
}

/*
 * In a duty's transaction: is the extension here, and will it be until the end?
 */
static bool
hold_extension(void)
{
	Extension	now;

	if (!ConditionalLockDatabaseObject(ExtensionRelationId, extension.oid, 0, AccessShareLock))
		return false;
	read_extension(&now);
	look_again = now.oid != extension.oid || strcmp(now.version, extension.version) != 0;
	return !look_again;
}

/* ---- duties ---- */

static TimestampTz
duty_due_at(GqActivity which)
{
	GqDutyPlan *p = &plan[which];

	if (p->unpaced || p->wants_at == DT_NOEND)
		return p->wants_at;
	return Max(p->wants_at,
			   TimestampTzPlusMilliseconds(p->ran_at, *duties[which].interval_ms));
}

static TimestampTz
earliest_due_at(void)
{
	TimestampTz result = DT_NOEND;

	for (int i = 0; i < GQ_DUTIES; i++)
		result = Min(result, duty_due_at(i));
	return result;
}

/*
 * Go on where the last keeper left; else all are due.  But the first heal comes
 * late after a start of the server, so that workers which that cut off may come
 * back and finish (rule 10 of docs/design.md).
 */
static void
init_plan(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (gq_keeper_resume(plan))
		return;
	memset(plan, 0, sizeof(plan));
	for (int i = 0; i < GQ_DUTIES; i++)
		plan[i].wants_at = now;
	plan[GQ_DUTY_HEAL].ran_at = gq_launcher_first_start();
}

static void
plan_next(GqActivity which, TimestampTz at, bool unpaced)
{
	plan[which].wants_at = at;
	plan[which].unpaced = unpaced;
}

/*
 * A session has ended, and its leases with it: the healer need not wait for its
 * turn.  But right after a start it does, as for all other leases.
 */
static void
hasten_heal(TimestampTz now)
{
	if (plan[GQ_DUTY_HEAL].ran_at > gq_launcher_first_start())
		plan_next(GQ_DUTY_HEAL,
				  Max(now, TimestampTzPlusMilliseconds(plan[GQ_DUTY_HEAL].ran_at, AT_ONCE_MS)),
				  true);
}

/*
 * Has somebody changed a schedule, or another setting, since the last call?
 */
static bool
settings_changed(void)
{
	static uint32 seen = 0;
	uint32		changes = pg_atomic_read_u32(&gq_shared->settings_changes);
	bool		changed = changes != seen;

	seen = changes;
	return changed;
}

/*
 * Somebody asked for a look by `at`, not saying at what.  A clock that was set
 * back makes all duties due.  Schedules are due at their times, whatever else
 * happens, unless one was changed.
 */
static void
hasten_duties(TimestampTz at, TimestampTz now)
{
	if (at == GQ_DUE_AT_ONCE)
	{
		hasten_heal(now);
		at = now;
	}
	for (int i = 0; i < GQ_DUTIES; i++)
	{
		if (now < plan[i].ran_at)
		{
			plan[i].ran_at = 0;
			plan_next(i, now, true);
		}
		else if (!plan[i].unpaced && i != GQ_DUTY_SCHEDULE)
			plan[i].wants_at = Min(plan[i].wants_at, at);
	}
	if (settings_changed())
		plan_next(GQ_DUTY_SCHEDULE, now, true);
}

static void
duty_context(void *arg)
{
	errcontext("goque's duty \"%s\" in database \"%s\"",
			   gq_activity_names[(const Duty *) arg - duties], database_name);
}

static bool
all_well(void)
{
	for (int i = 0; i < GQ_DUTIES; i++)
	{
		if (failures[i] > 0)
			return false;
	}
	return true;
}

static void
do_duty(GqActivity which, TimestampTz now)
{
	const Duty *duty = &duties[which];
	ErrorContextCallback context = {error_context_stack, duty_context, (void *) duty};

	error_context_stack = &context;
	gq_worker_begin(duty->activity);
	if (hold_extension())
	{
		TimestampTz next = duty->run(now);

		plan_next(which, next, next <= now);	/* by now: there is more to do */
	}
	else
		plan_next(which, TimestampTzPlusMilliseconds(now, BUSY_EXTENSION_MS), true);
	gq_worker_commit();
	error_context_stack = context.previous;
}

/*
 * The error is being handled: report it if it is time to, and try again soon.
 */
static void
duty_failed(GqActivity which, TimestampTz now)
{
	int			in_a_row = ++failures[which];

	HOLD_INTERRUPTS();
	if (gq_keeper_failed(now))
		EmitErrorReport();
	gq_worker_abort();
	FlushErrorState();
	RESUME_INTERRUPTS();

	if (in_a_row >= MAX_FAILURES)
		proc_exit(1);
	plan_next(which,
			  TimestampTzPlusMilliseconds(now, Min(1000 << Min(in_a_row - 1, 10), MAX_RETRY_MS)),
			  true);
}

static void
try_duty(GqActivity which, TimestampTz now)
{
	gq_keeper_doing(which);
	plan[which].ran_at = now;
	PG_TRY();
	{
		do_duty(which, now);
		failures[which] = 0;
		gq_keeper_done(which, now, all_well());
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(TopMemoryContext);
		duty_failed(which, now);
	}
	PG_END_TRY();
	gq_keeper_doing(GQ_IDLE);
}

/*
 * Do what is due, in turn.  Returns when the next is.
 */
static TimestampTz
run_duties(void)
{
	for (int i = 0; i < GQ_DUTIES; i++)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (duty_due_at(i) <= now)
			try_duty(i, now);
	}
	return earliest_due_at();
}

/* ---- the process ---- */

/*
 * When the next keeper has to be here: early enough to be in time for a schedule.
 */
static TimestampTz
start_by(TimestampTz next)
{
	TimestampTz schedule = duty_due_at(GQ_DUTY_SCHEDULE);

	if (schedule == DT_NOEND)
		return next;
	return Min(next, schedule - START_EARLY_MS * INT64CONST(1000));
}

/*
 * It leaves when nothing has been due, and nothing will be, for a while; or at
 * once when others wait for a process.
 */
static void
leave_if_idle(TimestampTz next)
{
	static TimestampTz busy_at = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (busy_at == 0 || now < busy_at || next < TimestampTzPlusMilliseconds(now, LINGER_MS))
		busy_at = now;
	if ((now >= TimestampTzPlusMilliseconds(busy_at, LINGER_MS) || gq_keeper_in_a_hurry()) &&
		start_by(next) > now)
	{
		gq_keeper_leaves(start_by(next), plan);
		proc_exit(0);
	}
}

void
gq_keeper_main(Datum main_arg)
{
	uint32		wait_event = 0;
	uint32		generation;
	Oid			database;

	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	gq_worker_init(0);
	database = gq_keeper_enter(DatumGetInt32(main_arg), generation);
	if (!OidIsValid(database))
		proc_exit(0);
	gq_worker_connect(database);
	gq_wait_event(&wait_event, "GoqueKeeperMain");

	look_for_extension();
	init_plan();
	for (;;)
	{
		TimestampTz next;

		if (look_again || gq_keeper_announced() != seen_announced)
			look_for_extension();
		hasten_duties(gq_keeper_asked(), GetCurrentTimestamp());
		next = gq_keeper_sleeps(run_duties());
		if (next > GetCurrentTimestamp())
			leave_if_idle(next);
		gq_worker_sleep(next, wait_event);
	}
}
