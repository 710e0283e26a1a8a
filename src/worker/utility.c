/*-------------------------------------------------------------------------
 *
 * utility.c
 *	  Giving way to commands: no keeper may stand in the way of DROP DATABASE,
 *	  ALTER DATABASE or CREATE DATABASE, nor stay after DROP EXTENSION.
 *
 * DROP DATABASE, ALTER DATABASE RENAME TO and SET TABLESPACE, and CREATE
 * DATABASE for its template, fail while anybody is connected there.  (From 19 on
 * the server stops our workers by itself, but they must be kept from coming
 * back, too.)  So, before such a command runs, keepers are kept out of that
 * database, and the one that is there is stopped and waited for; that holds
 * until the transaction ends, however it ends.  A caller who may not run the
 * command stops nobody.
 *
 * DROP and ALTER EXTENSION would wait for the locks of processors' handlers, which
 * may hold them for long: so keepers and runners are kept out there, too.
 *
 * When a transaction commits that dropped the extension, by whatever command,
 * or altered it, the keeper is told to look; so it is after whatever may have
 * changed what a processor may do.  The databases are listed anew when
 * one was created, dropped or altered.
 *
 * After commit only latches are set and shared memory is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/syscache.h"

#include "compat.h"
#include "shared/databases.h"
#include "shared/runners.h"
#include "worker/worker.h"

static ProcessUtility_hook_type prev_process_utility = NULL;
static object_access_hook_type prev_object_access = NULL;

/* what the end of this transaction must do */
static bool unblock_at_end = false;
static bool list_at_commit = false;
static bool announce_at_commit = false;
static bool check_processors_at_commit = false;

/* ---- whose database, and may the caller do that to it? ---- */

/*
 * The value of an option that is a name; NULL: not given, or DEFAULT.
 */
static const char *
name_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		result;

	if (superuser())
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	ReleaseSysCache(tuple);
	return result;
}

static Oid
own_database(const char *name)
{
	Oid			database = get_database_oid(name, true);

	if (OidIsValid(database) && gq_database_ownercheck(database, GetUserId()))
		return database;
	return InvalidOid;
}

static Oid
template_database(CreatedbStmt *stmt)
{
	const char *name = name_option(stmt->options, "template");

	if (!may_create_databases())
		return InvalidOid;
	return get_database_oid(name != NULL ? name : "template1", true);
}

/*
 * The database that nobody may be connected to while this runs, or InvalidOid.
 */
static Oid
database_to_leave(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			return own_database(((DropdbStmt *) stmt)->dbname);
		case T_CreatedbStmt:
			return template_database((CreatedbStmt *) stmt);
		case T_AlterDatabaseStmt:
			if (name_option(((AlterDatabaseStmt *) stmt)->options, "tablespace") != NULL)
				return own_database(((AlterDatabaseStmt *) stmt)->dbname);
			return InvalidOid;
		case T_RenameStmt:
			if (((RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
				return own_database(((RenameStmt *) stmt)->subname);
			return InvalidOid;
		default:
			return InvalidOid;
	}
}

/* May this statement drop or alter the extension here? */
static bool
is_of_extension(Node *stmt)
{
	bool		named = false;
	Oid			extension;
	ListCell   *lc;

	if (IsA(stmt, AlterExtensionStmt))
		named = strcmp(((AlterExtensionStmt *) stmt)->extname, "goque") == 0;
	else if (IsA(stmt, DropStmt) && ((DropStmt *) stmt)->removeType == OBJECT_EXTENSION)
	{
		foreach(lc, ((DropStmt *) stmt)->objects)
			if (strcmp(strVal(lfirst(lc)), "goque") == 0)
			named = true;
	}
	/* every BEGIN comes here: look into the catalog for the right ones alone */
	extension = named ? get_extension_oid("goque", true) : InvalidOid;
	return OidIsValid(extension) && gq_extension_ownercheck(extension, GetUserId());
}

/* May this statement change who may run a processor, or what it calls? */
static bool
may_change_processors(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_AlterRoleStmt:
		case T_DropRoleStmt:
		case T_RenameStmt:
		case T_GrantStmt:
		case T_GrantRoleStmt:
		case T_AlterOwnerStmt:
		case T_AlterObjectSchemaStmt:
		case T_CreateFunctionStmt:
		case T_DropStmt:
		case T_DropOwnedStmt:
		case T_ReassignOwnedStmt:
			return true;
		default:
			return false;
	}
}

static void
give_way(Node *stmt)
{
	Oid			database;

	if (may_change_processors(stmt))
		check_processors_at_commit = true;
	if (is_of_extension(stmt))
	{
		unblock_at_end = true;
		gq_database_block(MyDatabaseId);
		return;
	}

	if (IsA(stmt, CreatedbStmt) || IsA(stmt, DropdbStmt) || IsA(stmt, AlterDatabaseStmt))
		list_at_commit = true;

	database = database_to_leave(stmt);
	if (!OidIsValid(database))
		return;
	unblock_at_end = true;
	gq_database_block(database);
}

/* ---- hooks ---- */

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	if (IsTransactionState() && !RecoveryInProgress())
		give_way(pstmt->utilityStmt);

	if (prev_process_utility)
		prev_process_utility(pstmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, qc);
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (prev_object_access)
		prev_object_access(access, class_id, object_id, sub_id, arg);

	if (class_id == ExtensionRelationId &&
		(access == OAT_DROP || access == OAT_POST_ALTER) &&
		object_id == get_extension_oid("goque", true))
		announce_at_commit = true;
}

static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;

	if (unblock_at_end)
		gq_databases_unblock();
	if (event == XACT_EVENT_COMMIT && list_at_commit)
		gq_databases_changed();
	if (event == XACT_EVENT_COMMIT && announce_at_commit)
		gq_database_announce(MyDatabaseId);
	if (event == XACT_EVENT_COMMIT && check_processors_at_commit)
		gq_processors_recheck();
	unblock_at_end = list_at_commit = announce_at_commit = check_processors_at_commit = false;
}

void
gq_utility_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	prev_object_access = object_access_hook;
	object_access_hook = object_access;
	RegisterXactCallback(at_xact_end, NULL);
}
