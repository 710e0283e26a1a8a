/*-------------------------------------------------------------------------
 *
 * key_locks.h
 *	  Locks on keys, any number of them in a transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_KEY_LOCKS_H
#define GOQUE_STORE_KEY_LOCKS_H

/* what a key is of; a call takes them in this order */
typedef enum GqLockKind
{
	GQ_LOCK_EXTERNAL_ID = 1,
	GQ_LOCK_AFTER = 2,			/* one for all: a task gets others to wait for */
	GQ_LOCK_TASK = 3,			/* what waits for a task, and what it waits
								 * for */
	GQ_LOCK_LINE = 4,			/* the tasks with one ordering key */
	GQ_LOCK_LIMIT = 5			/* claiming tasks of a type */
} GqLockKind;

typedef struct GqKeyLock
{
	GqLockKind	kind;
	Datum		type;			/* both text */
	Datum		key;
} GqKeyLock;

/* In this order; the caller sorts them, against deadlocks.  Waits. */
extern void gq_key_locks_take(const GqKeyLock *locks, int64 n);

/* Take one if it is free; never waits. */
extern bool gq_key_locks_try(const GqKeyLock *lock);

/* Does another transaction hold it?  For who takes none: also on a standby. */
extern bool gq_key_locks_is_held(const GqKeyLock *lock);

/* Give back the space of past locks if there is much of it, and nobody holds
 * one: for the keeper, whose transaction holds none.  False: come again. */
extern bool gq_key_locks_shrink(void);

#endif							/* GOQUE_STORE_KEY_LOCKS_H */
