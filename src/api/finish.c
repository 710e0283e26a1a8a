/*-------------------------------------------------------------------------
 *
 * finish.c
 *	  What the holder of a lease calls: complete, fail, release, heartbeat,
 *	  their _many, and guard.
 *
 * The token stands right behind the id.  Who does not hold the task any more is
 * told so by the result and not by an error, since a worker that lost a reply
 * repeats the call, and that must do no harm.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/batch.h"
#include "api/owner.h"
#include "core/finish.h"
#include "core/guard.h"
#include "core/status.h"

PG_FUNCTION_INFO_V1(goque_complete);
PG_FUNCTION_INFO_V1(goque_complete_many);
PG_FUNCTION_INFO_V1(goque_fail);
PG_FUNCTION_INFO_V1(goque_fail_many);
PG_FUNCTION_INFO_V1(goque_release);
PG_FUNCTION_INFO_V1(goque_release_many);
PG_FUNCTION_INFO_V1(goque_heartbeat);
PG_FUNCTION_INFO_V1(goque_heartbeat_many);
PG_FUNCTION_INFO_V1(goque_guard);

/* An interval that may be left out. */
static int64
read_span(FunctionCallInfo fcinfo, int n, const char *arg, bool zero_allowed, int64 absent)
{
	return PG_ARGISNULL(n) ? absent
		: gq_check_interval(arg, PG_GETARG_INTERVAL_P(n), zero_allowed);
}

/* ---- complete ---- */

static Datum
complete(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	int64		token = gq_arg_int64(fcinfo, 1, "token");
	bool		has_result = !PG_ARGISNULL(2);

	gq_require_writable("goque_complete()");
	PG_RETURN_BOOL(gq_complete(NULL, id, token, has_result, has_result ? PG_GETARG_DATUM(2) : (Datum) 0));
}

/*
 * goque_complete(id, token, result) returns boolean
 *
 * The task is done; true: this call finished it.
 */
Datum
goque_complete(PG_FUNCTION_ARGS)
{
	return gq_as_owner(fcinfo, complete);
}

typedef struct Values
{
	Datum	   *values;			/* NULL: none were given */
	bool	   *nulls;
} Values;

/* An array with an element for each id, or NULL. */
static Values
read_values(FunctionCallInfo fcinfo, int n, const char *arg, bool nulls_allowed,
			const GqBatch *batch)
{
	Values		values = {0};

	if (!PG_ARGISNULL(n))
		gq_check_lengths("ids", batch->n, arg,
						 gq_check_array(arg, PG_GETARG_ARRAYTYPE_P(n), nulls_allowed,
										&values.values, &values.nulls));
	return values;
}

static bool
complete_one(const GqBatch *batch, int i, void *arg)
{
	const Values *results = arg;
	bool		has_result = results->values != NULL && !results->nulls[i];

	return gq_complete(batch->search, batch->ids[i], batch->tokens[i], has_result,
					   has_result ? results->values[i] : (Datum) 0);
}

/*
 * goque_complete_many(ids, tokens, results) returns setof bigint
 *
 * The ids of the tasks that this call finished.
 */
Datum
goque_complete_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;
	Values		results;

	gq_batch_read(fcinfo, &batch, 0, 1);
	results = read_values(fcinfo, 2, "results", true, &batch);
	gq_require_writable("goque_complete_many()");
	return gq_batch_run(fcinfo, &batch, complete_one, &results);
}

/* ---- fail ---- */

typedef struct Failure
{
	Values		errors;
	int64		retry_in;
	bool		retry;
} Failure;

static void
read_failure(FunctionCallInfo fcinfo, Failure *failure, int retry_in_arg)
{
	failure->retry_in = read_span(fcinfo, retry_in_arg, "retry_in", true, -1);
	failure->retry = PG_ARGISNULL(retry_in_arg + 1) || PG_GETARG_BOOL(retry_in_arg + 1);
}

/*
 * goque_fail(id, error, token, retry_in, retry) returns text
 *
 * The attempt failed; the new status, or NULL when the lease does not hold.
 */
