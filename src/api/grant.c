/*-------------------------------------------------------------------------
 *
 * grant.c
 *	  goque_grant and goque_revoke: who may what.
 *
 * The tables below are the whole truth about privileges; docs/reference.md and
 * the privilege tests repeat them.  'admin' includes everything.
 *
 * Grants are made by the server's own code from a parse tree, without SQL text:
 * there is nothing to quote, and no event trigger to run.  Functions are found
 * as members of the extension, never by a search path, so that a function of
 * the same name in any schema is neither granted nor in the way.
 *
 * A privilege counts as held by a role if its first function was granted to that
 * very role.  goque_revoke takes the privilege's objects away and grants again
 * what the other privileges that the role holds contain (cancel belongs to two,
 * the schema to all).
 *
 * Lock: the extension, ShareUpdateExclusiveLock, since two GRANTs on one object
 * at the same time would fail with an internal error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "api/args.h"

PG_FUNCTION_INFO_V1(goque_grant);
PG_FUNCTION_INFO_V1(goque_revoke);

/* ---- who may what ---- */

/* bits, in the order of privilege_words */
#define PRODUCE 0x1
#define WORK 0x2
#define MONITOR 0x4
#define ADMIN 0x8
#define PRIVILEGES 4
#define ANY (PRODUCE | WORK | MONITOR | ADMIN)

static const char *const privilege_words[] = {"produce", "work", "monitor", "admin", NULL};

/* the function that shows that a role holds a privilege, in the same order */
static const char *const privilege_marks[] = {
	"goque_add", "goque_fetch", "worker_list", "goque_grant"
};

typedef struct FunctionGrant
{
	const char *name;
	int			privileges;
} FunctionGrant;

static const FunctionGrant function_grants[] = {
	{"goque_add", PRODUCE | ADMIN},
	{"goque_add_many", PRODUCE | ADMIN},
	{"goque_cancel", PRODUCE | WORK | ADMIN},
	{"goque_cancel_many", PRODUCE | WORK | ADMIN},
	{"goque_cancel_all", PRODUCE | WORK | ADMIN},

	{"goque_wait_for", PRODUCE | WORK | ADMIN},

	{"goque_fetch", WORK | ADMIN},
	{"goque_fetch_any", WORK | ADMIN},
	{"goque_wait", WORK | ADMIN},
	{"goque_complete", WORK | ADMIN},
	{"goque_complete_many", WORK | ADMIN},
	{"goque_fail", WORK | ADMIN},
	{"goque_fail_many", WORK | ADMIN},
	{"goque_release", WORK | ADMIN},
	{"goque_release_many", WORK | ADMIN},
	{"goque_heartbeat", WORK | ADMIN},
	{"goque_heartbeat_many", WORK | ADMIN},
	{"goque_guard", WORK | ADMIN},

	{"goque_retry", ADMIN},
	{"goque_retry_many", ADMIN},
	{"goque_retry_all", ADMIN},
	{"goque_reschedule_many", ADMIN},
	{"goque_purge", ADMIN},
	{"goque_configure", ADMIN},
	{"goque_unconfigure", ADMIN},
	{"goque_pause", ADMIN},
	{"goque_resume", ADMIN},
	{"goque_schedule", ADMIN},
	{"goque_unschedule", ADMIN},
	{"goque_run_schedule", ADMIN},
	{"goque_pause_schedule", ADMIN},
	{"goque_resume_schedule", ADMIN},
	{"goque_next_runs", MONITOR | ADMIN},
	{"goque_register_processor", ADMIN},
	{"goque_unregister_processor", ADMIN},
	{"goque_heal", ADMIN},
	{"goque_clean", ADMIN},
	{"goque_grant", ADMIN},
	{"goque_revoke", ADMIN},

	{"goque_why", MONITOR | ADMIN},

	/* under the views; who may insert may read ids */
	{"snapshot_guard", PRODUCE | MONITOR | ADMIN},
	{"may_see_payload", PRODUCE | MONITOR | ADMIN},
	{"processing_places", PRODUCE | MONITOR | ADMIN},
	{"types_in_use", MONITOR | ADMIN},
	{"type_counters", MONITOR | ADMIN},
	{"count_tasks", MONITOR | ADMIN},
	{"count_waiting", MONITOR | ADMIN},
	{"settings_of", MONITOR | ADMIN},
	{"held_tasks", MONITOR | ADMIN},
	{"leases", MONITOR | ADMIN},
	{"horizon_holders", MONITOR | ADMIN},
	{"horizon_costs", MONITOR | ADMIN},
	{"worker_list", MONITOR | ADMIN},
	{"processor_list", MONITOR | ADMIN},
	{"server_state", MONITOR | ADMIN},
	{"home", MONITOR | ADMIN},
	{"may_add", ADMIN}
};

