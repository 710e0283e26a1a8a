/*-------------------------------------------------------------------------
 *
 * relations.h
 *	  OIDs of goque's tables, indexes and sequences, cached in the session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_RELATIONS_H
#define GOQUE_STORE_RELATIONS_H

#include "utils/rel.h"

#include "goque.h"

typedef enum GqRelation
{
	GQ_REL_SETTINGS,
	GQ_REL_HANDLERS,
	GQ_REL_KEY_LOCKS,
	GQ_REL_KEY_LOCKS_PKEY,
	GQ_REL_DEPENDENCIES,
	GQ_REL_DEPENDENCIES_PKEY,
	GQ_REL_DEPENDENCIES_CHILD,
	GQ_REL_FETCH_LOG,
	GQ_REL_FETCH_LOG_PKEY,
	GQ_REL_TASK_ID_SEQ,
	GQ_REL_GENERATION_SEQ,
	GQ_REL_EMPTIED_SEQ,
	GQ_REL_QUARANTINE_SEQ,
	GQ_REL_INSTALLATION_SEQ,
	GQ_FIXED_RELATIONS
} GqRelation;

/* what each generation consists of */
typedef enum GqGenerationPart
{
	GQ_PART_TABLE,
	GQ_PART_PKEY,
	GQ_PART_READY,
	GQ_PART_EXTERNAL_ID,
	GQ_PART_EXPIRES_AT,
	GQ_PART_LINE,
	GQ_GENERATION_PARTS
} GqGenerationPart;

/* 42P01 if it is not there: the extension is not installed here, or damaged */
extern Oid	gq_relid(GqRelation relation);
extern Oid	gq_relid_generation(int generation, GqGenerationPart part);

/* OID of goque.tasks_0, which names this installation of the extension in this
 * database; InvalidOid: it is not installed. */
extern Oid	gq_instance(void);

/* As table_open; 55000 if the table is one of another version. */
extern Relation gq_table_open(GqRelation relation, LOCKMODE lockmode);
extern Relation gq_table_open_generation(int generation, LOCKMODE lockmode);

#endif							/* GOQUE_STORE_RELATIONS_H */
