/*-------------------------------------------------------------------------
 *
 * task_ids.c
 *	  Ids of tasks by what they are like, read from the tables.
 *
 * The callers do something to each of them by id, and look again under its
 * lock whether it still is what they want.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/subtrans.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "store/ring.h"
#include "store/row_lock.h"
#include "store/task_ids.h"

typedef struct Search
{
	const char *type;			/* NULL: every type */
	GqStatus	status;			/* 0: any */
	const char *error_like;
	TimestampTz lease_over;		/* 0: whatever the lease */
	bool		or_changing;	/* those that somebody changes, too */

	bool		wants_held;		/* `held` instead of `ids` */

	int64	   *ids;
	GqHeldTask *held;
	int64		n;
	int64		room;
} Search;

static void
append_held(Search *search, TupleTableSlot *slot)
{
	GqHeldTask *task;
	bool		isnull;

	if (search->n == search->room)
	{
		search->room = Max(64, search->room * 2);
		search->held = search->held == NULL ? palloc(sizeof(GqHeldTask) * search->room)
			: repalloc_huge(search->held, sizeof(GqHeldTask) * search->room);
	}
	task = &search->held[search->n++];
	task->id = DatumGetInt64(slot_getattr(slot, GQ_ATT_ID, &isnull));
	task->token = DatumGetInt64(slot_getattr(slot, GQ_ATT_TOKEN, &isnull));
	task->lease_until = DatumGetTimestampTz(slot_getattr(slot, GQ_ATT_LEASE_UNTIL, &isnull));
}

static void
append_id(Search *search, int64 id)
{
	if (search->ids == NULL)
	{
		search->room = 64;
		search->ids = palloc(sizeof(int64) * search->room);
	}
	else if (search->n == search->room)
	{
		search->room *= 2;
		search->ids = repalloc_huge(search->ids, sizeof(int64) * search->room);
	}
	search->ids[search->n++] = id;
}

static bool
matches(const Search *search, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value;

	if (search->or_changing && gq_row_may_be_changed(slot))
		return true;
	if (search->status != 0 &&
		(GqStatus) DatumGetInt16(slot_getattr(slot, GQ_ATT_STATUS, &isnull)) != search->status)
		return false;
	if (search->lease_over != 0)
	{
		value = slot_getattr(slot, GQ_ATT_LEASE_UNTIL, &isnull);
		if (isnull || DatumGetTimestampTz(value) > search->lease_over)
			return false;
	}
	if (search->error_like != NULL)
	{
		value = slot_getattr(slot, GQ_ATT_ERROR, &isnull);
		return !isnull && DatumGetBool(DirectFunctionCall2Coll(textlike, DEFAULT_COLLATION_OID, value,
															   CStringGetTextDatum(search->error_like)));
	}
	return true;
}

static void
search_generation(Search *search, int number, Snapshot snapshot)
{
	GqGeneration *generation = gq_generation_open(number);
	Relation	index = gq_generation_index(generation, GQ_PART_READY);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	int			nkeys = search->type != NULL ? 1 : 0;
	IndexScanDesc scan = gq_index_beginscan(generation->table, index, snapshot, nkeys);
	ScanKeyData key;

	if (nkeys > 0)
		ScanKeyEntryInitialize(&key, 0, 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID,
							   F_TEXTEQ, CStringGetTextDatum(search->type));
	index_rescan(scan, &key, nkeys, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!matches(search, slot))
			continue;
		if (search->wants_held)
			append_held(search, slot);
		else
			append_id(search, DatumGetInt64(slot_getattr(slot, GQ_ATT_ID, &isnull)));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	gq_generation_close(generation);
}

int
gq_compare_ids(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static void
search_all(Search *search)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (!gq_generation_is_void(g))
			search_generation(search, g, snapshot);
	UnregisterSnapshot(snapshot);
	if (search->ids != NULL)
		qsort(search->ids, search->n, sizeof(int64), gq_compare_ids);
}

int64 *
gq_task_ids(const char *type, GqStatus status, const char *error_like, int64 max, int64 *n)
{
	Search		search = {.type = type,.status = status,.error_like = error_like};

	search_all(&search);
	*n = max >= 0 ? Min(search.n, max) : search.n;
	return search.ids;
}

