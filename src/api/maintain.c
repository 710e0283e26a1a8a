/*-------------------------------------------------------------------------
 *
 * maintain.c
 *	  goque_heal and goque_clean, and what the tables and views call.
 *
 * Healing and cleaning by hand do what the keeper does by itself, for servers
 * without preload and for who cannot wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "core/home.h"
#include "core/installation.h"
#include "core/maintain.h"
#include "core/processing_map.h"
#include "core/xact.h"

PG_FUNCTION_INFO_V1(goque_heal);
PG_FUNCTION_INFO_V1(goque_clean);
PG_FUNCTION_INFO_V1(goque_announce);
PG_FUNCTION_INFO_V1(goque_home);
PG_FUNCTION_INFO_V1(goque_snapshot_guard);
PG_FUNCTION_INFO_V1(goque_generation_changed);

static char *
read_type(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) ? NULL : gq_arg_type(fcinfo, 0);
}

/*
 * goque_heal(type) returns bigint
 *
 * Ends the expired leases now; how many.
 */
Datum
goque_heal(PG_FUNCTION_ARGS)
{
	char	   *type = read_type(fcinfo);

	gq_require_writable("goque_heal()");
	PG_RETURN_INT64(gq_heal_all(type, GetCurrentTimestamp()));
}

/*
 * goque_clean(type) returns bigint
 *
 * Removes the finished tasks whose retention is over now; how many.
 */
Datum
goque_clean(PG_FUNCTION_ARGS)
{
	char	   *type = read_type(fcinfo);

	gq_require_writable("goque_clean()");
	PG_RETURN_INT64(gq_clean_all(type, GetCurrentTimestamp()));
}

/*
 * goque.announce(): called by the extension script
 */
Datum
goque_announce(PG_FUNCTION_ARGS)
{
	gq_xact_announce();
	PG_RETURN_VOID();
}

/*
 * goque.home() returns text
 */
Datum
goque_home(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(gq_home()));
}

/*
 * goque.snapshot_guard() returns boolean
 *
 * True, or 40001 when the snapshot is older than the last emptying of a
 * generation.
 */
Datum
goque_snapshot_guard(PG_FUNCTION_ARGS)
{
	gq_check_snapshot(GetActiveSnapshot());
	PG_RETURN_BOOL(true);
}

/*
 * goque.generation_changed(): AFTER INSERT on each generation
 *
 * Rows came by SQL, a restore: nothing is known of the table any more.
 */
Datum
goque_generation_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "goque.generation_changed() was not called as a trigger");
	gq_xact_forget_frontier(RelationGetRelid(trigger->tg_relation));
	gq_processing_forget(RelationGetRelid(trigger->tg_relation));
	return PointerGetDatum(NULL);
}
