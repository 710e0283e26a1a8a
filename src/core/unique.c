/*-------------------------------------------------------------------------
 *
 * unique.c
 *	  One task per type and external id, for as long as it was asked for.
 *
 * Whether a key is taken depends on the scope of the new call, so no unique
 * index can tell.  Whoever adds, replaces or revives a task with an external id
 * locks the key first and looks second, with a snapshot taken after the lock
 * was granted; so of two at most one finds it free (rule 6 of docs/design.md).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "core/task.h"
#include "core/unique.h"

static bool
in_scope(const GqTask *task, GqUniqueWhile scope)
{
	switch (scope)
	{
		case GQ_WHILE_KEPT:
			return true;
		case GQ_WHILE_LIVE:
			return !GqStatusIsTerminal(task->status);
		case GQ_WHILE_WAITING:
			/* the first fetch frees the key for good, a release or not */
			return (task->status == GQ_NEW || task->status == GQ_PENDING) && task->started_at == 0;
	}
	return false;
}

static int64
find_in(GqGeneration *generation, GqUniqueKey key, GqUniqueWhile scope, int64 except,
		Snapshot snapshot)
{
	Relation	index = gq_generation_index(generation, GQ_PART_EXTERNAL_ID);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	IndexScanDesc scan = gq_index_beginscan(generation->table, index, snapshot, 2);
	ScanKeyData keys[2];
	int64		youngest = 0;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, key.type);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, key.external_id);
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		gq_task_read(&task, slot);
		if (task.id != except && task.id > youngest && in_scope(&task, scope))
			youngest = task.id;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return youngest;
}

int64
gq_unique_find(GqUniqueKey key, GqUniqueWhile scope, int64 except)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	int64		youngest = 0;

	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		GqGeneration *generation = gq_generation_open(g);

		if (RelationGetNumberOfBlocks(generation->table) > 0)
			youngest = Max(youngest, find_in(generation, key, scope, except, snapshot));
		gq_generation_close(generation);
	}
	UnregisterSnapshot(snapshot);
	return youngest;
}
