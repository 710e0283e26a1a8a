/*-------------------------------------------------------------------------
 *
 * line.c
 *	  Lines: the tasks of a type with one ordering key, which run one at a time.
 *
 * A task with an ordering key has a place in its line: its id, or if it was
 * retried or replaced, a later number from the same sequence.  The first one
 * that lives is the head, and takes part in fetching; the others are pending.
 *
 * Whoever joins a line holds its lock to the end of the transaction, and draws
 * the number under it: so places are in the order of commits, and nothing
 * uncommitted of others stands in a line that one has locked.  What is ahead of
 * the last place is found there: when the last one has ended, all have.  (One
 * that ends while it is pending loses its place.)
 *
 * Everything here costs one descent in the line index of each generation that
 * is not void, whatever the length of the line.
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
#include "core/line.h"

/* what is looked for: the first one from `place` on, in one direction */
typedef struct Look
{
	const GqKeyLock *line;
	int64		place;
	StrategyNumber strategy;
	RegProcedure procedure;
	ScanDirection direction;
	bool		live;			/* pass what has ended */
	bool		on;				/* go on to the last that has not */
} Look;

typedef struct Found
{
	int64		id;				/* 0: none */
	int64		place;
	GqStatus	status;
} Found;

static Look
from_place_on(const GqKeyLock *line, int64 place)
{
	return (Look)
	{
		line, place, BTGreaterEqualStrategyNumber, F_INT8GE, ForwardScanDirection, true, false
	};
}

static Look
back_from(const GqKeyLock *line, int64 place)
{
	return (Look)
	{
		line, place, BTLessStrategyNumber, F_INT8LT, BackwardScanDirection, false, false
	};
}

bool
gq_line_of(const GqTask *task, GqKeyLock *line)
{
	bool		isnull;

	line->kind = GQ_LOCK_LINE;
	line->type = task->type;
	line->key = slot_getattr(task->slot, GQ_ATT_ORDERING_KEY, &isnull);
	return !isnull;
}

static bool
comes_first(const Look *look, int64 place, int64 other)
{
	return ScanDirectionIsForward(look->direction) || look->on ? place < other : place > other;
}

static void
look_in(GqGeneration *generation, const Look *look, Snapshot snapshot, Found *found)
{
	Relation	index = gq_generation_index(generation, GQ_PART_LINE);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	IndexScanDesc scan = gq_index_beginscan(generation->table, index, snapshot, 3);
	ScanKeyData keys[3];

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, look->line->type);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, look->line->key);
	ScanKeyEntryInitialize(&keys[2], 0, 3, look->strategy, INT8OID, InvalidOid,
						   look->procedure, Int64GetDatum(look->place));
	index_rescan(scan, keys, 3, NULL, 0);
	while (index_getnext_slot(scan, look->direction, slot))
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		gq_task_read(&task, slot);
		if (look->live && GqStatusIsTerminal(task.status))
			continue;
		if (look->on && GqStatusIsTerminal(task.status))
			break;
		if (found->id == 0 || comes_first(look, task.place, found->place))
			*found = (Found)
		{
			task.id, task.place, task.status
		};
		if (!look->on)
			break;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

static Found
look_with(const Look *look, Snapshot snapshot)
{
	Found		found = {0};

	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		GqGeneration *generation = gq_generation_open(g);

		if (RelationGetNumberOfBlocks(generation->table) > 0)
			look_in(generation, look, snapshot, &found);
		gq_generation_close(generation);
	}
	return found;
}

static Found
find(Look look)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Found		found = look_with(&look, snapshot);

	UnregisterSnapshot(snapshot);
	return found;
}

static bool
lives(const Found *found)
{
	return found->id != 0 && !GqStatusIsTerminal(found->status);
}

bool
gq_line_is_busy(const GqKeyLock *line)
{
	Found		last = find(back_from(line, PG_INT64_MAX));

	return lives(&last);
}

void
gq_line_join(const GqKeyLock *line, GqChanges *changes, TimestampTz run_at)
{
	gq_change(changes, GQ_ATT_PLACE, Int64GetDatum(gq_row_next_id()));
	if (gq_line_is_busy(line))
		gq_task_block(changes, run_at);
	else
		gq_task_unblock(changes, run_at);
}

int64
gq_line_next(const GqKeyLock *line, int64 place)
{
	Found		next = find(from_place_on(line, place));
	Found		ahead;

	if (next.id == 0 || next.status != GQ_PENDING)
		return 0;
	ahead = find(back_from(line, next.place));
	return lives(&ahead) ? 0 : next.id;
}

int64
gq_line_ahead_of(const GqTask *task)
{
	GqKeyLock	line;
	Look		look;

	if (task->place == 0 || !gq_line_of(task, &line))
		return 0;
	look = back_from(&line, task->place);
	look.on = true;
	return find(look).id;
}