typedef struct ViewGrant
{
	const char *name;
	const char *action;
	const char *column;			/* NULL: all of them */
	int			privileges;
} ViewGrant;

static const ViewGrant view_grants[] = {
	{"tasks", "insert", NULL, PRODUCE | ADMIN},
	{"tasks", "select", "id", PRODUCE},
	{"tasks", "select", NULL, MONITOR | ADMIN},
	{"task_types", "select", NULL, MONITOR | ADMIN},
	{"stats", "select", NULL, MONITOR | ADMIN},
	{"workers", "select", NULL, MONITOR | ADMIN},
	{"schedules", "select", NULL, MONITOR | ADMIN},
	{"processors", "select", NULL, MONITOR | ADMIN},
	{"health", "select", NULL, MONITOR | ADMIN}
};

/* ---- finding our functions ---- */

typedef struct Function
{
	Oid			oid;
	Oid			schema;
	char	   *name;
	int			nargs;
	Oid		   *args;
	Acl		   *acl;			/* NULL: the default one */
} Function;

/* NULL: no such function (any more) */
static Function *
read_function(Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	Form_pg_proc form;
	Function   *f;
	Datum		acl;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	f = (Function *) palloc0(sizeof(Function));
	f->oid = oid;
	f->schema = form->pronamespace;
	f->name = pstrdup(NameStr(form->proname));
	f->nargs = form->pronargs;
	f->args = (Oid *) palloc(Max(f->nargs, 1) * sizeof(Oid));
	memcpy(f->args, form->proargtypes.values, f->nargs * sizeof(Oid));
	acl = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &isnull);
	if (!isnull)
		f->acl = DatumGetAclPCopy(acl);
	ReleaseSysCache(tuple);
	return f;
}

/* All functions and procedures of the extension, as Function. */
static List *
member_functions(Oid extension)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *functions = NIL;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ExtensionRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
		Function   *f;

		if (depend->classid == ProcedureRelationId && depend->deptype == DEPENDENCY_EXTENSION &&
			(f = read_function(depend->objid)) != NULL)
			functions = lappend(functions, f);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return functions;
}

static Function *
find_function(List *functions, const char *name)
{
	ListCell   *lc;

	foreach(lc, functions)
	{
		Function   *f = (Function *) lfirst(lc);

		if (strcmp(f->name, name) == 0)
			return f;
	}
	elog(ERROR, "extension goque has no function %s", name);
}

static bool
may_execute_directly(const Function *f, Oid role)
{
	if (f->acl == NULL)
		return false;
	for (int i = 0; i < ACL_NUM(f->acl); i++)
	{
		const AclItem *item = &ACL_DAT(f->acl)[i];

		if (item->ai_grantee == role && (ACLITEM_GET_PRIVS(*item) & ACL_EXECUTE) != 0)
			return true;
	}
	return false;
}

/* The privileges that a role was given, as bits. */
static int
held_privileges(List *functions, Oid role)
{
	int			held = 0;

	for (int i = 0; i < PRIVILEGES; i++)
	{
		if (may_execute_directly(find_function(functions, privilege_marks[i]), role))
			held |= 1 << i;
	}
	return held;
}

/* ---- granting ---- */

static void
execute_grant(bool is_grant, ObjectType objtype, List *objects, const char *action,
			  const char *column, const char *role)
{
	GrantStmt  *stmt = makeNode(GrantStmt);
	AccessPriv *privilege = makeNode(AccessPriv);
	RoleSpec   *grantee = makeNode(RoleSpec);

	privilege->priv_name = pstrdup(action);
	if (column)
		privilege->cols = list_make1(makeString(pstrdup(column)));
	grantee->roletype = ROLESPEC_CSTRING;
	grantee->rolename = pstrdup(role);
	grantee->location = -1;

	stmt->is_grant = is_grant;
	stmt->targtype = ACL_TARGET_OBJECT;
	stmt->objtype = objtype;
	stmt->objects = objects;
	stmt->privileges = list_make1(privilege);
	stmt->grantees = list_make1(grantee);
	stmt->behavior = DROP_RESTRICT;
	ExecuteGrantStmt(stmt);
}

