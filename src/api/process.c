/*-------------------------------------------------------------------------
 *
 * process.c
 *	  goque_register_processor, goque_unregister_processor, and the function
 *	  under goque.processors.
 *
 * A handler is looked up, and the right to call it checked, with the rights and
 * the path of the immediate caller, who becomes the role of the processor; only
 * the row is written as the owner of goque.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/owner.h"
#include "compat.h"
#include "core/home.h"
#include "core/processor.h"
#include "core/settings.h"
#include "guc.h"
#include "shared/runners.h"
#include "shared/shmem.h"

PG_FUNCTION_INFO_V1(goque_register_processor);
PG_FUNCTION_INFO_V1(goque_unregister_processor);
PG_FUNCTION_INFO_V1(goque_processor_list);

#define MAX_WORKERS GQ_MAX_RUNNERS
#define MAX_BATCH_SIZE 10000

#define HINT_SIGNATURE "A handler is a function or procedure that takes one jsonb, the payload, or one goque.task."

/* ---- the handler ---- */

static void
err_no_handler(const char *name, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FUNCTION),
			 errmsg("handler does not exist"),
			 errdetail(why, gq_detail(name)),
			 errhint(HINT_SIGNATURE)));
}

/* By its name alone: the one of that name that takes what a handler takes. */
static void
find_by_name(const char *name, GqHandler *handler)
{
	FuncCandidateList candidates = gq_function_candidates(gq_name_list(name));
	int			n = 0;

	if (candidates == NULL)
		err_no_handler(name, "There is no function or procedure \"%s\" on the search path.");
	for (; candidates != NULL; candidates = candidates->next)
	{
		GqHandler	found;

		if (gq_handler_read(candidates->oid, &found) && OidIsValid(found.argument))
		{
			*handler = found;
			n++;
		}
	}
	if (n == 0)
		err_no_handler(name, "\"%s\" takes other arguments.");
	if (n > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("handler is not unique"),
				 errdetail("\"%s\" takes jsonb, and goque.task too.", gq_detail(name)),
				 errhint("Name it with its argument, such as 'f(jsonb)'.")));
}

static void
find_handler(text *argument, GqHandler *handler)
{
	char	   *name = text_to_cstring(argument);

	if (strchr(name, '(') == NULL)
		find_by_name(name, handler);
	else
	{
		Datum		oid = DirectFunctionCall1(regprocedurein, CStringGetDatum(name));

		if (!gq_handler_read(DatumGetObjectId(oid), handler))
			err_no_handler(name, "There is no function or procedure %s.");
		if (!OidIsValid(handler->argument))
			err_no_handler(name, "%s takes other arguments.");
	}
	if (handler->returns_set || handler->has_output ||
		(handler->result != RECORDOID && handler->result != VOIDOID &&
		 get_typtype(handler->result) == TYPTYPE_PSEUDO))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("handler returns what is no result of a task"),
				 errdetail("\"%s\" returns a set, a pseudo-type, or OUT arguments.", gq_detail(name)),
				 errhint("A handler returns one value that can become a jsonb, or void.")));
}

static void
check_rights(const GqHandler *handler)
{
	Oid			role = GetUserId();

	if (!gq_handler_may_call(handler, role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for handler %s", gq_detail(gq_handler_name(handler))),
				 errdetail("It would run as role \"%s\", which may not execute it.",
						   gq_detail(GetUserNameFromId(role, false))),
				 errhint("GRANT that role EXECUTE on the handler and USAGE on its schema.")));
	if (!gq_role_may_log_in(role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("a processor needs a role that may log in"),
				 errdetail("It would run as role \"%s\", which may not.", gq_detail(GetUserNameFromId(role, false))),
				 errhint("Register it as a role with LOGIN.")));
}

/* ---- registering ---- */

static int32
read_int(FunctionCallInfo fcinfo, int n, const char *arg, int32 max)
{
	return PG_ARGISNULL(n) ? 1 : gq_check_range(arg, PG_GETARG_INT32(n), 1, max);
}

/*
 * goque_register_processor(type, handler, workers, batch_size, idle_timeout)
 * returns void
 */
Datum
goque_register_processor(PG_FUNCTION_ARGS)
{
	GqHandlerRow row = {0};
	GqHandler	handler;
	GqCaller	caller;

	row.type = gq_arg_type(fcinfo, 0);
	if (PG_ARGISNULL(1))
		gq_err_null("handler");
	row.workers = read_int(fcinfo, 2, "workers", MAX_WORKERS);
	row.batch_size = read_int(fcinfo, 3, "batch_size", MAX_BATCH_SIZE);
	row.idle_timeout = PG_ARGISNULL(4) ? USECS_PER_MINUTE
		: gq_check_interval("idle_timeout", PG_GETARG_INTERVAL_P(4), true);
	gq_require_writable("goque_register_processor()");

	find_handler(PG_GETARG_TEXT_PP(1), &handler);
	check_rights(&handler);
	row.handler = gq_handler_name(&handler);
	row.owner = handler.owner;
	row.role = GetUserId();
	row.role_name = GetUserNameFromId(row.role, false);

	caller = gq_owner_begin(fcinfo);
	row.home = pstrdup(gq_home());
	gq_processor_register(&row);
	gq_owner_end(caller);
	PG_RETURN_VOID();
}

/*
 * goque_unregister_processor(type) returns boolean
 */
Datum
goque_unregister_processor(PG_FUNCTION_ARGS)
{
	char	   *type = gq_arg_type(fcinfo, 0);

	gq_require_writable("goque_unregister_processor()");
	PG_RETURN_BOOL(gq_processor_unregister(type));
}

/* ---- goque.processors ---- */

/* What one that can run does. */
static const char *
describe(const GqHandlerRow *row, const GqProcessorInfo *info)
{
	if (gq_settings(row->type)->paused)
		return "is paused";
	if (info->waiting)
		return "waits for a background worker";
	return info->running > 0 ? "runs" : "runs when there is work";
}

static void
emit_processor(ReturnSetInfo *rsinfo, const GqHandlerRow *row)
{
	GqProcessorInfo info;
	GqProcessorFault fault;
	Datum		values[8];
	bool		nulls[8] = {0};

	(void) gq_processor_info(MyDatabaseId, row->type, &info);
	fault = gq_processor_fault(row, &info);
	values[0] = CStringGetTextDatum(row->type);
	values[1] = CStringGetTextDatum(row->handler);
	values[2] = CStringGetTextDatum(row->role_name);
	values[3] = Int32GetDatum(row->workers);
	values[4] = Int32GetDatum(info.running);
	values[5] = BoolGetDatum(fault.detail == NULL);
	values[6] = CStringGetTextDatum(fault.detail ? fault.detail : describe(row, &info));
	nulls[7] = fault.hint == NULL;
	values[7] = fault.hint ? CStringGetTextDatum(fault.hint) : (Datum) 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The rows of goque.processors, and a hint. */
Datum
goque_processor_list(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, gq_processor_rows(NULL))
		emit_processor((ReturnSetInfo *) fcinfo->resultinfo, lfirst(lc));
	return (Datum) 0;
}
