/*-------------------------------------------------------------------------
 *
 * steer.c
 *	  What people and programs decide about tasks that they do not hold: cancel,
 *	  retry, reschedule, purge.
 *
 * They need no lease and no token.  Whoever holds the task hears of it at its next
 * call: nothing reaches into a worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/batch.h"
#include "core/bulk.h"
#include "core/finish.h"
#include "core/status.h"

PG_FUNCTION_INFO_V1(goque_cancel);
PG_FUNCTION_INFO_V1(goque_cancel_many);
PG_FUNCTION_INFO_V1(goque_cancel_all);
PG_FUNCTION_INFO_V1(goque_retry);
PG_FUNCTION_INFO_V1(goque_retry_many);
PG_FUNCTION_INFO_V1(goque_retry_all);
PG_FUNCTION_INFO_V1(goque_reschedule_many);
PG_FUNCTION_INFO_V1(goque_purge);

/* ---- all of a type ---- */

static GqStatus
read_status(FunctionCallInfo fcinfo, int n, GqStatus absent, bool terminal)
{
	GqStatus	status;

	if (PG_ARGISNULL(n))
		return absent;
	status = GQ_NEW + gq_check_word("status", PG_GETARG_TEXT_PP(n), gq_status_words);
	if (GqStatusIsTerminal(status) != terminal)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 terminal ? errmsg("tasks that are not finished cannot be retried all at once")
				 : errmsg("finished tasks cannot be canceled"),
				 errdetail("The status is \"%s\".", gq_status_name(status)),
				 terminal ? errhint("Use \"done\", \"attempts_left\" or \"canceled\".")
				 : errhint("Use \"new\", \"pending\", \"processing\" or \"error\".")));
	return status;
}

static int64
read_max_tasks(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? -1
		: gq_check_range("max_tasks", PG_GETARG_INT32(n), 1, PG_INT32_MAX);
}

/* ---- cancel ---- */

/*
 * goque_cancel(id) returns boolean
 *
 * True: the task was not finished, and will not be fetched any more.
 */
Datum
goque_cancel(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");

	gq_require_writable("goque_cancel()");
	PG_RETURN_BOOL(gq_cancel(NULL, id));
}

static bool
cancel_one(const GqBatch *batch, int i, void *arg)
{
	return gq_cancel(batch->search, batch->ids[i]);
}

/*
 * goque_cancel_many(ids) returns setof bigint
 */
Datum
goque_cancel_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;

	gq_batch_read(fcinfo, &batch, 0, -1);
	batch.locks_some = true;
	batch.under = GQ_UNDER_CANCEL;
	gq_require_writable("goque_cancel_many()");
	return gq_batch_run(fcinfo, &batch, cancel_one, NULL);
}

/*
 * goque_cancel_all(type, status, max_tasks) returns bigint
 *
 * Cancels the tasks of a type that are in a status, the oldest first.
 */
Datum
goque_cancel_all(PG_FUNCTION_ARGS)
{
	char	   *type = gq_arg_type(fcinfo, 0);
	GqStatus	status = read_status(fcinfo, 1, GQ_NEW, false);
	int64		max_tasks = read_max_tasks(fcinfo, 2);

	gq_require_writable("goque_cancel_all()");
	PG_RETURN_INT64(gq_cancel_all(type, status, max_tasks));
}

/* ---- retry ---- */

static TimestampTz
read_run_at(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? 0 : gq_check_timestamp("run_at", PG_GETARG_TIMESTAMPTZ(n));
}

/*
 * goque_retry(id, run_at) returns boolean
 *
 * True: the task is ready again, now or at run_at, its attempts at 0.
 */
Datum
goque_retry(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");
	TimestampTz run_at = read_run_at(fcinfo, 1);

	gq_require_writable("goque_retry()");
	gq_retry_prepare(&id, 1);
	gq_retry_lock(id);
	PG_RETURN_BOOL(gq_retry(NULL, id, run_at));
}

static bool
retry_one(const GqBatch *batch, int i, void *arg)
{
	return gq_retry(batch->search, batch->ids[i], *(TimestampTz *) arg);
}

/*
 * goque_retry_many(ids, run_at) returns setof bigint
 */
Datum
goque_retry_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;
	TimestampTz run_at;

	gq_batch_read(fcinfo, &batch, 0, -1);
	run_at = read_run_at(fcinfo, 1);
	gq_require_writable("goque_retry_many()");
	gq_retry_prepare(batch.ids, batch.n);
	batch.locks_some = true;
	batch.under = GQ_UNDER_ENDED;
	return gq_batch_run(fcinfo, &batch, retry_one, &run_at);
}

/*
 * goque_retry_all(type, status, max_tasks, error_like) returns bigint
 *
 * Retries the finished tasks of a type that are in a status, the oldest first.
 */
Datum
goque_retry_all(PG_FUNCTION_ARGS)
{
	char	   *type = gq_arg_type(fcinfo, 0);
	GqStatus	status = read_status(fcinfo, 1, GQ_ATTEMPTS_LEFT, true);
	int64		max_tasks = read_max_tasks(fcinfo, 2);
	char	   *error_like = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));

	gq_require_writable("goque_retry_all()");
	PG_RETURN_INT64(gq_retry_all(type, status, error_like, max_tasks));
}

/* ---- reschedule, purge ---- */

typedef struct Schedule
{
	TimestampTz run_at;
	bool		has_priority;
	int16		priority;
} Schedule;

static bool
reschedule_one(const GqBatch *batch, int i, void *arg)
{
	const Schedule *schedule = arg;

	return gq_reschedule(batch->search, batch->ids[i], schedule->run_at, schedule->has_priority, schedule->priority);
}

/*
 * goque_reschedule_many(ids, run_at, priority) returns setof bigint
 *
 * Moves tasks that wait in time, rank, or both; the ids of those that did.
 */
Datum
goque_reschedule_many(PG_FUNCTION_ARGS)
{
	GqBatch		batch;
	Schedule	schedule = {0};

	gq_batch_read(fcinfo, &batch, 0, -1);
	batch.locks_some = true;
	batch.under = GQ_UNDER_PENDING;
	schedule.run_at = read_run_at(fcinfo, 1);
	schedule.has_priority = !PG_ARGISNULL(2);
	if (schedule.has_priority)
		schedule.priority = gq_check_range("priority", PG_GETARG_INT32(2), PG_INT16_MIN, PG_INT16_MAX);
	gq_require_writable("goque_reschedule_many()");
	return gq_batch_run(fcinfo, &batch, reschedule_one, &schedule);
}

/*
 * goque_purge(id) returns boolean
 *
 * Erases a finished task now; true: it was there.
 */
Datum
goque_purge(PG_FUNCTION_ARGS)
{
	int64		id = gq_arg_int64(fcinfo, 0, "id");

	gq_require_writable("goque_purge()");
	PG_RETURN_BOOL(gq_purge(NULL, id));
}
