/*-------------------------------------------------------------------------
 *
 * unique.h
 *	  One task per type and external id, for as long as it was asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_UNIQUE_H
#define GOQUE_CORE_UNIQUE_H

#include "core/locks.h"
#include "goque.h"

typedef struct GqUniqueKey
{
	Datum		type;			/* both text */
	Datum		external_id;
} GqUniqueKey;

/* What to hold so that nobody else can add or revive a task with it. */
static inline GqKeyLock
gq_unique_lock(GqUniqueKey key)
{
	GqKeyLock	lock = {GQ_LOCK_EXTERNAL_ID, key.type, key.external_id};

	return lock;
}

/* Id of the youngest task with this external id in this scope, other than
 * `except`; 0: none. */
extern int64 gq_unique_find(GqUniqueKey key, GqUniqueWhile scope, int64 except);

#endif							/* GOQUE_CORE_UNIQUE_H */
