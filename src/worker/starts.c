/*-------------------------------------------------------------------------
 *
 * starts.c
 *	  The launcher's part in processors: starting runners where there is work.
 *
 * What needs one is told by shared/runners.c.  A process that was registered is
 * followed by its handle until it has ended, so that a slot is given back also
 * where the process never came to take it.
 *
 * Where background workers are short, keepers come first: none is started for a
 * processor while a keeper lacks one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "guc.h"
#include "shared/runners.h"
#include "worker/worker.h"

#define START_LIMIT_MS (30 * 1000)	/* then a start is given up */
#define WARN_EVERY_MS (60 * 1000)
#define NO_SLOT_PAUSE_MS 1000

static struct
{
	BackgroundWorkerHandle *handle;
	GqRunnerStart start;
	TimestampTz at;
}			starts[GQ_MAX_RUNNERS];

static int	nstarts = 0;

static bool
register_runner(const GqRunnerStart *start, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	gq_worker_describe(&worker, "goque processor", "gq_runner_main");
	worker.bgw_flags |= BGWORKER_INTERRUPTIBLE;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(start->slot);
	memcpy(worker.bgw_extra, &start->generation, sizeof(start->generation));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static void
warn_no_slot(const GqRunnerStart *start, TimestampTz now)
{
	static TimestampTz warned_at = 0;

	if (now >= warned_at && now < TimestampTzPlusMilliseconds(warned_at, WARN_EVERY_MS))
		return;
	warned_at = now;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no background worker is free for a processor of goque"),
			 errdetail("Tasks of the database with OID %u wait.", start->database),
			 errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
}

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
		(void) gq_runner_not_started(&starts[i].start, GQ_START_FAILED, now);
		pfree(starts[i].handle);
		starts[i] = starts[--nstarts];
		gq_place_is_free(now);
	}
}

void
gq_place_is_free(TimestampTz now)
{
	gq_keepers_place_free(now);
	gq_runners_place_free(now);
}

TimestampTz
gq_start_runners(TimestampTz now)
{
	GqRunnerStart start;
	TimestampTz wake_at;

	check_starts(now);
	if (gq_keepers_lack_place())
		return gq_runners_make_room(now);
	while (gq_runner_next(now, gq_max_processor_workers, &start, &wake_at))
	{
		if (nstarts == GQ_MAX_RUNNERS ||
			!register_runner(&start, &starts[nstarts].handle))
		{
			if (gq_runner_not_started(&start, GQ_START_NO_SLOT, now))
				warn_no_slot(&start, now);
			return TimestampTzPlusMilliseconds(now, NO_SLOT_PAUSE_MS);
		}
		starts[nstarts].start = start;
		starts[nstarts].at = now;
		nstarts++;
	}
	return wake_at;
}
