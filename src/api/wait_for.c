/*-------------------------------------------------------------------------
 *
 * wait_for.c
 *	  goque_wait_for: the end of one task.
 *
 * It changes nothing, and so works on a standby and in a read-only transaction too.
 * The timeout is bounded, since the snapshot of the statement is held meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/batch.h"
#include "core/await.h"
#include "core/sleep.h"
#include "core/status.h"

PG_FUNCTION_INFO_V1(goque_wait_for);

#define DEFAULT_TIMEOUT (30 * USECS_PER_SEC)

static int64
read_timeout(FunctionCallInfo fcinfo, int arg)
{
	int64		timeout;

	if (PG_ARGISNULL(arg))
		return DEFAULT_TIMEOUT;
	timeout = gq_check_interval("timeout", PG_GETARG_INTERVAL_P(arg), true);
	if (timeout > GQ_MAX_WAIT_USECS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout is too long"),
				 errdetail("The value of \"timeout\" is %s.", gq_interval_text(PG_GETARG_INTERVAL_P(arg))),
				 errhint("Wait at most 1 minute, since the call holds a snapshot, and call again.")));
	return timeout;
}

/*
 * goque_wait_for(id, timeout) returns table (status, result, error)
 *
 * The row of a task that has ended; no row: the time is up.  Changes nothing.
 */
Datum
goque_wait_for(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	int64		timeout = read_timeout(fcinfo, 1);
	GqEnd		end;

	PreventCommandIfParallelMode("goque_wait_for()");
	InitMaterializedSRF(fcinfo, 0);
	if (gq_await(id, gq_sleep_deadline(timeout), &end))
	{
		Datum		values[3] = {0};
		bool		nulls[3] = {end.status == 0, !end.has_result, end.error == NULL};

		if (end.status != 0)
			values[0] = CStringGetTextDatum(gq_status_name(end.status));
		if (end.has_result)
			values[1] = end.result;
		if (end.error != NULL)
			values[2] = CStringGetTextDatum(end.error);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
