/*-------------------------------------------------------------------------
 *
 * why.c
 *	  goque_why: why a task is not running.
 *
 * core/why.c finds the reason.  It is told in words for people, so that it may get
 * better; programs look at goque.tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/batch.h"
#include "core/why.h"

PG_FUNCTION_INFO_V1(goque_why);

/*
 * goque_why(id) returns table (reason, detail, hint)
 *
 * One row.  Changes nothing.
 */
Datum
goque_why(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	Datum		values[3];
	bool		nulls[3] = {0};
	GqWhy		why;

	PreventCommandIfParallelMode("goque_why()");
	InitMaterializedSRF(fcinfo, 0);
	why = gq_why(id, GetCurrentTimestamp());
	values[0] = CStringGetTextDatum(why.reason);
	values[1] = CStringGetTextDatum(why.detail);
	values[2] = CStringGetTextDatum(why.hint);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}
