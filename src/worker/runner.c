/*-------------------------------------------------------------------------
 *
 * runner.c
 *	  The process that runs the handler of one type, as the role that
 *	  registered it.
 *
 * It claims a batch of tasks in a transaction of its own, flushed before the first
 * handler is called; runs them (worker/run.c); and sleeps in the type's line of
 * waiters when there are none.  It leaves after idle_timeout, when another type
 * needs the process, or when its processor may not run any more.
 *
 * The session user is the role of the processor, and so is the user that the
 * process authenticated as: nothing leads from there to other rights.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "core/detail.h"
#include "core/sleep.h"
#include "shared/databases.h"
#include "shared/runners.h"
#include "shared/wakeup.h"
#include "worker/run.h"
#include "worker/worker.h"

static GqRunnerJob job;

static void
connect_as_role(void)
{
	BackgroundWorkerInitializeConnectionByOid(job.database, job.role, 0);
	SetConfigOption("application_name", psprintf("goque %s", gq_detail(job.type)),
					PGC_USERSET, PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * The keeper learns what this process found out: that the processor may not
 * run.
 */
static void
report_over(void)
{
	gq_runner_about_to_leave();
	gq_database_due(MyDatabaseId, GetCurrentTimestamp());
}

static void
reload_settings(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/* Sleep until there may be work; false: it is time to leave. */
static bool
sleep_for_work(TimestampTz leave_at, TimestampTz next_due)
{
	if (GetCurrentTimestamp() >= leave_at || gq_runner_must_leave())
		return false;
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	gq_sleep(leave_at, next_due);
	reload_settings();
	gq_wait_rearm();
	return true;
}

/*
 * Until nothing came for a while.  Returns false if the processor may not run.
 */
static bool
work(void)
{
	TimestampTz idle_since = 0;
	bool		waiting = false;
	int64		idle_timeout = 0;
	TimestampTz next_due;

	while (!gq_run_stopping)
	{
		GqRunOutcome outcome = gq_run_batch(idle_since != 0 && !waiting, &next_due, &idle_timeout);

		if (outcome == GQ_RUN_OVER)
			return false;
		if (outcome == GQ_RUN_DONE)
		{
			if (waiting)
				gq_wait_end();
			waiting = false;
			idle_since = 0;
			reload_settings();
			if (gq_runner_must_leave())
				return true;
		}
		else if (idle_since == 0)
			idle_since = GetCurrentTimestamp();
		else
		{
			waiting = true;
			if (!sleep_for_work(idle_since + idle_timeout, next_due))
				return true;
		}
	}
	return true;
}

void
gq_runner_main(Datum main_arg)
{
	uint32		generation;
	TimestampTz next_due;
	int64		idle_timeout;

	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	gq_run_signals();
	BackgroundWorkerUnblockSignals();
	if (!gq_runner_enter(DatumGetInt32(main_arg), generation, &job))
		proc_exit(0);
	connect_as_role();
	gq_run_init(job.type);

	for (;;)
	{
		if (!work())
		{
			report_over();
			break;
		}
		gq_wait_end();
		if (gq_run_stopping || gq_runner_must_leave())
		{
			gq_runner_has_more();	/* perhaps */
			break;
		}
		gq_runner_about_to_leave();
		if (gq_run_batch(false, &next_due, &idle_timeout) != GQ_RUN_DONE)
			break;
	}
	proc_exit(0);
}
