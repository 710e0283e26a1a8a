/*-------------------------------------------------------------------------
 *
 * key_locks.h
 *	  Locks on (type, external_id), any number of them in a transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_KEY_LOCKS_H
#define GOQUE_STORE_KEY_LOCKS_H

typedef struct GqUniqueKey
{
	Datum		type;			/* both text */
	Datum		external_id;
} GqUniqueKey;

/* In this order; the caller sorts them, against deadlocks. */
extern void gq_key_locks_take(const GqUniqueKey *keys, int64 n);

#endif							/* GOQUE_STORE_KEY_LOCKS_H */
