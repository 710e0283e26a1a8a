/*-------------------------------------------------------------------------
 *
 * key_locks.c
 *	  Locks on (type, external_id), any number of them in a transaction.
 *
 * A lock is a row in a table with a unique index, inserted and deleted by the
 * same transaction: whoever inserts the same key waits in the index for that
 * transaction, and then finds the row dead whether it committed or not.  Unlike
 * heavyweight locks there is room for 100,000 of them, and no two keys share a
 * hash; unlike an entry that stays, nothing needs to be kept in step with the
 * tasks.  A prepared transaction holds its locks over a crash.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "store/key_locks.h"
#include "store/relations.h"

static void
insert_lock(Relation rel, Relation index, TupleTableSlot *slot, GqUniqueKey key)
{
	static IndexInfo info = {.type = T_IndexInfo};	/* btree looks at nothing
													 * in it */

	ExecClearTuple(slot);
	slot->tts_values[0] = key.type;
	slot->tts_values[1] = key.external_id;
	slot->tts_isnull[0] = slot->tts_isnull[1] = false;
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, NULL);
	info.ii_AmCache = NULL;
	index_insert(index, slot->tts_values, slot->tts_isnull, &slot->tts_tid, rel,
				 UNIQUE_CHECK_YES, false, &info);
}

static void
delete_lock(Relation rel, ItemPointer tid)
{
	TM_FailureData tmfd;

	if (gq_table_tuple_delete(rel, tid, GetCurrentCommandId(true), InvalidSnapshot, true, &tmfd) != TM_Ok)
		elog(ERROR, "could not delete a lock from goque.key_locks");
}

void
gq_key_locks_take(const GqUniqueKey *keys, int64 n)
{
	Relation	rel = table_open(gq_relid(GQ_REL_KEY_LOCKS), RowExclusiveLock);
	Relation	index = index_open(gq_relid(GQ_REL_KEY_LOCKS_PKEY), RowExclusiveLock);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	ItemPointerData *tids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(ItemPointerData) * n);

	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		insert_lock(rel, index, slot, keys[i]);
		tids[i] = slot->tts_tid;
	}
	CommandCounterIncrement();
	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		delete_lock(rel, &tids[i]);
	}
	CommandCounterIncrement();
	pfree(tids);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(rel, NoLock);
}