Datum
goque_fail(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	int64		token = gq_arg_int64(fcinfo, 2, "token");
	Failure		failure;
	int			status;

	if (PG_ARGISNULL(1))
		gq_err_null("error");
	read_failure(fcinfo, &failure, 3);
	gq_require_writable("goque_fail()");
	status = gq_fail(NULL, id, token, text_to_cstring(PG_GETARG_TEXT_PP(1)), failure.retry_in, failure.retry);
	if (status == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(gq_status_name(status)));
}

static bool
fail_one(const GqBatch *batch, int i, void *arg)
{
	const Failure *failure = arg;

	return gq_fail(batch->search, batch->ids[i], batch->tokens[i], TextDatumGetCString(failure->errors.values[i]),
				   failure->retry_in, failure->retry) != 0;
}

/*
 * goque_fail_many(ids, errors, tokens, retry_in, retry) returns setof bigint
 *
 * The ids of the tasks whose attempt this call ended.
 */
Datum
goque_fail_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;
	Failure		failure;

	gq_batch_read(fcinfo, &batch, 0, 2);
	if (PG_ARGISNULL(1))
		gq_err_null("errors");
	failure.errors = read_values(fcinfo, 1, "errors", false, &batch);
	read_failure(fcinfo, &failure, 3);
	gq_require_writable("goque_fail_many()");
	return gq_batch_run(fcinfo, &batch, fail_one, &failure);
}

/* ---- release ---- */

/*
 * goque_release(id, token, delay) returns boolean
 *
 * Gives the task back, the attempt not counted; true: this lease held it.
 */
Datum
goque_release(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	int64		token = gq_arg_int64(fcinfo, 1, "token");
	int64		delay = read_span(fcinfo, 2, "delay", true, 0);

	gq_require_writable("goque_release()");
	PG_RETURN_BOOL(gq_release(NULL, id, token, delay));
}

static bool
release_one(const GqBatch *batch, int i, void *arg)
{
	return gq_release(batch->search, batch->ids[i], batch->tokens[i], *(int64 *) arg);
}

/*
 * goque_release_many(ids, tokens, delay) returns setof bigint
 *
 * The ids of the tasks that this call gave back.
 */
Datum
goque_release_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;
	int64		delay;

	gq_batch_read(fcinfo, &batch, 0, 1);
	delay = read_span(fcinfo, 2, "delay", true, 0);
	gq_require_writable("goque_release_many()");
	return gq_batch_run(fcinfo, &batch, release_one, &delay);
}

/* ---- heartbeat ---- */

/*
 * goque_heartbeat(id, token, lease, progress) returns timestamptz
 *
 * Extends the lease from now on; its new end, or NULL: the task is lost.
 */
Datum
goque_heartbeat(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	int64		token = gq_arg_int64(fcinfo, 1, "token");
	int64		lease = read_span(fcinfo, 2, "lease", false, 0);
	bool		has_progress = !PG_ARGISNULL(3);
	TimestampTz until;

	gq_require_writable("goque_heartbeat()");
	until = gq_heartbeat(NULL, id, token, lease, has_progress, has_progress ? PG_GETARG_DATUM(3) : (Datum) 0);
	if (until == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(until);
}

static bool
heartbeat_one(const GqBatch *batch, int i, void *arg)
{
	return gq_heartbeat(batch->search, batch->ids[i], batch->tokens[i], *(int64 *) arg, false, (Datum) 0) != 0;
}

/*
 * goque_heartbeat_many(ids, tokens, lease) returns setof bigint
 *
 * The ids of the tasks that are still held.
 */
Datum
goque_heartbeat_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;
	int64		lease;

	gq_batch_read(fcinfo, &batch, 0, 1);
	lease = read_span(fcinfo, 2, "lease", false, 0);
	gq_require_writable("goque_heartbeat_many()");
	return gq_batch_run(fcinfo, &batch, heartbeat_one, &lease);
}

/* ---- guard ---- */

/*
 * goque_guard(id, token) returns void
 *
 * The lease holds the task until the transaction ends, or 55000.
 */
Datum
goque_guard(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	int64		token = gq_arg_int64(fcinfo, 1, "token");

	gq_require_writable("goque_guard()");
	gq_guard(id, token);
	PG_RETURN_VOID();
}
