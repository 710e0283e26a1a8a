/*-------------------------------------------------------------------------
 *
 * fetch_log.c
 *	  goque.fetch_log: when tasks of types with a rate limit were fetched.
 *
 * A row for each such fetch, inserted by its transaction and never changed; the
 * cleaner deletes those that no rate_period reaches back to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "store/fetch_log.h"
#include "store/relations.h"

#define ATT_TYPE 1
#define ATT_FETCHED_AT 2
#define ATT_TASK 3
#define ATT_N 4
#define LOG_ATTS 4

void
gq_fetch_log_append(const char *type, TimestampTz at, int64 id, int64 n)
{
	static IndexInfo info = {.type = T_IndexInfo};	/* btree looks at nothing
													 * in it */
	Relation	rel = gq_table_open(GQ_REL_FETCH_LOG, RowExclusiveLock);
	Relation	index = index_open(gq_relid(GQ_REL_FETCH_LOG_PKEY), RowExclusiveLock);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);

	slot->tts_values[ATT_TYPE - 1] = CStringGetTextDatum(type);
	slot->tts_values[ATT_FETCHED_AT - 1] = TimestampTzGetDatum(at);
	slot->tts_values[ATT_TASK - 1] = Int64GetDatum(id);
	slot->tts_values[ATT_N - 1] = Int64GetDatum(n);
	memset(slot->tts_isnull, false, sizeof(bool) * LOG_ATTS);
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, NULL);
	info.ii_AmCache = NULL;
	index_insert(index, slot->tts_values, slot->tts_isnull, &slot->tts_tid, rel,
				 UNIQUE_CHECK_YES, false, &info);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(rel, NoLock);
}

void
gq_fetch_log_scan(const char *type, TimestampTz since, void (*fn) (TimestampTz at, int64 n, void *arg),
				  void *arg)
{
	Relation	rel = gq_table_open(GQ_REL_FETCH_LOG, AccessShareLock);
	Relation	index = index_open(gq_relid(GQ_REL_FETCH_LOG_PKEY), AccessShareLock);
	SnapshotData dirty;
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan;
	ScanKeyData keys[2];

	/* what is not committed yet, or prepared, counts too */
	InitDirtySnapshot(dirty);
	scan = gq_index_beginscan(rel, index, &dirty, 2);
	ScanKeyEntryInitialize(&keys[0], 0, ATT_TYPE, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(type));
	ScanKeyEntryInitialize(&keys[1], 0, ATT_FETCHED_AT, BTGreaterStrategyNumber, TIMESTAMPTZOID,
						   InvalidOid, F_TIMESTAMPTZ_GT, TimestampTzGetDatum(since));
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		fn(DatumGetTimestampTz(slot_getattr(slot, ATT_FETCHED_AT, &isnull)),
		   DatumGetInt64(slot_getattr(slot, ATT_N, &isnull)), arg);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

void
gq_fetch_log_thin(void)
{
	Relation	rel = gq_table_open(GQ_REL_FETCH_LOG, AccessShareLock);
	bool		is_void = RelationGetNumberOfBlocks(rel) == 0;

	table_close(rel, AccessShareLock);
	if (is_void)
		return;
	SPI_connect();
	/* in seconds, since a month of a period is 30 days */
	if (SPI_execute("DELETE FROM goque.fetch_log WHERE fetched_at < pg_catalog.clock_timestamp()"
					" - pg_catalog.make_interval(secs => greatest(60, (SELECT pg_catalog.max("
					"extract(epoch FROM rate_period)) FROM goque.settings))::float8)",
					false, 0) != SPI_OK_DELETE)
		elog(ERROR, "goque.fetch_log could not be thinned");
	SPI_finish();
}
