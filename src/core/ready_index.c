/*-------------------------------------------------------------------------
 *
 * ready_index.c
 *	  The index of ready tasks: (type, priority, next_attempt_at, id).
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

/* (next_attempt_at, id) >= (from.at, from.id); `row` has room for the two */
static void
key_of_position(ScanKey key, ScanKey row, GqKey from)
{
	ScanKeyEntryInitialize(&row[0], SK_ROW_MEMBER, 3, BTGreaterEqualStrategyNumber,
						   TIMESTAMPTZOID, InvalidOid, F_TIMESTAMPTZ_CMP,
						   TimestampTzGetDatum(from.at));
	ScanKeyEntryInitialize(&row[1], SK_ROW_MEMBER | SK_ROW_END, 4, BTGreaterEqualStrategyNumber,
						   INT8OID, InvalidOid, F_BTINT8CMP, Int64GetDatum(from.id));
	MemSet(key, 0, sizeof(ScanKeyData));
	key->sk_flags = SK_ROW_HEADER;
	key->sk_attno = 3;
	key->sk_strategy = BTGreaterEqualStrategyNumber;
	key->sk_argument = PointerGetDatum(row);
}

int
gq_ready_keys(ScanKey keys, ScanKey row, Datum type, int priority, GqKey from)
{
	int			n = 2;

	key_of_type(&keys[0], type);
	key_of_priority(&keys[1], BTEqualStrategyNumber, F_INT2EQ, priority);
	if (from.at != DT_NOBEGIN)
		key_of_position(&keys[n++], row, from);
	/* pending tasks are at infinity: end before them and what they left */
	ScanKeyEntryInitialize(&keys[n++], 0, 3, BTLessStrategyNumber, TIMESTAMPTZOID, InvalidOid,
						   F_TIMESTAMPTZ_LT, TimestampTzGetDatum(DT_NOEND));
	return n;
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
