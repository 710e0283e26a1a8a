/*-------------------------------------------------------------------------
 *
 * prepared_keys.c
 *	  What prepared transactions may make claimable without telling anybody.
 *
 * COMMIT PREPARED and ROLLBACK PREPARED run no callback of ours, so the keeper
 * looks once a minute for tasks that a frontier hides since.  To spare it the
 * walk over all that was ever finished, PREPARE leaves here the smallest key
 * that its transaction added or took, of all generations and priorities of a
 * type; no such task stands below it.  It is kept until a minute's look that
 * began when no prepared transaction was left in the database.
 *
 * Locks: the mutex of the type's entry.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shared/prepared_keys.h"

void
gq_prepared_note(GqType *entry, GqKey key)
{
	SpinLockAcquire(&entry->mutex);
	if (entry->prepared++ == 0 || gq_key_cmp(key, entry->prepared_key) < 0)
		entry->prepared_key = key;
	SpinLockRelease(&entry->mutex);
}

uint32
gq_prepared_read(GqType *entry, GqKey *key)
{
	uint32		n;

	SpinLockAcquire(&entry->mutex);
	n = entry->prepared;
	*key = entry->prepared_key;
	SpinLockRelease(&entry->mutex);
	return n;
}

void
gq_prepared_forget(GqType *entry, uint32 n)
{
	SpinLockAcquire(&entry->mutex);
	if (entry->prepared == n)
		entry->prepared = 0;
	SpinLockRelease(&entry->mutex);
}