static ObjectWithArgs *
function_node(const Function *f)
{
	ObjectWithArgs *node = makeNode(ObjectWithArgs);

	node->objname = list_make2(makeString(get_namespace_name(f->schema)), makeString(f->name));
	for (int i = 0; i < f->nargs; i++)
		node->objargs = lappend(node->objargs, makeTypeNameFromOid(f->args[i], -1));
	return node;
}

/* The functions of a set of privileges, as parse nodes. */
static List *
function_nodes(List *functions, int privileges)
{
	List	   *nodes = NIL;

	for (size_t i = 0; i < lengthof(function_grants); i++)
	{
		if (function_grants[i].privileges & privileges)
			nodes = lappend(nodes, function_node(find_function(functions, function_grants[i].name)));
	}
	return nodes;
}

/* Grant or revoke all that a set of privileges contains. */
static void
apply(bool is_grant, int privileges, List *functions, const char *role)
{
	if (privileges == 0)
		return;
	execute_grant(is_grant, OBJECT_SCHEMA, list_make1(makeString(pstrdup(GQ_SCHEMA))), "usage",
				  NULL, role);
	execute_grant(is_grant, OBJECT_ROUTINE, function_nodes(functions, privileges), "execute", NULL,
				  role);
	for (size_t i = 0; i < lengthof(view_grants); i++)
	{
		const ViewGrant *v = &view_grants[i];
		RangeVar   *view = makeRangeVar(pstrdup(GQ_SCHEMA), pstrdup(v->name), -1);

		if (v->privileges & privileges)
			execute_grant(is_grant, OBJECT_TABLE, list_make1(view), v->action, v->column, role);
		CommandCounterIncrement();
	}
}

/*
 * The functions' schema, unless the role may use it already.  It is the user's
 * and may hold other things, so goque_revoke leaves it alone.
 */
static void
grant_schema(List *functions, Oid role_oid, const char *role)
{
	Oid			schema = find_function(functions, "goque_add")->schema;
	Datum		usage = CStringGetTextDatum("usage");

	if (!DatumGetBool(DirectFunctionCall3(has_schema_privilege_id_id, ObjectIdGetDatum(role_oid),
										  ObjectIdGetDatum(schema), usage)))
		execute_grant(true, OBJECT_SCHEMA, list_make1(makeString(get_namespace_name(schema))),
					  "usage", NULL, role);
}

/* ---- the functions ---- */

/* Read the arguments; returns the privilege's bit. */
static int
take_arguments(FunctionCallInfo fcinfo, Oid *role_oid, char **role)
{
	int			word;

	if (PG_ARGISNULL(0))
		gq_err_null("role");
	if (PG_ARGISNULL(1))
		gq_err_null("privilege");
	word = gq_check_word("privilege", PG_GETARG_TEXT_PP(1), privilege_words);

	*role_oid = PG_GETARG_OID(0);
	*role = GetUserNameFromId(*role_oid, true);
	if (*role == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role does not exist"),
				 errdetail("The value of \"role\" is %u.", *role_oid),
				 errhint("Pass the name of a role.")));
	return 1 << word;
}

static List *
lock_and_list_functions(void)
{
	Oid			extension = get_extension_oid("goque", false);

	LockDatabaseObject(ExtensionRelationId, extension, 0, ShareUpdateExclusiveLock);
	return member_functions(extension);
}

/*
 * goque_grant(role, privilege) returns void
 */
Datum
goque_grant(PG_FUNCTION_ARGS)
{
	Oid			role_oid;
	char	   *role;
	int			privilege = take_arguments(fcinfo, &role_oid, &role);
	List	   *functions;

	gq_require_writable("goque_grant()");
	functions = lock_and_list_functions();
	apply(true, privilege, functions, role);
	grant_schema(functions, role_oid, role);
	PG_RETURN_VOID();
}

/*
 * goque_revoke(role, privilege) returns void
 */
Datum
goque_revoke(PG_FUNCTION_ARGS)
{
	Oid			role_oid;
	char	   *role;
	int			privilege = take_arguments(fcinfo, &role_oid, &role);
	List	   *functions;
	int			others;

	gq_require_writable("goque_revoke()");
	functions = lock_and_list_functions();

	/* whoever holds admin holds all, so that nothing would be left to take */
	others = held_privileges(functions, role_oid) & ~privilege;
	if (privilege == ADMIN)
		others = 0;
	apply(false, privilege, functions, role);
	CommandCounterIncrement();
	apply(true, others, functions, role);
	PG_RETURN_VOID();
}
