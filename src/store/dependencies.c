/*-------------------------------------------------------------------------
 *
 * dependencies.c
 *	  Rows of goque.dependencies: who waits for whom.
 *
 * A row for each parent that has not ended, and none for what has: so the table is
 * small, and a task may start when it finds no row of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/dependencies.h"
#include "store/pinned_path.h"
#include "store/relations.h"

enum
{
	ATT_PARENT = 1,
	ATT_CHILD = 2
};

/* Does it to a row; false: enough. */
typedef bool (*RowStep) (Relation table, TupleTableSlot *slot, void *arg);

bool
gq_dependencies_are_void(void)
{
	Relation	table = gq_table_open(GQ_REL_DEPENDENCIES, AccessShareLock);
	bool		is_void = RelationGetNumberOfBlocks(table) == 0;

	table_close(table, AccessShareLock);
	return is_void;
}

/* ---- reading ---- */

/* Rows by the leading columns of an index; 0: any second one. */
static void
each_row(GqRelation by, int64 first, int64 second, ScanDirection direction, LOCKMODE lockmode,
		 RowStep step, void *arg)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Relation	table = gq_table_open(GQ_REL_DEPENDENCIES, lockmode);
	Relation	index = index_open(gq_relid(by), lockmode);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	int			nkeys = first == 0 ? 0 : second == 0 ? 1 : 2;
	IndexScanDesc scan = gq_index_beginscan(table, index, snapshot, nkeys);
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(first));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(second));
	index_rescan(scan, keys, nkeys, NULL, 0);
	while (index_getnext_slot(scan, direction, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!step(table, slot, arg))
			break;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, lockmode == AccessShareLock ? AccessShareLock : NoLock);
	table_close(table, lockmode == AccessShareLock ? AccessShareLock : NoLock);
	UnregisterSnapshot(snapshot);
}

typedef struct Ids
{
	int			attr;
	int64		max;
	int64	   *ids;
	int64		n;
	int64		room;
} Ids;

static bool
append_id(Relation table, TupleTableSlot *slot, void *arg)
{
	Ids		   *ids = arg;
	bool		isnull;

	if (ids->n == ids->max)
		return false;
	if (ids->n == ids->room)
	{
		ids->room *= 2;
		ids->ids = repalloc_huge(ids->ids, sizeof(int64) * ids->room);
	}
	ids->ids[ids->n++] = DatumGetInt64(slot_getattr(slot, ids->attr, &isnull));
	return true;
}

static int64 *
collect(GqRelation by, int64 first, ScanDirection direction, int attr, int64 max, int64 *n)
{
	Ids			ids = {.attr = attr,.max = max,.room = 16};

	ids.ids = palloc(sizeof(int64) * ids.room);
	each_row(by, first, 0, direction, AccessShareLock, append_id, &ids);
	*n = ids.n;
	return ids.ids;
}

int64 *
gq_dependencies_children(int64 parent, int64 *n)
{
	return collect(GQ_REL_DEPENDENCIES_PKEY, parent, ForwardScanDirection, ATT_CHILD, -1, n);
}

/* Parents mostly end in the order of their ids: the largest is found at once. */
int64 *
gq_dependencies_parents(int64 child, int64 max, int64 *n)
{
	return collect(GQ_REL_DEPENDENCIES_CHILD, child, BackwardScanDirection, ATT_PARENT, max, n);
}

/* From one to the next by the index, however many wait for each. */
bool
gq_dependencies_each_parent(GqParentStep step, void *arg)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Relation	table = gq_table_open(GQ_REL_DEPENDENCIES, AccessShareLock);
	Relation	index = index_open(gq_relid(GQ_REL_DEPENDENCIES_PKEY), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	IndexScanDesc scan = gq_index_beginscan(table, index, snapshot, 1);
	int64		parent = PG_INT64_MIN;
	bool		all;

	do
	{
		ScanKeyData key;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		ScanKeyInit(&key, 1, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(parent));
		index_rescan(scan, &key, 1, NULL, 0);
		all = !index_getnext_slot(scan, ForwardScanDirection, slot);
		if (!all)
			parent = DatumGetInt64(slot_getattr(slot, ATT_PARENT, &isnull));
	} while (!all && step(parent, arg));
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	UnregisterSnapshot(snapshot);
	return all;
}

static bool
note_row(Relation table, TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = true;
	return false;
}

bool
gq_dependencies_any(int64 child)
{
	bool		any = false;

	each_row(GQ_REL_DEPENDENCIES_CHILD, child, 0, BackwardScanDirection, AccessShareLock, note_row, &any);
	return any;
}

bool
gq_dependencies_any_child(int64 parent)
{
	bool		any = false;

	each_row(GQ_REL_DEPENDENCIES_PKEY, parent, 0, ForwardScanDirection, AccessShareLock, note_row, &any);
	return any;
}

bool
gq_dependencies_exist(int64 parent, int64 child)
{
	bool		any = false;

	each_row(GQ_REL_DEPENDENCIES_PKEY, parent, child, ForwardScanDirection, AccessShareLock, note_row, &any);
	return any;
}

/* ---- writing ---- */

static void
insert_row(ResultRelInfo *result, EState *estate, TupleTableSlot *slot, int64 parent, int64 child)
{
	ExecClearTuple(slot);
	slot->tts_values[ATT_PARENT - 1] = Int64GetDatum(parent);
	slot->tts_values[ATT_CHILD - 1] = Int64GetDatum(child);
	slot->tts_isnull[ATT_PARENT - 1] = slot->tts_isnull[ATT_CHILD - 1] = false;
	ExecStoreVirtualTuple(slot);
	ExecSimpleRelationInsert(result, estate, slot);
	ResetPerTupleExprContext(estate);
}

void
gq_dependencies_insert(const int64 *parents, int nparents, const int64 *children, int nchildren)
{
	Relation	table = gq_table_open(GQ_REL_DEPENDENCIES, RowExclusiveLock);
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsVirtual);
	int			nest_level = gq_path_pin();

	InitResultRelInfo(result, table, 1, NULL, 0);
	ExecOpenIndices(result, false);
	for (int c = 0; c < nchildren; c++)
		for (int p = 0; p < nparents; p++)
		{
			CHECK_FOR_INTERRUPTS();
			insert_row(result, estate, slot, parents[p], children[c]);
		}
	ExecCloseIndices(result);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	gq_path_unpin(nest_level);
	table_close(table, NoLock);
	CommandCounterIncrement();
}

static bool
delete_row(Relation table, TupleTableSlot *slot, void *arg)
{
	TM_FailureData tmfd;

	CheckCmdReplicaIdentity(table, CMD_DELETE);
	(void) gq_table_tuple_delete(table, &slot->tts_tid, GetCurrentCommandId(true), InvalidSnapshot,
								 true, &tmfd);
	return true;
}

void
gq_dependencies_delete(int64 parent, int64 child)
{
	each_row(GQ_REL_DEPENDENCIES_PKEY, parent, child, ForwardScanDirection, RowExclusiveLock, delete_row, NULL);
	CommandCounterIncrement();
}

void
gq_dependencies_delete_all(int64 child)
{
	if (!gq_dependencies_any(child))
		return;
	each_row(GQ_REL_DEPENDENCIES_CHILD, child, 0, ForwardScanDirection, RowExclusiveLock, delete_row, NULL);
	CommandCounterIncrement();
}

void
gq_dependencies_fill(void)
{
	const int64 nobody = -1;

	gq_dependencies_insert(&nobody, 1, &nobody, 1);
	gq_dependencies_delete(nobody, nobody);
}
