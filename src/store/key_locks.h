/*-------------------------------------------------------------------------
 *
 * key_locks.h
 *	  Locks on (type, external_id), any number of them in a transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_KEY_LOCKS_H
#define GOQUE_STORE_KEY_LOCKS_H

/* In this order; the caller sorts them, against deadlocks. */
extern void gq_key_locks_take(Datum type, const Datum *external_ids, int n);

#endif							/* GOQUE_STORE_KEY_LOCKS_H */
