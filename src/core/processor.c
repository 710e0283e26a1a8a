/*-------------------------------------------------------------------------
 *
 * processor.c
 *	  A processor: the handler of a type, the role that it runs as, and
 *	  whether it may run now.
 *
 * What may run is checked anew each time, against what was registered: the role
 * by OID and by name, so that neither another role of its name nor one that took
 * over by a renaming runs anything; and the handler by its full name and owner,
 * so that a function that somebody else made in its place does not run with the
 * rights of the role.  Whatever differs stops this type alone, until somebody
 * who may registers it again.
 *
 * Names are looked up in the catalogs and not by a path, with nobody's rights:
 * the keeper and the views ask too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compat.h"
#include "core/detail.h"
#include "core/home.h"
#include "core/processor.h"
#include "core/xact.h"
#include "guc.h"
#include "shared/shmem.h"
#include "store/relations.h"

#define HINT_REGISTER "Register the processor again, as the role that it is to run as."

/* ---- functions ---- */

Oid
gq_task_type_oid(void)
{
	Oid			schema = get_namespace_oid(GQ_SCHEMA, true);

	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("task"),
						   ObjectIdGetDatum(schema));
}

/* The only argument, if it is one that a handler takes. */
static Oid
handler_argument(Form_pg_proc form)
{
	Oid			argument;

	if (form->pronargs != 1 || OidIsValid(form->provariadic))
		return InvalidOid;
	argument = form->proargtypes.values[0];
	return argument == JSONBOID || argument == gq_task_type_oid() ? argument : InvalidOid;
}

static bool
has_output(HeapTuple tuple)
{
	bool		isnull;

	(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargmodes, &isnull);
	return !isnull;
}

static void
read_form(HeapTuple tuple, GqHandler *handler)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	memset(handler, 0, sizeof(GqHandler));
	handler->function = form->oid;
	handler->owner = form->proowner;
	handler->schema = form->pronamespace;
	handler->argument = handler_argument(form);
	handler->is_procedure = form->prokind == PROKIND_PROCEDURE;
	handler->result = handler->is_procedure ? VOIDOID : form->prorettype;
	handler->returns_set = form->proretset;
	handler->has_output = handler->is_procedure && has_output(tuple);
	if (form->prokind != PROKIND_FUNCTION && form->prokind != PROKIND_PROCEDURE)
		handler->argument = InvalidOid;
}

bool
gq_handler_read(Oid function, GqHandler *handler)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		return false;
	read_form(tuple, handler);
	ReleaseSysCache(tuple);
	return true;
}

char *
gq_handler_name(const GqHandler *handler)
{
	const char *schema = get_namespace_name(handler->schema);
	const char *name = get_func_name(handler->function);

	if (schema == NULL || name == NULL) /* dropped a moment ago */
		elog(ERROR, "cache lookup failed for function %u", handler->function);
	return psprintf("%s(%s)", quote_qualified_identifier(schema, name),
					handler->argument == JSONBOID ? "jsonb" : GQ_SCHEMA ".task");
}

/* The function of that name, with that argument; false: there is none. */
static bool
find_handler(const char *name, GqHandler *handler)
{
	char	   *copy = pstrdup(name);
	char	   *paren = strrchr(copy, '(');
	List	   *names;
	Oid			argument;
	HeapTuple	tuple;

	if (paren == NULL)
		return false;
	argument = strcmp(paren, "(jsonb)") == 0 ? JSONBOID : gq_task_type_oid();
	*paren = '\0';
	if (!SplitIdentifierString(copy, '.', &names) || list_length(names) != 2)
		return false;
	tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(lsecond(names)),
							PointerGetDatum(buildoidvector(&argument, 1)),
							ObjectIdGetDatum(get_namespace_oid(linitial(names), true)));
	if (!HeapTupleIsValid(tuple))
		return false;
	read_form(tuple, handler);
	ReleaseSysCache(tuple);
	return true;
}

bool
gq_handler_may_call(const GqHandler *handler, Oid role)
{
	return gq_may_use_schema(handler->schema, role) && gq_may_execute(handler->function, role);
}

