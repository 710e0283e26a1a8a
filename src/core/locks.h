/*-------------------------------------------------------------------------
 *
 * locks.h
 *	  Keys that this transaction holds: external ids, ordering keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_LOCKS_H
#define GOQUE_CORE_LOCKS_H

#include "store/key_locks.h"

/* An order for all callers, against deadlocks. */
extern int	gq_locks_compare(const void *a, const void *b);

/*
 * Hold these keys until the transaction ends.  Waits for a transaction that
 * holds one of them, and for nothing else.
 */
extern void gq_locks_take(const GqKeyLock *locks, int64 n);

/* The same for one, if it is free: never waits. */
extern bool gq_locks_try(const GqKeyLock *lock);

/* Does this transaction hold it? */
extern bool gq_locks_hold(const GqKeyLock *lock);

/* Did it take any? */
extern bool gq_locks_taken(void);

/* The transaction has ended. */
extern void gq_locks_forget(void);

#endif							/* GOQUE_CORE_LOCKS_H */
