/*-------------------------------------------------------------------------
 *
 * processing_map.h
 *	  Finding the tasks in processing among all others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_PROCESSING_MAP_H
#define GOQUE_CORE_PROCESSING_MAP_H

#include "utils/snapshot.h"

#include "store/ring.h"

/* A version of a row that says "processing" has been written. */
extern void gq_processing_note(const GqGeneration *generation, ItemPointer tid);

/* Rows of this table came by SQL, a restore. */
extern void gq_processing_forget(Oid table);

/* The places of all versions in processing that the snapshot sees; palloc'd. */
extern ItemPointer gq_processing_places(GqGeneration *generation, Snapshot snapshot, int64 *n);

/* Ids of a type's tasks in processing, the smallest first; palloc'd. */
extern int64 *gq_processing_ids(const char *type, int64 *n);

#endif							/* GOQUE_CORE_PROCESSING_MAP_H */
