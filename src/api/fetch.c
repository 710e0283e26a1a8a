/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  goque_fetch, goque_fetch_any, goque_wait.
 *
 * goque_wait is a procedure, so that it can end its transaction after each look and
 * hold no snapshot while it sleeps.  goque_fetch is called for each task: it
 * switches to the owner's rights in C (owner.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/qunique.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/owner.h"
#include "core/change.h"
#include "core/claim.h"
#include "core/interval.h"
#include "core/output.h"
#include "core/sleep.h"

PG_FUNCTION_INFO_V1(goque_fetch);
PG_FUNCTION_INFO_V1(goque_fetch_any);
PG_FUNCTION_INFO_V1(goque_wait);

/* ---- arguments ---- */

/* Of a text[]: NULL is every type, and so 0 of them. */
static char **
read_types(FunctionCallInfo fcinfo, int arg, int *n)
{
	Datum	   *elements;
	char	  **types;

	*n = 0;
	if (PG_ARGISNULL(arg))
		return NULL;
	*n = gq_check_array("types", PG_GETARG_ARRAYTYPE_P(arg), false, &elements, NULL);
	if (*n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("types must not be empty"),
				 errdetail("The array has no element."),
				 errhint("Name at least one type, or pass NULL for every type.")));
	types = palloc(sizeof(char *) * *n);
	for (int i = 0; i < *n; i++)
		types[i] = gq_check_type(DatumGetTextPP(elements[i]));
	/* one named twice would be searched, and limited, twice */
	qsort(types, *n, sizeof(char *), pg_qsort_strcmp);
	*n = qunique(types, *n, sizeof(char *), pg_qsort_strcmp);
	return types;
}

static text *
default_worker(void)
{
	char	   *name = application_name != NULL && application_name[0] != '\0'
		? psprintf("%s %d", application_name, MyProcPid)
		: psprintf("%d", MyProcPid);

	return cstring_to_text(name);
}

static void
read_worker(FunctionCallInfo fcinfo, int arg, GqClaim *claim)
{
	text	   *worker = PG_ARGISNULL(arg) ? default_worker() : PG_GETARG_TEXT_PP(arg);

	if (VARSIZE_ANY_EXHDR(worker) > GQ_MAX_WORKER_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("worker is too long"),
				 errdetail("\"%s\" has %d bytes.", gq_detail(text_to_cstring(worker)),
						   (int) VARSIZE_ANY_EXHDR(worker)),
				 errhint("Use a name of at most %d bytes.", GQ_MAX_WORKER_BYTES)));
	claim->worker = PointerGetDatum(worker);
}

static int64
read_wait(FunctionCallInfo fcinfo, int arg)
{
	int64		wait;

	if (PG_ARGISNULL(arg))
		return 0;
	wait = gq_check_interval("wait", PG_GETARG_INTERVAL_P(arg), true);
	if (wait > GQ_MAX_WAIT_USECS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("wait is too long"),
				 errdetail("The value of \"wait\" is %s.", gq_interval_text(PG_GETARG_INTERVAL_P(arg))),
				 errhint("A fetch waits at most 1 minute, since it holds a snapshot; wait longer with CALL goque_wait().")));
	return wait;
}

/* ---- fetch ---- */

