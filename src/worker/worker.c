/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  What every background process of goque does alike.
 *
 * Signals: SIGTERM is the server's own handler, which takes effect at the next
 * CHECK_FOR_INTERRUPTS; a worker that sleeps then exits without a line in the
 * log.  SIGHUP reloads the settings, SIGINT cancels what a worker does now.
 * Every sleep ends when the postmaster dies.
 *
 * Between two transactions a worker holds no snapshot, no transaction id and
 * no lock.  It sleeps a minute at most, so that a clock that was set back
 * leaves nothing asleep.
 *
 * A worker acts as the owner of the cluster.  Nothing that a user chose may
 * reach it: its settings are pinned before its first query, over those of ALTER
 * DATABASE and ALTER ROLE, and its transactions are restricted operations.
 * Among them are those by which it waits for nobody (rule 9 of docs/design.md).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "worker/worker.h"

#define LONGEST_SLEEP_MS (60 * 1000)

/* what a worker's statements must be able to rely on; unknown ones are passed over */
static const struct
{
	const char *name;
	const char *value;
}			pinned[] = {
	{"search_path", "pg_catalog"},
	{"role", "none"},
	{"row_security", "off"},
	{"session_replication_role", "origin"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"transaction_timeout", "0"},	/* 17 */
	{"statement_timeout", "0"},
	{"lock_timeout", "1s"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"synchronous_commit", "local"},	/* no lock of ours waits for a standby */
	{"TimeZone", "UTC"},
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"jit", "off"},
	{"zero_damaged_pages", "off"},
	{"default_tablespace", ""},
	{"temp_tablespaces", ""},
};

static int	stop_code;
static Oid	saved_user;
static int	saved_context;

void
gq_worker_describe(BackgroundWorker *worker, const char *type, const char *function)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "goque", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_type, type, sizeof(worker->bgw_type));
	strlcpy(worker->bgw_name, type, sizeof(worker->bgw_name));
}

void
gq_worker_init(int code)
{
	stop_code = code;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
}

static void
stop_if_told(void)
{
	if (ProcDiePending)
		proc_exit(stop_code);
}

static void
pin_settings(void)
{
	for (size_t i = 0; i < lengthof(pinned); i++)
	{
		if (GetConfigOption(pinned[i].name, true, false) != NULL)
			SetConfigOption(pinned[i].name, pinned[i].value, PGC_SUSET, PGC_S_OVERRIDE);
	}
}

void
gq_worker_connect(Oid database)
{
	stop_if_told();
	if (OidIsValid(database))
		BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	else
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pin_settings();
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
gq_worker_sleep(TimestampTz until, uint32 wait_event)
{
	long		ms = LONGEST_SLEEP_MS;

	if (until != DT_NOEND)
		ms = Min(ms, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until));

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, wait_event);
	ResetLatch(MyLatch);

	stop_if_told();
	QueryCancelPending = false; /* there is nothing to cancel */
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

void
gq_worker_begin(const char *activity)
{
	pgstat_report_activity(STATE_RUNNING, activity);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	gq_worker_own();
}

/*
 * A runner has the settings of its role: they do not hold for our own work.
 */
void
gq_worker_own(void)
{
	XactIsoLevel = XACT_READ_COMMITTED;
	XactReadOnly = false;
	XactDeferrable = false;
	gq_disable_transaction_timeout();
	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   saved_context | SECURITY_RESTRICTED_OPERATION);
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
gq_worker_commit(void)
{
	PopActiveSnapshot();
	SetUserIdAndSecContext(saved_user, saved_context);
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * After an error that was caught; the user is restored by the abort.
 */
void
gq_worker_abort(void)
{
	disable_all_timeouts(false);
	QueryCancelPending = false;
	AbortCurrentTransaction();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}
