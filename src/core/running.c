/*-------------------------------------------------------------------------
 *
 * running.c
 *	  The task that this process runs a handler for, if it is a runner.
 *
 * The deadline is read by a signal handler (worker/runner.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "core/running.h"

GqRunning	gq_running;

/*
 * A short lease that the handler itself asked for keeps half of it.
 */
void
gq_running_extended(int64 id, int64 token, TimestampTz until)
{
	int64		span;

	if (gq_running.token == 0 || id != gq_running.id || (token != 0 && token != gq_running.token))
		return;
	span = until - GetCurrentTimestamp();
	gq_running.deadline = until - Min(GQ_RUNNER_GRACE, span / 2);
}
