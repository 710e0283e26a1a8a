/*-------------------------------------------------------------------------
 *
 * unique.h
 *	  One task per type and external id, for as long as it was asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_UNIQUE_H
#define GOQUE_CORE_UNIQUE_H

#include "goque.h"
#include "store/key_locks.h"

/*
 * Nobody else can add or revive a task with one of these external ids until
 * this transaction ends.  Waits for a transaction that holds one of them, and
 * for nothing else.
 */
extern void gq_unique_lock(const GqUniqueKey *keys, int64 n);

/* Id of the youngest task with this external id in this scope, other than
 * `except`; 0: none. */
extern int64 gq_unique_find(GqUniqueKey key, GqUniqueWhile scope, int64 except);

#endif							/* GOQUE_CORE_UNIQUE_H */
