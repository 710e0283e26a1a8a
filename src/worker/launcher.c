/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The one process of goque that is always there: it knows which databases
 *	  have the extension, and starts a keeper where something is due.
 *
 * It cannot see into a database, as it is connected to none.  So it sends a
 * keeper to each database that it does not know, one after the other; that one
 * notes in shared memory what it found.  A database is asked again when it is
 * announced (CREATE, ALTER or DROP EXTENSION committed there), and databases
 * are listed again when one was created, altered or dropped, and every ten
 * minutes in case nobody said so.
 *
 * In between it sleeps until something is due: no polling.  Keepers may have
 * half of max_worker_processes; when more databases need one, those which have
 * nothing to do at the moment make room.
 *
 * It holds no snapshot but while it reads pg_database.  When it dies, the
 * postmaster starts another in a second, which goes on with the slots in shared
 * memory; keepers need it only to be started.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "shared/keepers.h"
#include "shared/leases.h"
#include "shared/runners.h"
#include "shared/types.h"
#include "worker/worker.h"

#define RESTART_SECONDS 1
#define START_LIMIT_MS (30 * 1000)	/* then a start is given up */
#define NO_SLOT_PAUSE_MS 1000
#define WARN_EVERY_MS (60 * 1000)

/* the keepers that this launcher started and that still are, or will be, processes */
static struct
{
	BackgroundWorkerHandle *handle;
	GqKeeperStart start;
	TimestampTz at;
}			starts[GQ_MAX_DATABASES];

static int	nstarts = 0;

void
gq_launcher_register(void)
{
	BackgroundWorker worker;

	gq_worker_describe(&worker, "goque launcher", "gq_launcher_main");
	worker.bgw_restart_time = RESTART_SECONDS;
	RegisterBackgroundWorker(&worker);
}

/* ---- databases ---- */

static void
read_entry(HeapTuple tuple, GqDatabaseEntry *entry)
{
	Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

	entry->database = form->oid;
	entry->is_template = form->datistemplate;

	/*
	 * a limit of 0 says that nobody should come, -2 that a DROP was broken
	 * off
	 */
	entry->connectable = form->datallowconn && form->oid != Template0DbOid &&
		(form->datconnlimit == -1 || form->datconnlimit > 0);
}

/*
 * Palloc'd in the current transaction.
 */
static GqDatabaseEntry *
read_databases(int *n)
{
	Relation	rel = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(rel, 0, NULL);
	int			size = 64;
	GqDatabaseEntry *entries = palloc(size * sizeof(GqDatabaseEntry));
	HeapTuple	tuple;

	*n = 0;
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		if (*n == size)
		{
			size *= 2;
			entries = repalloc(entries, size * sizeof(GqDatabaseEntry));
		}
		read_entry(tuple, &entries[(*n)++]);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	return entries;
}

static void
list_databases(TimestampTz now)
{
	static Oid	gone[GQ_MAX_DATABASES];
	GqDatabaseEntry *entries;
	int			n;
	int			ngone;

	gq_worker_begin("goque: list databases");
	entries = read_databases(&n);
	ngone = gq_databases_list(entries, n, now, gone);
	gq_worker_commit();

	for (int i = 0; i < ngone; i++)
	{
		gq_types_forget(gone[i], InvalidOid);
		gq_leases_forget(gone[i]);
		gq_processors_begin(gone[i]);
		gq_processors_end(gone[i]);
	}
}

/* ---- keepers ---- */

static bool
register_keeper(const GqKeeperStart *start, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	gq_worker_describe(&worker, "goque keeper", "gq_keeper_main");
	snprintf(worker.bgw_name, sizeof(worker.bgw_name),
			 "goque keeper for database %u", start->database);
	worker.bgw_flags |= BGWORKER_INTERRUPTIBLE;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(start->slot);
	memcpy(worker.bgw_extra, &start->generation, sizeof(start->generation));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static void
warn_no_slot(Oid database, TimestampTz now)
{
	static TimestampTz warned_at = 0;

	if (now >= warned_at && now < TimestampTzPlusMilliseconds(warned_at, WARN_EVERY_MS))
		return;
	warned_at = now;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no background worker is free for goque"),
			 errdetail("Tasks of the database with OID %u are not healed or cleaned meanwhile.",
					   database),
			 errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
}

/*
 * See what became of the starts.  A keeper gives its slot up a little before
 * the postmaster has its process's place free again; until then it counts.
 */
static void
check_starts(TimestampTz now)
{
	for (int i = nstarts - 1; i >= 0; i--)
	{
		pid_t		pid;
		BgwHandleStatus status = GetBackgroundWorkerPid(starts[i].handle, &pid);

		if (status == BGWH_STARTED)
			continue;
		if (status == BGWH_NOT_YET_STARTED)
		{
			if (now >= starts[i].at &&
				now < TimestampTzPlusMilliseconds(starts[i].at, START_LIMIT_MS))
				continue;
			TerminateBackgroundWorker(starts[i].handle);
		}
		(void) gq_keeper_not_started(&starts[i].start, GQ_START_FAILED, now);
		pfree(starts[i].handle);
		starts[i] = starts[--nstarts];
		gq_place_is_free(now);
	}
}

/*
 * Start what is needed.  Returns when to look again.
 */
static TimestampTz
start_keepers(TimestampTz now)
{
	int			most = Min(Max(1, max_worker_processes / 2), GQ_MAX_DATABASES);
	GqKeeperStart start;
	TimestampTz wake_at;

	while (gq_keeper_next(now, nstarts, most, &start, &wake_at))
	{
		if (!register_keeper(&start, &starts[nstarts].handle))
		{
			if (gq_keeper_not_started(&start, GQ_START_NO_SLOT, now))
				warn_no_slot(start.database, now);
			return TimestampTzPlusMilliseconds(now, NO_SLOT_PAUSE_MS);
		}
		starts[nstarts].start = start;
		starts[nstarts].at = now;
		nstarts++;
	}
	return wake_at;
}

void
gq_launcher_main(Datum main_arg)
{
	uint32		wait_event = 0;

	gq_worker_init(1);			/* else the postmaster would not start another */
	gq_worker_connect(InvalidOid);
	gq_launcher_enter();
	gq_wait_event(&wait_event, "GoqueLauncherMain");

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz wake_at;
		TimestampTz runners_at;

		check_starts(now);
		if (gq_launcher_pass(now))
			list_databases(now);
		wake_at = start_keepers(now);
		runners_at = gq_start_runners(now);
		gq_worker_sleep(Min(wake_at, runners_at), wait_event);
	}
}
