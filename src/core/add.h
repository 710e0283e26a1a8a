/*-------------------------------------------------------------------------
 *
 * add.h
 *	  Adding tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_ADD_H
#define GOQUE_CORE_ADD_H

#include "core/dependency.h"
#include "goque.h"

typedef enum GqOnConflict
{
	GQ_CONFLICT_ERROR,
	GQ_CONFLICT_IGNORE,
	GQ_CONFLICT_SKIP,
	GQ_CONFLICT_REPLACE
} GqOnConflict;

/* what the tasks of one call have in common */
typedef struct GqAddOptions
{
	char	   *type;
	int16		priority;
	TimestampTz now;
	TimestampTz run_at;
	int32		max_attempts;
	Interval   *timeout;		/* NULL: the type's setting */
	TimestampTz expires_at;		/* 0: never */
	GqParents  *parents;		/* NULL: after none */
	Datum		metadata;
	bool		has_metadata;
	GqOnConflict on_conflict;
	GqUniqueWhile unique_while;
} GqAddOptions;

typedef struct GqNewTask
{
	Datum		payload;
	Datum		external_id;
	bool		has_external_id;
	Datum		ordering_key;
	bool		has_ordering_key;
	bool		pending;		/* it waits for others */
	int64		id;				/* out; 0: skipped */
} GqNewTask;

extern void gq_add(const GqAddOptions *options, GqNewTask *tasks, int n);

#endif							/* GOQUE_CORE_ADD_H */
