/*-------------------------------------------------------------------------
 *
 * row_lock.h
 *	  Row locks on tasks: taking one, and telling it from a change.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_ROW_LOCK_H
#define GOQUE_STORE_ROW_LOCK_H

#include "access/tableam.h"

#include "store/ring.h"

/*
 * Lock the row version in `slot` until the (sub)transaction ends, against all
 * changes; waits for whoever is at it.  `crosscheck`: TM_Updated if that
 * snapshot (may be NULL) does not see the version.
 */
extern TM_Result gq_row_lock(GqGeneration *generation, TupleTableSlot *slot, Snapshot crosscheck);

/* Of a version that was busy a moment ago: is it locked, and not being changed? */
extern bool gq_row_is_only_locked(TupleTableSlot *slot);

/* Does this very transaction hold a lock on the version, or change it?  Has it
 * written it? */
extern bool gq_row_is_held(TupleTableSlot *slot);
extern bool gq_row_is_own(TupleTableSlot *slot);

/* The other transaction that is changing the version, or has locked it, and has
 * not ended; 0: none.  The first may be a subtransaction. */
extern TransactionId gq_row_updater(TupleTableSlot *slot);
extern TransactionId gq_row_changed_by(TupleTableSlot *slot);
extern TransactionId gq_row_locked_by(TupleTableSlot *slot);

/* Is another transaction changing the version, or has one that the snapshot does not
 * see? */
extern bool gq_row_may_be_changed(TupleTableSlot *slot);

#endif							/* GOQUE_STORE_ROW_LOCK_H */
