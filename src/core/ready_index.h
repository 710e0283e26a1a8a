/*-------------------------------------------------------------------------
 *
 * ready_index.h
 *	  The index of ready tasks: (type, priority, next_attempt_at, id).
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_READY_INDEX_H
#define GOQUE_CORE_READY_INDEX_H

#include "access/skey.h"
#include "utils/snapshot.h"

#include "shared/types.h"
#include "store/ring.h"

#define GQ_READY_KEYS 4

/*
 * The conditions of a scan of one priority from a key on, without the pending
 * tasks at its end.  Fills in `keys`, and `row`, of 2, to which one of them may
 * point.  Returns how many.
 */
extern int	gq_ready_keys(ScanKey keys, ScanKey row, Datum type, int priority, GqKey from);

/* The smallest priority from `from` on that has an entry of this type, visible
 * or not; false: none. */
extern bool gq_ready_next_priority(GqGeneration *generation, Datum type, int from,
								   Snapshot snapshot, int *priority);

#endif							/* GOQUE_CORE_READY_INDEX_H */