bool
gq_role_may_log_in(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return result;
}

/* ---- may it run? ---- */

static GqProcessorFault
fault(const char *detail, const char *hint)
{
	GqProcessorFault result = {detail, hint};

	return result;
}

static GqProcessorFault
check_role(const GqHandlerRow *row)
{
	char	   *name = GetUserNameFromId(row->role, true);
	const char *shown = gq_detail(row->role_name);

	if (name == NULL)
		return fault(psprintf("role \"%s\", which registered it, does not exist any more", shown),
					 HINT_REGISTER);
	if (strcmp(name, row->role_name) != 0)
		return fault(psprintf("role \"%s\", which registered it, is named \"%s\" now", shown,
							  gq_detail(name)), HINT_REGISTER);
	if (!gq_role_may_log_in(row->role))
		return fault(psprintf("role \"%s\" may not log in", shown),
					 "Let it log in with ALTER ROLE ... LOGIN, or register the processor again, as another role.");
	return fault(NULL, NULL);
}

static GqProcessorFault
check_handler(const GqHandlerRow *row, GqHandler *handler)
{
	if (!find_handler(row->handler, handler))
		return fault(psprintf("handler %s does not exist", gq_detail(row->handler)),
					 "Create it, or register another one.");
	if (handler->owner != row->owner)
		return fault(psprintf("handler %s has another owner than when it was registered",
							  gq_detail(row->handler)), HINT_REGISTER);
	if (!OidIsValid(handler->argument) || handler->returns_set || handler->has_output)
		return fault(psprintf("handler %s cannot be called any more", gq_detail(row->handler)),
					 "It must be a function or procedure without OUT arguments that returns no set.");
	if (!gq_handler_may_call(handler, row->role))
		return fault(psprintf("role \"%s\" may not execute %s", gq_detail(row->role_name),
							  gq_detail(row->handler)),
					 "GRANT it EXECUTE on the handler and USAGE on its schema.");
	return fault(NULL, NULL);
}

GqProcessorFault
gq_processor_check(const GqHandlerRow *row, GqHandler *handler)
{
	GqProcessorFault result;

	if (!gq_home_is_ours(row->home))
		return fault("it was registered elsewhere: this is a copy of that database",
					 "If it shall run here too, call goque_resume().");
	result = check_role(row);
	if (result.detail == NULL)
		result = check_handler(row, handler);
	return result;
}

GqProcessorFault
gq_processor_fault(const GqHandlerRow *row, const GqProcessorInfo *info)
{
	GqHandler	handler;
	GqProcessorFault result = gq_processor_check(row, &handler);

	if (result.detail != NULL)
		return result;
	if (gq_shared == NULL)
		return fault("nothing runs it, since goque is not in shared_preload_libraries",
					 "Add goque to shared_preload_libraries in postgresql.conf and restart the server.");
	if (gq_max_processor_workers == 0)
		return fault("nothing runs it, since goque.max_processor_workers is 0",
					 "Raise goque.max_processor_workers and reload the settings.");
	if (info->no_room)
		return fault(psprintf("it is one too many: the processes of a server run %d processors, all databases together",
							  GQ_MAX_PROCESSORS),
					 "Unregister processors that are not needed, in any of the databases.");
	if (info->no_slot_since != 0)
		return fault(psprintf("no background worker could be started since %s",
							  timestamptz_to_str(info->no_slot_since)),
					 "Raise max_worker_processes and restart the server.");
	if (info->failures > 0)
		return fault(psprintf("its last %d processes ended with an error", info->failures),
					 "Look for the error in the server log; they are started again after a pause.");
	return fault(NULL, NULL);
}

/* ---- registering ---- */

List *
gq_processor_rows(const char *type)
{
	return OidIsValid(gq_instance()) ? gq_handlers_read(type) : NIL;
}

void
gq_processor_register(const GqHandlerRow *row)
{
	gq_handler_put(row);
	gq_xact_wake_all();
}

bool
gq_processor_unregister(const char *type)
{
	bool		found = gq_handler_delete(type);

	if (found)
		gq_xact_wake_all();
	return found;
}