/* What a transaction that has not ended both added and changed, which no snapshot
 * sees. */
static void
search_uncommitted(Search *search)
{
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	search->or_changing = false;
	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (!gq_generation_is_void(g))
			search_generation(search, g, &dirty);
	qsort(search->ids, search->n, sizeof(int64), gq_compare_ids);
}

int64
gq_tasks_processing(const char *type)
{
	Search		search = {.type = type,.status = GQ_PROCESSING,.or_changing = true};
	int64		n = 0;

	search_all(&search);
	search_uncommitted(&search);
	for (int64 i = 0; i < search.n; i++)
		n += i == 0 || search.ids[i] != search.ids[i - 1];
	if (search.ids != NULL)
		pfree(search.ids);
	return n;
}

int64 *
gq_task_ids_lease_over(const char *type, TimestampTz now, int64 *n)
{
	Search		search = {.type = type,.status = GQ_PROCESSING,.lease_over = now};

	search_all(&search);
	*n = search.n;
	return search.ids;
}

GqHeldTask *
gq_tasks_held(int64 *n)
{
	Search		search = {.status = GQ_PROCESSING,.wants_held = true};

	search_all(&search);
	*n = search.n;
	return search.held;
}

/* A dirty snapshot tells whose insertion it was that no other sees. */
static TransactionId
adder_in(int number, int64 id)
{
	GqGeneration *generation = gq_generation_open(number);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	TransactionId xid = InvalidTransactionId;
	SnapshotData dirty;
	IndexScanDesc scan;
	ScanKeyData key;

	InitDirtySnapshot(dirty);
	scan = gq_index_beginscan(generation->table, gq_generation_index(generation, GQ_PART_PKEY), &dirty, 1);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		xid = dirty.xmin;
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	gq_generation_close(generation);
	return xid;
}

TransactionId
gq_task_adder(int64 id)
{
	TransactionId xid = InvalidTransactionId;

	for (int g = 0; g < GQ_GENERATIONS && !TransactionIdIsValid(xid); g++)
		if (!gq_generation_is_void(g))
			xid = adder_in(g, id);
	return TransactionIdIsValid(xid) ? SubTransGetTopmostTransaction(xid) : xid;
}

/* ---- expiry ---- */

/* Waits, and was never fetched. */
static bool
can_expire(TupleTableSlot *slot)
{
	bool		isnull;
	GqStatus	status = DatumGetInt16(slot_getattr(slot, GQ_ATT_STATUS, &isnull));

	if (status != GQ_NEW && status != GQ_PENDING)
		return false;
	(void) slot_getattr(slot, GQ_ATT_STARTED_AT, &isnull);
	return isnull;
}

static void
search_expired(Search *search, int number, Snapshot snapshot, TimestampTz now, int64 max,
			   TimestampTz *next)
{
	GqGeneration *generation = gq_generation_open(number);
	Relation	index = gq_generation_index(generation, GQ_PART_EXPIRES_AT);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	IndexScanDesc scan = gq_index_beginscan(generation->table, index, snapshot, 0);

	index_rescan(scan, NULL, 0, NULL, 0);
	while (search->n < max && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		TimestampTz expires_at = DatumGetTimestampTz(slot_getattr(slot, GQ_ATT_EXPIRES_AT, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (!can_expire(slot))
			continue;
		if (expires_at > now)
		{
			*next = Min(*next, expires_at);
			break;
		}
		append_id(search, DatumGetInt64(slot_getattr(slot, GQ_ATT_ID, &isnull)));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	gq_generation_close(generation);
}

int64 *
gq_task_ids_expired(TimestampTz now, int64 max, int64 *n, TimestampTz *next)
{
	Search		search = {0};
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	*next = DT_NOEND;
	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (!gq_generation_is_void(g))
			search_expired(&search, g, snapshot, now, max, next);
	UnregisterSnapshot(snapshot);
	qsort(search.ids, search.n, sizeof(int64), gq_compare_ids);
	*n = search.n;
	return search.ids;
}
