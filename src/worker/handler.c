/*-------------------------------------------------------------------------
 *
 * handler.c
 *	  Calling the handler of a processor.
 *
 * By its OID, without SQL text: there is nothing to quote, and no path that could
 * change what is called.  The caller has checked the right to.
 *
 * A procedure is run as a client's CALL would be, in a portal at top level, so
 * that it may commit; a function through the function manager.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "tcop/pquery.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "worker/handler.h"

static FmgrInfo function;
static FmgrInfo to_jsonb;

/* A call of to_jsonb(anyelement) must say what its argument is. */
static void
prepare_to_jsonb(Oid type)
{
	Node	   *argument = (Node *) makeNullConst(type, -1, get_typcollation(type));

	fmgr_info_cxt(F_TO_JSONB, &to_jsonb, TopTransactionContext);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
											 InvalidOid, COERCE_EXPLICIT_CALL), &to_jsonb);
}

void
gq_handler_prepare(const GqHandler *handler)
{
	MemoryContext old;

	if (handler->is_procedure)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	fmgr_info_cxt(handler->function, &function, TopTransactionContext);
	if (handler->result != VOIDOID && handler->result != JSONBOID)
		prepare_to_jsonb(handler->result);
	MemoryContextSwitchTo(old);
}

Datum
gq_handler_call(const GqHandler *handler, Datum argument, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, &function, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = argument;
	fcinfo->args[0].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	*isnull = fcinfo->isnull || handler->result == VOIDOID;
	if (*isnull || handler->result == JSONBOID)
		return result;
	return FunctionCall1(&to_jsonb, result);
}

static PlannedStmt *
make_call(const GqHandler *handler, Datum argument)
{
	PlannedStmt *planned = makeNode(PlannedStmt);
	CallStmt   *call = makeNode(CallStmt);
	Const	   *value = makeConst(handler->argument, -1, InvalidOid, -1, argument, false, false);

	call->funcexpr = makeFuncExpr(handler->function, VOIDOID, list_make1(value), InvalidOid, InvalidOid,
								  COERCE_EXPLICIT_CALL);
	planned->commandType = CMD_UTILITY;
	planned->utilityStmt = (Node *) call;
	planned->stmt_location = -1;
	return planned;
}

void
gq_handler_call_procedure(const GqHandler *handler, Datum argument, const char *activity)
{
	Portal		portal = CreatePortal("", true, true);
	MemoryContext old = MemoryContextSwitchTo(portal->portalContext);

	portal->visible = false;
	PortalDefineQuery(portal, NULL, pstrdup(activity), CMDTAG_CALL,
					  list_make1(make_call(handler, argument)), NULL);
	MemoryContextSwitchTo(old);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	gq_portal_run(portal);
	PortalDrop(portal, false);
}
