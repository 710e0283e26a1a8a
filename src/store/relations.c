/*-------------------------------------------------------------------------
 *
 * relations.c
 *	  OIDs of goque's tables, indexes and sequences, cached in the session.
 *
 * Names are looked up once.  Whatever may give one of them another OID (DROP
 * and CREATE EXTENSION, REINDEX CONCURRENTLY) invalidates a relation of ours,
 * or all of them; the callback then only empties the cache, since it must not
 * look anything up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "store/relations.h"

static const char *const fixed_names[GQ_FIXED_RELATIONS] = {
	[GQ_REL_SETTINGS] = "settings",
	[GQ_REL_HANDLERS] = "handlers",
	[GQ_REL_KEY_LOCKS] = "key_locks",
	[GQ_REL_KEY_LOCKS_PKEY] = "key_locks_pkey",
	[GQ_REL_DEPENDENCIES] = "dependencies",
	[GQ_REL_DEPENDENCIES_PKEY] = "dependencies_pkey",
	[GQ_REL_DEPENDENCIES_CHILD] = "dependencies_child",
	[GQ_REL_FETCH_LOG] = "fetch_log",
	[GQ_REL_FETCH_LOG_PKEY] = "fetch_log_pkey",
	[GQ_REL_TASK_ID_SEQ] = "task_id_seq",
	[GQ_REL_GENERATION_SEQ] = "generation_seq",
	[GQ_REL_EMPTIED_SEQ] = "emptied_seq",
	[GQ_REL_QUARANTINE_SEQ] = "quarantine_seq",
	[GQ_REL_INSTALLATION_SEQ] = "installation_seq",
};

/* how many columns this library knows; 0: not a table, or read by SQL */
static const int fixed_columns[GQ_FIXED_RELATIONS] = {
	[GQ_REL_SETTINGS] = 15,
	[GQ_REL_HANDLERS] = 9,
	[GQ_REL_KEY_LOCKS] = 3,
	[GQ_REL_DEPENDENCIES] = 2,
	[GQ_REL_FETCH_LOG] = 4,
};

static const char *const part_suffixes[GQ_GENERATION_PARTS] = {
	[GQ_PART_TABLE] = "",
	[GQ_PART_PKEY] = "_pkey",
	[GQ_PART_READY] = "_ready",
	[GQ_PART_EXTERNAL_ID] = "_external_id",
	[GQ_PART_EXPIRES_AT] = "_expires_at",
	[GQ_PART_LINE] = "_line",
};

static Oid	fixed[GQ_FIXED_RELATIONS];
static Oid	parts[GQ_GENERATIONS][GQ_GENERATION_PARTS];

static void
forget_all(void)
{
	memset(fixed, 0, sizeof(fixed));
	memset(parts, 0, sizeof(parts));
}

static void
relation_changed(Datum arg, Oid relid)
{
	const Oid  *oids = &parts[0][0];

	if (relid == InvalidOid)
	{
		forget_all();
		return;
	}
	for (int i = 0; i < GQ_FIXED_RELATIONS; i++)
		if (fixed[i] == relid)
			fixed[i] = InvalidOid;
	for (int i = 0; i < GQ_GENERATIONS * GQ_GENERATION_PARTS; i++)
	{
		/* an index may be replaced while its table alone is told */
		if (oids[i] == relid)
			memset(parts[i / GQ_GENERATION_PARTS], 0, sizeof(parts[0]));
	}
}

static Oid
look_up(const char *name, bool missing_ok)
{
	static bool registered = false;
	Oid			schema;
	Oid			relid;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		registered = true;
	}

	schema = get_namespace_oid(GQ_SCHEMA, true);
	relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	if (!OidIsValid(relid) && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" of the goque extension does not exist", GQ_SCHEMA, name),
				 OidIsValid(schema) ?
				 errdetail("The schema \"%s\" has no relation \"%s\".", GQ_SCHEMA, name) :
				 errdetail("There is no schema \"%s\".", GQ_SCHEMA),
				 errhint("Install goque in this database with CREATE EXTENSION goque; if it is installed, put the relation back under its name.")));
	return relid;
}

Oid
gq_relid(GqRelation relation)
{
	if (!OidIsValid(fixed[relation]))
		fixed[relation] = look_up(fixed_names[relation], false);
	return fixed[relation];
}

static Oid
look_up_part(int generation, GqGenerationPart part, bool missing_ok)
{
	Oid		   *cached = &parts[generation][part];

	if (!OidIsValid(*cached))
	{
		char		name[NAMEDATALEN];
		Oid			relid;

		snprintf(name, sizeof(name), "tasks_%d%s", generation, part_suffixes[part]);
		relid = look_up(name, missing_ok);
		*cached = relid;
	}
	return *cached;
}

Oid
gq_relid_generation(int generation, GqGenerationPart part)
{
	return look_up_part(generation, part, false);
}

Oid
gq_instance(void)
{
	return look_up_part(0, GQ_PART_TABLE, true);
}

/*
 * Rows are read and written by the numbers of their columns: those of another
 * version's table would be taken for what they are not.
 */
static Relation
open_known(Oid relid, LOCKMODE lockmode, int columns)
{
	Relation	rel = table_open(relid, lockmode);

	if (RelationGetNumberOfAttributes(rel) != columns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s.%s\" is not one of this version of goque",
						GQ_SCHEMA, RelationGetRelationName(rel)),
				 errdetail("It has %d columns; the library that the server has loaded, of version %s, knows %d.",
						   RelationGetNumberOfAttributes(rel), GQ_VERSION, columns),
				 errhint("Run \"ALTER EXTENSION goque UPDATE\", or restart the server if the library was updated.")));
	return rel;
}

Relation
gq_table_open(GqRelation relation, LOCKMODE lockmode)
{
	return open_known(gq_relid(relation), lockmode, fixed_columns[relation]);
}

Relation
gq_table_open_generation(int generation, LOCKMODE lockmode)
{
	return open_known(gq_relid_generation(generation, GQ_PART_TABLE), lockmode, GQ_TASK_NATTS);
}
