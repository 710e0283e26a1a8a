/*-------------------------------------------------------------------------
 *
 * ready_index.h
 *	  The index of ready tasks: (type, priority, next_attempt_at, id).
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_READY_INDEX_H
#define GOQUE_CORE_READY_INDEX_H

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "shared/types.h"
#include "store/ring.h"

/*
 * A walk through the entries of one priority, without the pending tasks at its
 * end.  The caller sets what it walks through.
 */
typedef struct GqReadyWalk
{
	GqGeneration *generation;
	Datum		type;			/* text */
	Snapshot	snapshot;

	IndexScanDesc scan;			/* NULL: it is over */
	int			priority;
	GqKey		bound;
	bool		bounded;		/* this scan ends there, or before */
	GqKey		beyond;			/* ... and what it left begins here */
	ScanKeyData row[2];			/* a key of the scan points here */
} GqReadyWalk;

/* From a key on; `bound`: that far at first, if it is beyond. */
extern void gq_walk_begin(GqReadyWalk *walk, int priority, GqKey from, GqKey bound);
extern bool gq_walk_next(GqReadyWalk *walk, TupleTableSlot *slot);

/* A bound for walks to come; false: there is no use.  Then end this one. */
extern bool gq_walk_look_ahead(GqReadyWalk *walk, GqKey *ahead);
extern void gq_walk_end(GqReadyWalk *walk);

/* The smallest priority from `from` on that has an entry of this type, visible
 * or not; false: none. */
extern bool gq_ready_next_priority(GqGeneration *generation, Datum type, int from,
								   Snapshot snapshot, int *priority);

#endif							/* GOQUE_CORE_READY_INDEX_H */
