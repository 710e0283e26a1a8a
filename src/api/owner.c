/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Acting with the owner's rights, for the calls that every task pays:
 *	  goque_add, goque_fetch, goque_complete.
 *
 * All other functions say SECURITY DEFINER SET search_path in SQL.  That costs
 * an eighth of the server's time for a task, most of it for the path: it is
 * parsed, set, restored, and looked up anew by the caller's next statement.
 * These three do the same by other means:
 *
 *	- The rights are switched as fmgr_security_definer() does it.  After an error
 *	  the end of the (sub)transaction switches them back, there as here.
 *	- The path is not set, since nothing is resolved by it: relations are found
 *	  by schema and name, rows through the access methods, operators by OID, and
 *	  no statement is run.  The one thing that may hold a name is an expression
 *	  of an index that the owner added to a table of goque's; it is evaluated
 *	  under a pinned path (store/pinned_path.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/syscache.h"

#include "api/owner.h"

static Oid
owner_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

GqCaller
gq_owner_begin(FunctionCallInfo fcinfo)
{
	GqCaller	caller;

	GetUserIdAndSecContext(&caller.user, &caller.context);
	SetUserIdAndSecContext(owner_of(fcinfo->flinfo->fn_oid),
						   caller.context | SECURITY_LOCAL_USERID_CHANGE);
	return caller;
}

void
gq_owner_end(GqCaller caller)
{
	SetUserIdAndSecContext(caller.user, caller.context);
}

Datum
gq_as_owner(FunctionCallInfo fcinfo, PGFunction body)
{
	GqCaller	caller = gq_owner_begin(fcinfo);
	Datum		result = body(fcinfo);

	gq_owner_end(caller);
	return result;
}