static void
put_task(TupleTableSlot *row, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[GQ_OUTPUT_NATTS];
	bool		nulls[GQ_OUTPUT_NATTS];

	gq_output_task(row, values, nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Work that this transaction will never see woke it, or would have. */
static void
refuse_unseen(const GqClaim *claim)
{
	if (claim->unseen && claim->taken == 0)
		gq_err_serialization();
}

/* One look; returns whether the call is at its end. */
static bool
look_for_tasks(GqClaim *claim, bool woken, int64 deadline)
{
	gq_claim(claim, woken);
	refuse_unseen(claim);
	return claim->taken > 0 || gq_sleep_is_over(deadline);
}

static void
fetch_waiting(GqClaim *claim, int64 wait)
{
	int64		deadline = gq_sleep_deadline(wait);
	bool		woken = false;

	/* where there is work, nobody need sign up to be woken for it */
	if (look_for_tasks(claim, false, deadline))
		return;
	gq_sleep_begin(claim->types, claim->ntypes);
	for (;;)
	{
		gq_sleep_rearm();
		if (look_for_tasks(claim, woken, deadline))
			break;
		gq_sleep(deadline, claim->next_due);
		woken = true;
	}
	gq_sleep_end();
}

static Datum
fetch(FunctionCallInfo fcinfo, GqClaim *claim, const char *function)
{
	int64		wait;

	claim->max_tasks = PG_ARGISNULL(1) ? 1
		: gq_check_range("max_tasks", PG_GETARG_INT32(1), 1, GQ_MAX_BATCH);
	claim->lease = PG_ARGISNULL(2) ? 0
		: gq_check_interval("lease", PG_GETARG_INTERVAL_P(2), false);
	wait = read_wait(fcinfo, 3);
	read_worker(fcinfo, 4, claim);
	gq_require_writable(function);

	InitMaterializedSRF(fcinfo, 0);
	claim->emit = put_task;
	claim->arg = fcinfo->resultinfo;
	if (wait > 0)
		fetch_waiting(claim, wait);
	else
		gq_claim(claim, false);
	return (Datum) 0;
}

static Datum
fetch_type(PG_FUNCTION_ARGS)
{
	GqClaim		claim = {0};
	char	   *type = gq_arg_type(fcinfo, 0);

	claim.types = &type;
	claim.ntypes = 1;
	return fetch(fcinfo, &claim, "goque_fetch()");
}

/*
 * goque_fetch(type, max_tasks, lease, wait, worker) returns setof goque.task
 *
 * Takes the best ready tasks of a type; see docs/reference.md.
 */
Datum
goque_fetch(PG_FUNCTION_ARGS)
{
	return gq_as_owner(fcinfo, fetch_type);
}

/*
 * goque_fetch_any(types, max_tasks, lease, wait, worker) returns setof goque.task
 *
 * The same for the best tasks of any of these types; NULL: of every type.
 */
Datum
goque_fetch_any(PG_FUNCTION_ARGS)
{
	GqClaim		claim = {0};

	claim.types = read_types(fcinfo, 0, &claim.ntypes);
	return fetch(fcinfo, &claim, "goque_fetch_any()");
}

/* ---- wait ---- */

/* Look with a snapshot that is gone afterwards, with the transaction. */
static bool
look(char **types, int ntypes, TimestampTz *next_due)
{
	bool		found = gq_claim_would_find(types, ntypes, next_due);

	SPI_commit();
	return found;
}

/*
 * CALL goque_wait(types, timeout)
 *
 * Returns as soon as a fetch is worth calling.  Every look has a transaction
 * of its own, so that nothing is held while it sleeps.
 */
Datum
goque_wait(PG_FUNCTION_ARGS)
{
	CallContext *context = (CallContext *) fcinfo->context;
	int64		deadline;
	TimestampTz next_due;
	int64		timeout;
	char	  **types;
	int			ntypes;

	types = read_types(fcinfo, 0, &ntypes);
	timeout = PG_ARGISNULL(1) ? 60 * USECS_PER_SEC
		: gq_check_interval("timeout", PG_GETARG_INTERVAL_P(1), true);
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("goque_wait() cannot run inside a transaction block"),
				 errdetail("It would hold the transaction's snapshot while it sleeps."),
				 errhint("Call it in autocommit mode, outside BEGIN and outside functions.")));

	if (RecoveryInProgress())	/* what it waits for could not be fetched here */
		gq_require_writable("goque_wait()");

	deadline = gq_sleep_deadline(timeout);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	gq_sleep_begin(types, ntypes);
	for (;;)
	{
		gq_sleep_rearm();
		if (look(types, ntypes, &next_due) || gq_sleep_is_over(deadline))
			break;
		gq_sleep(deadline, next_due);
	}
	gq_sleep_end();
	SPI_finish();
	PG_RETURN_VOID();
}
