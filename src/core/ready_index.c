/*-------------------------------------------------------------------------
 *
 * ready_index.c
 *	  The index of ready tasks: (type, priority, next_attempt_at, id).
 *
 * A scan of a btree reads a page at once and compares all that follows on it
 * with the keys, some hundred entries, where a fetch wants one task.  So a walk
 * first reads up to a bound, some entries further, that an earlier walk has
 * seen, and only then as far as there is.  The bound is a hint: whatever it is,
 * the scans together read everything.
 *
 * A scan ends early at a key that fails only where all columns before that one
 * are fixed, and never by the second column of a row comparison.  Tasks that were
 * added together have the same time, and by such a comparison all of them would be
 * read.  So before the time of the bound a scan ends at that time, and among the
 * tasks of that time at the bound's id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "core/ready_index.h"

/* entries between a fetch and the bound that it leaves for the next ones */
#define LOOK_AHEAD 16

static void
key_of_type(ScanKey key, Datum type)
{
	ScanKeyEntryInitialize(key, 0, 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
						   F_TEXTEQ, type);
}

static void
key_of_priority(ScanKey key, StrategyNumber strategy, RegProcedure procedure, int priority)
{
	ScanKeyEntryInitialize(key, 0, 2, strategy, INT2OID, InvalidOid, procedure,
						   Int16GetDatum((int16) priority));
}

static void
key_of_time(ScanKey key, StrategyNumber strategy, RegProcedure procedure, TimestampTz at)
{
	ScanKeyEntryInitialize(key, 0, 3, strategy, TIMESTAMPTZOID, InvalidOid, procedure,
						   TimestampTzGetDatum(at));
}

static void
key_of_id(ScanKey key, StrategyNumber strategy, RegProcedure procedure, int64 id)
{
	ScanKeyEntryInitialize(key, 0, 4, strategy, INT8OID, InvalidOid, procedure, Int64GetDatum(id));
}

/* (next_attempt_at, id) >= `from`; `row` has room for the two */
static void
key_of_position(ScanKey key, ScanKey row, GqKey from)
{
	ScanKeyEntryInitialize(&row[0], SK_ROW_MEMBER, 3, BTGreaterEqualStrategyNumber, TIMESTAMPTZOID,
						   InvalidOid, F_TIMESTAMPTZ_CMP, TimestampTzGetDatum(from.at));
	ScanKeyEntryInitialize(&row[1], SK_ROW_MEMBER | SK_ROW_END, 4, BTGreaterEqualStrategyNumber,
						   INT8OID, InvalidOid, F_BTINT8CMP, Int64GetDatum(from.id));
	MemSet(key, 0, sizeof(ScanKeyData));
	key->sk_flags = SK_ROW_HEADER;
	key->sk_attno = 3;
	key->sk_strategy = BTGreaterEqualStrategyNumber;
	key->sk_argument = PointerGetDatum(row);
}

/* Among tasks of one time: up to the bound, itself too. */
static int
keys_of_ids(ScanKey keys, GqKey from, int64 last)
{
	key_of_time(&keys[0], BTEqualStrategyNumber, F_TIMESTAMPTZ_EQ, from.at);
	key_of_id(&keys[1], BTGreaterEqualStrategyNumber, F_INT8GE, from.id);
	key_of_id(&keys[2], BTLessEqualStrategyNumber, F_INT8LE, last);
	return 3;
}

/* Up to a time, without it. */
static int
keys_of_times(GqReadyWalk *walk, ScanKey keys, GqKey from, TimestampTz end)
{
	int			n = 0;

	if (from.at != DT_NOBEGIN)
		key_of_position(&keys[n++], walk->row, from);
	key_of_time(&keys[n++], BTLessStrategyNumber, F_TIMESTAMPTZ_LT, end);
	return n;
}

static void
begin_scan(GqReadyWalk *walk, GqKey from)
{
	ScanKeyData keys[5];
	int			n = 2;

	key_of_type(&keys[0], walk->type);
	key_of_priority(&keys[1], BTEqualStrategyNumber, F_INT2EQ, walk->priority);
	walk->beyond.at = walk->bound.at;
	if (!walk->bounded)			/* before the pending tasks, at infinity, and
								 * what they left */
		n += keys_of_times(walk, &keys[n], from, DT_NOEND);
	else if (from.at < walk->bound.at)
	{
		n += keys_of_times(walk, &keys[n], from, walk->bound.at);
		walk->beyond.id = PG_INT64_MIN;
	}
	else
	{
		n += keys_of_ids(&keys[n], from, walk->bound.id);
		walk->beyond.id = walk->bound.id + 1;
	}
	walk->scan = gq_index_beginscan(walk->generation->table,
									gq_generation_index(walk->generation, GQ_PART_READY),
									walk->snapshot, n);
	walk->scan->xs_want_itup = !walk->bounded;
	index_rescan(walk->scan, keys, n, NULL, 0);
}

void
gq_walk_begin(GqReadyWalk *walk, int priority, GqKey from, GqKey bound)
{
	walk->priority = priority;
	walk->bound = bound;
	walk->bounded = gq_key_cmp(from, bound) < 0;
	begin_scan(walk, from);
}

bool
gq_walk_next(GqReadyWalk *walk, TupleTableSlot *slot)
{
	if (index_getnext_slot(walk->scan, ForwardScanDirection, slot))
		return true;
	if (!walk->bounded)
		return false;
	index_endscan(walk->scan);
	walk->bounded = false;
	begin_scan(walk, walk->beyond);
	return index_getnext_slot(walk->scan, ForwardScanDirection, slot);
}

bool
gq_walk_look_ahead(GqReadyWalk *walk, GqKey *ahead)
{
	bool		isnull;

	if (walk->bounded)
		return false;
	for (int i = 0; i < LOOK_AHEAD; i++)
		if (index_getnext_tid(walk->scan, ForwardScanDirection) == NULL)
			return false;
	ahead->at = DatumGetTimestampTz(index_getattr(walk->scan->xs_itup, 3, walk->scan->xs_itupdesc, &isnull));
	ahead->id = DatumGetInt64(index_getattr(walk->scan->xs_itup, 4, walk->scan->xs_itupdesc, &isnull));
	return true;
}

void
gq_walk_end(GqReadyWalk *walk)
{
	index_endscan(walk->scan);
	walk->scan = NULL;
}

bool
gq_ready_next_priority(GqGeneration *generation, Datum type, int from, Snapshot snapshot, int *priority)
{
	Relation	index = gq_generation_index(generation, GQ_PART_READY);
	IndexScanDesc scan;
	ScanKeyData keys[2];
	bool		found;

	if (from > PG_INT16_MAX)
		return false;
	key_of_type(&keys[0], type);
	key_of_priority(&keys[1], BTGreaterEqualStrategyNumber, F_INT2GE, from);
	scan = gq_index_beginscan(generation->table, index, snapshot, 2);
	scan->xs_want_itup = true;
	index_rescan(scan, keys, 2, NULL, 0);
	found = index_getnext_tid(scan, ForwardScanDirection) != NULL;
	if (found)
	{
		bool		isnull;

		*priority = DatumGetInt16(index_getattr(scan->xs_itup, 2, scan->xs_itupdesc, &isnull));
	}
	index_endscan(scan);
	return found;
}
