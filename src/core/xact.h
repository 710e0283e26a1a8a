/*-------------------------------------------------------------------------
 *
 * xact.h
 *	  What a transaction did to tasks, kept until it ends: then shared memory
 *	  is told, sleepers are woken, and a commit of claims alone skips its flush.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_XACT_H
#define GOQUE_CORE_XACT_H

#include "shared/types.h"

extern void gq_xact_init(void);

/* If this transaction commits, the entry with this key is claimable. */
extern void gq_xact_ready(GqType *entry, int generation, int16 priority, GqKey key);

/* If this transaction aborts, the entry with this key is claimable again. */
extern void gq_xact_taken(GqType *entry, int generation, int16 priority, GqKey key);

/* A lease of this backend begins, or one ends, if this transaction commits. */
extern void gq_xact_lease_begun(int64 id, int64 token, TimestampTz until);
extern void gq_xact_lease_over(int64 id, int64 token);

/* Shared memory has no room for the lease that has just begun. */
extern void gq_xact_lease_unknown(void);

/* At commit: wake every waiter of this database; tell the launcher of it. */
extern void gq_xact_wake_all(void);
extern void gq_xact_announce(void);

/* At commit: forget every frontier of the generation whose table this is. */
extern void gq_xact_forget_frontier(Oid table);

/* Lower the frontiers of `entry` to what this very transaction made ready. */
extern void gq_xact_merge_own(GqType *entry, GqFrontier frontier[GQ_GENERATIONS]);

#endif							/* GOQUE_CORE_XACT_H */
