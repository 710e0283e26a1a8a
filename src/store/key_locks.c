/*-------------------------------------------------------------------------
 *
 * key_locks.c
 *	  Locks on keys, any number of them in a transaction.
 *
 * A lock is a row in a table with a unique index, inserted and deleted by the
 * same transaction: whoever inserts the same key waits in the index for that
 * transaction, and then finds the row dead whether it committed or not.  Unlike
 * heavyweight locks there is room for 100,000 of them, and no two keys share a
 * hash; unlike an entry that stays, nothing needs to be kept in step with the
 * tasks.  A prepared transaction holds its locks over a crash.
 *
 * Who will not wait inserts speculatively, as ON CONFLICT does, and takes the
 * row back at once if somebody else was faster: a row left behind would look
 * like a lock to others.
 *
 * Such a row is never seen by anybody, but an old snapshot keeps VACUUM from
 * taking it away, and its entry in the index with it; each lock of a key would
 * step over the entries of all past ones.  We know better than VACUUM: what one
 * transaction inserted and deleted is dead to all as soon as that has ended. So
 * whoever takes a lock first marks such entries dead, which hides them, and lets
 * a full page of the index drop them.  The table itself is truncated by the
 * keeper.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/key_locks.h"
#include "store/relations.h"

#define KEY_ATTRS 3
#define LARGE_PAGES (512 * 1024 / BLCKSZ)	/* worth a TRUNCATE */

typedef struct LockTable
{
	Relation	rel;
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;			/* over every row, visible or not */
} LockTable;

typedef enum RowState
{
	ROW_DEAD,					/* to everybody, for good */
	ROW_OURS,
	ROW_OF_OTHERS,				/* who are still running */
	ROW_ODD						/* somebody made it by hand */
} RowState;

static void
open_table(LockTable *table)
{
	table->rel = gq_table_open(GQ_REL_KEY_LOCKS, RowExclusiveLock);
	table->index = index_open(gq_relid(GQ_REL_KEY_LOCKS_PKEY), RowExclusiveLock);
	table->slot = MakeSingleTupleTableSlot(RelationGetDescr(table->rel), &TTSOpsVirtual);
	table->scan = gq_index_beginscan(table->rel, table->index, SnapshotAny, KEY_ATTRS);
}

/* The locks on the tables stay until the transaction ends. */
static void
close_table(LockTable *table)
{
	index_endscan(table->scan);
	ExecDropSingleTupleTableSlot(table->slot);
	index_close(table->index, NoLock);
	table_close(table->rel, NoLock);
}

/* ---- rows of past locks ---- */

static RowState
state_of_header(HeapTupleHeader header)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(header);

	if (!TransactionIdIsNormal(xmin) || HeapTupleHeaderXminInvalid(header))
		return ROW_DEAD;		/* a lock that was tried for */
	if (TransactionIdIsCurrentTransactionId(xmin))
		return ROW_OURS;
	if (TransactionIdIsInProgress(xmin))
		return ROW_OF_OTHERS;
	if (TransactionIdDidCommit(xmin) && HeapTupleHeaderGetRawXmax(header) != xmin)
		return ROW_ODD;
	return ROW_DEAD;
}

static RowState
state_of_row(Relation rel, ItemPointer tid)
{
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(tid));
	OffsetNumber offset = ItemPointerGetOffsetNumber(tid);
	RowState	state = ROW_ODD;
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	if (offset <= PageGetMaxOffsetNumber(page))
	{
		ItemId		item = PageGetItemId(page, offset);

		if (ItemIdIsNormal(item))
			state = state_of_header((HeapTupleHeader) PageGetItem(page, item));
		else if (ItemIdIsDead(item))
			state = ROW_DEAD;
	}
	UnlockReleaseBuffer(buffer);
	return state;
}

/* Mark what is left of past locks on this key.  Returns whether somebody else
 * holds it now. */
static bool
sweep(LockTable *table, const GqKeyLock *lock)
{
	ScanKeyData keys[KEY_ATTRS];
	ItemPointer tid;
	bool		held = false;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, INT2OID, InvalidOid, F_INT2EQ,
						   Int16GetDatum((int16) lock->kind));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, lock->type);
	ScanKeyEntryInitialize(&keys[2], 0, 3, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, lock->key);
	index_rescan(table->scan, keys, KEY_ATTRS, NULL, 0);
	while ((tid = index_getnext_tid(table->scan, ForwardScanDirection)) != NULL)
	{
		RowState	state = state_of_row(table->rel, tid);

		CHECK_FOR_INTERRUPTS();
		table->scan->kill_prior_tuple = state == ROW_DEAD;
		held |= state == ROW_OF_OTHERS;
	}
	return held;
}

/* ---- taking ---- */

static void
fill_slot(TupleTableSlot *slot, const GqKeyLock *lock)
{
	ExecClearTuple(slot);
	slot->tts_values[0] = Int16GetDatum((int16) lock->kind);
	slot->tts_values[1] = lock->type;
	slot->tts_values[2] = lock->key;
	memset(slot->tts_isnull, false, sizeof(bool) * KEY_ATTRS);
	ExecStoreVirtualTuple(slot);
}

static bool
insert_entry(LockTable *table, IndexUniqueCheck check)
{
	static IndexInfo info = {.type = T_IndexInfo};	/* btree looks at nothing
													 * in it */

	info.ii_AmCache = NULL;
	return index_insert(table->index, table->slot->tts_values, table->slot->tts_isnull,
						&table->slot->tts_tid, table->rel, check, false, &info);
}

static void
insert_lock(LockTable *table, const GqKeyLock *lock)
{
	fill_slot(table->slot, lock);
	table_tuple_insert(table->rel, table->slot, GetCurrentCommandId(true), 0, NULL);
	(void) insert_entry(table, UNIQUE_CHECK_YES);
}

static bool
insert_if_free(LockTable *table, const GqKeyLock *lock)
{
	TransactionId xid = GetCurrentTransactionId();
	uint32		token;
	bool		is_free;

	fill_slot(table->slot, lock);
	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(table->rel, table->slot, GetCurrentCommandId(true), 0, NULL, token);
	is_free = insert_entry(table, UNIQUE_CHECK_PARTIAL);
	table_tuple_complete_speculative(table->rel, table->slot, token, is_free);
	SpeculativeInsertionLockRelease(xid);
	return is_free;
}

static void
delete_lock(Relation rel, ItemPointer tid)
{
	TM_FailureData tmfd;

	if (gq_table_tuple_delete(rel, tid, GetCurrentCommandId(true), InvalidSnapshot, true, &tmfd) != TM_Ok)
		elog(ERROR, "could not delete a lock from goque.key_locks");
}

void
gq_key_locks_take(const GqKeyLock *locks, int64 n)
{
	LockTable	table;
	ItemPointerData *tids;

	if (n == 0)
		return;
	open_table(&table);
	tids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(ItemPointerData) * n);
	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) sweep(&table, &locks[i]);
		insert_lock(&table, &locks[i]);
		tids[i] = table.slot->tts_tid;
	}
	CommandCounterIncrement();
	for (int64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		delete_lock(table.rel, &tids[i]);
	}
	CommandCounterIncrement();
	pfree(tids);
	close_table(&table);
}

bool
gq_key_locks_try(const GqKeyLock *lock)
{
	LockTable	table;
	bool		taken;

	open_table(&table);
	taken = !sweep(&table, lock) && insert_if_free(&table, lock);
	if (taken)
	{
		CommandCounterIncrement();
		delete_lock(table.rel, &table.slot->tts_tid);
		CommandCounterIncrement();
	}
	close_table(&table);
	return taken;
}

bool
gq_key_locks_is_held(const GqKeyLock *lock)
{
	LockTable	table;
	bool		held;

	if (RecoveryInProgress())
		return false;
	open_table(&table);
	held = sweep(&table, lock);
	close_table(&table);
	return held;
}

/* ---- the keeper ---- */

bool
gq_key_locks_shrink(void)
{
	Oid			relid = gq_relid(GQ_REL_KEY_LOCKS);
	Relation	rel = table_open(relid, AccessShareLock);
	BlockNumber pages = RelationGetNumberOfBlocks(rel);

	table_close(rel, AccessShareLock);
	if (pages < LARGE_PAGES)
		return true;
	if (!ConditionalLockRelationOid(relid, AccessExclusiveLock))
		return false;
	SPI_connect();
	if (SPI_execute("TRUNCATE goque.key_locks", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute \"TRUNCATE goque.key_locks\"");
	SPI_finish();
	return true;
}
