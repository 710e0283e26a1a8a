/*-------------------------------------------------------------------------
 *
 * processing_map.c
 *	  Finding the tasks in processing among all others.
 *
 * The map of shared memory (shared/processing_map.c) says in which segments of a
 * generation there may be some.  Whoever writes one notes it there; the keeper
 * finds out where there are none any more, and a reader reads the rest.
 *
 * A segment is clean when every version in processing in it was made by a
 * transaction that failed, or replaced by one that ended before the horizon; so
 * it is clean for all snapshots that see everything before the horizon as ended.
 * The keeper's horizon is the xmin of a snapshot of its own: no later snapshot has an
 * older one.  Earlier ones, and SERIALIZABLE transactions, whose reads must be
 * noticed by others, read the whole table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "core/maintain.h"
#include "core/processing_map.h"
#include "core/task.h"
#include "shared/databases.h"
#include "shared/processing_map.h"
#include "shared/shmem.h"
#include "store/relations.h"
#include "store/task_ids.h"

#define BATCH_USECS (200 * INT64CONST(1000))	/* of the keeper's reading */
#define NEXT_BATCH_USECS (4 * USECS_PER_SEC)
#define INTERVAL_USECS (10 * USECS_PER_SEC)
#define MANY_SEGMENTS 10		/* who has to read more asks the keeper for a
								 * look */

void
gq_processing_note(const GqGeneration *generation, ItemPointer tid)
{
	GqProcessingMap *map = gq_processing_map(gq_instance(), generation->number);

	if (map != NULL)
		gq_processing_map_note(map, ItemPointerGetBlockNumber(tid));
}

void
gq_processing_forget(Oid table)
{
	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		GqProcessingMap *map = gq_processing_map(gq_instance(), g);

		if (map != NULL && gq_relid_generation(g, GQ_PART_TABLE) == table)
			gq_processing_map_forget(map);
	}
}

static FullTransactionId
widen(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		age = XidFromFullTransactionId(next) - xid;

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) - age);
}

/* ---- pages ---- */

typedef void (*Visit) (HeapTuple tuple, Buffer buffer, void *arg);

/* Every version of a row on a page, under its lock. */
static void
visit_page(Relation table, BlockNumber block, BufferAccessStrategy strategy, Visit visit, void *arg)
{
	Buffer		buffer = ReadBufferExtended(table, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	Page		page;
	HeapTupleData tuple;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple.t_tableOid = RelationGetRelid(table);
	for (OffsetNumber i = FirstOffsetNumber; i <= PageGetMaxOffsetNumber(page); i++)
	{
		ItemId		item = PageGetItemId(page, i);

		if (!ItemIdIsNormal(item))
			continue;
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		ItemPointerSet(&tuple.t_self, block, i);
		visit(&tuple, buffer, arg);
	}
	UnlockReleaseBuffer(buffer);
}

static bool
says_processing(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		status = heap_getattr(tuple, GQ_ATT_STATUS, desc, &isnull);

	return !isnull && DatumGetInt16(status) == GQ_PROCESSING;
}

/* ---- the keeper ---- */

typedef struct Look
{
	TupleDesc	desc;
	TransactionId horizon;
	bool		clean;
} Look;

static void
look_at(HeapTuple tuple, Buffer buffer, void *arg)
{
	Look	   *look = arg;
	TransactionId dead_after;

	if (!look->clean || !says_processing(tuple, look->desc))
		return;
	switch (HeapTupleSatisfiesVacuumHorizon(tuple, buffer, &dead_after))
	{
		case HEAPTUPLE_DEAD:
			break;
		case HEAPTUPLE_RECENTLY_DEAD:
			look->clean = TransactionIdPrecedes(dead_after, look->horizon);
			break;
		default:
			look->clean = false;
	}
}

static bool
segment_is_clean(Relation table, BlockNumber segment, BufferAccessStrategy strategy, Look *look)
{
	BlockNumber first = segment * GQ_SEGMENT_BLOCKS;

	look->clean = true;
	for (BlockNumber block = first; block < first + GQ_SEGMENT_BLOCKS && look->clean; block++)
	{
		CHECK_FOR_INTERRUPTS();
		visit_page(table, block, strategy, look_at, look);
	}
	return look->clean;
}

/* All those that share the bits of one. */
static bool
segments_are_clean(Relation table, BlockNumber segment, BlockNumber nsegments,
				   BufferAccessStrategy strategy, Look *look)
{
	for (; segment < nsegments; segment += GQ_MAP_SEGMENTS)
		if (!segment_is_clean(table, segment, strategy, look))
			return false;
	return true;
}

/* where the keeper's reading stopped */
static int	at_generation;
static BlockNumber at_segment;

/* ... and what it has found since it began */
static bool found_clean;
static bool found_dirty;

/*
 * The segments that are full: nothing is said of the last one.  False: the time is
 * up.
 */
static bool
read_generation(GqGeneration *generation, TransactionId horizon, TimestampTz until)
{
	Relation	table = generation->table;
	GqProcessingMap *map = gq_processing_map(gq_instance(), generation->number);
	BlockNumber nsegments = RelationGetNumberOfBlocks(table) / GQ_SEGMENT_BLOCKS;
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	Look		look = {RelationGetDescr(table), horizon, true};

	if (map == NULL)
		return true;
	if (gq_processing_map_begin(map, gq_relation_file(table)))
		at_segment = 0;
	gq_processing_map_raise(map, widen(horizon));
	for (; at_segment < Min(nsegments, GQ_MAP_SEGMENTS); at_segment++)
	{
		if (!gq_processing_map_is_dirty(map, at_segment))
			continue;
		if (GetCurrentTimestamp() >= until)
			return false;
		gq_processing_map_watch(map, at_segment);
		if (segments_are_clean(table, at_segment, nsegments, strategy, &look))
		{
			gq_processing_map_clean(map, at_segment);
			found_clean = true;
		}
		else
			found_dirty = true;
	}
	return true;
}

/* False: the time is up. */
static bool
read_on(TimestampTz until)
{
	TransactionId horizon = GetLatestSnapshot()->xmin;
	bool		done = true;

	while (done && at_generation < GQ_GENERATIONS)
	{
		GqGeneration *generation = gq_generation_open(at_generation);

		done = read_generation(generation, horizon, until);
		gq_generation_close(generation);
		if (done)
		{
			at_generation++;
			at_segment = 0;
		}
	}
	if (done)
		at_generation = 0;
	return done;
}

TimestampTz
gq_duty_map(TimestampTz now)
{
	TimestampTz next = now + INTERVAL_USECS;

	if (gq_shared == NULL)
		return DT_NOEND;
	gq_processing_map_assign(gq_instance());
	if (gq_processing_map(gq_instance(), 0) == NULL)
		return DT_NOEND;
	if (!read_on(now + BATCH_USECS))
		return now + NEXT_BATCH_USECS;
	if (!found_dirty)
		next = DT_NOEND;
	else if (!found_clean)
		next = now + 6 * INTERVAL_USECS;
	found_clean = found_dirty = false;
	return next;
}

/* ---- readers ---- */

typedef struct Places
{
	Relation	table;
	Snapshot	snapshot;
	bool		serializable;
	ItemPointer tids;
	int64		n;
	int64		room;
} Places;

/* Before a page is locked: nothing under its lock asks for memory. */
static void
make_room(Places *places)
{
	if (places->n + MaxHeapTuplesPerPage <= places->room)
		return;
	places->room *= 2;
	places->tids = repalloc_huge(places->tids, sizeof(ItemPointerData) * places->room);
}

static void
collect(HeapTuple tuple, Buffer buffer, void *arg)
{
	Places	   *places = arg;
	bool		wanted = says_processing(tuple, RelationGetDescr(places->table));
	bool		visible;

	if (!wanted && !places->serializable)
		return;
	visible = HeapTupleSatisfiesVisibility(tuple, places->snapshot, buffer);
	if (places->serializable)
		HeapCheckForSerializableConflictOut(visible, places->table, tuple, buffer, places->snapshot);
	if (wanted && visible)
		places->tids[places->n++] = tuple->t_self;
}

static void
collect_blocks(Places *places, BlockNumber from, BlockNumber to, BufferAccessStrategy strategy)
{
	for (BlockNumber block = from; block < to; block++)
	{
		CHECK_FOR_INTERRUPTS();
		make_room(places);
		visit_page(places->table, block, strategy, collect, places);
	}
}

/* False: the map was not for this snapshot. */
static bool
collect_dirty(Places *places, GqProcessingMap *map, BlockNumber nblocks)
{
	int			dirty = 0;

	for (BlockNumber block = 0; block < nblocks; block += GQ_SEGMENT_BLOCKS)
		if (gq_processing_map_is_dirty(map, block / GQ_SEGMENT_BLOCKS))
		{
			collect_blocks(places, block, Min(block + GQ_SEGMENT_BLOCKS, nblocks), NULL);
			dirty++;
		}
	if (dirty > MANY_SEGMENTS)
		gq_database_due(MyDatabaseId, GetCurrentTimestamp());
	return gq_processing_map_holds(map, gq_relation_file(places->table), widen(places->snapshot->xmin));
}

static bool
collect_by_map(Places *places, GqProcessingMap *map, BlockNumber nblocks)
{
	if (map != NULL &&
		gq_processing_map_holds(map, gq_relation_file(places->table), widen(places->snapshot->xmin)))
		return collect_dirty(places, map, nblocks);
	if (gq_shared != NULL && nblocks > MANY_SEGMENTS * GQ_SEGMENT_BLOCKS)
		gq_database_due(MyDatabaseId, GetCurrentTimestamp());
	return false;
}

ItemPointer
gq_processing_places(GqGeneration *generation, Snapshot snapshot, int64 *n)
{
	GqProcessingMap *map = gq_processing_map(gq_instance(), generation->number);
	BlockNumber nblocks = RelationGetNumberOfBlocks(generation->table);
	Places		places = {.table = generation->table,.snapshot = snapshot,.serializable = IsolationIsSerializable(),.room = MaxHeapTuplesPerPage};

	places.tids = palloc(sizeof(ItemPointerData) * places.room);
	if (places.serializable || RecoveryInProgress() || !collect_by_map(&places, map, nblocks))
	{
		places.n = 0;
		PredicateLockRelation(generation->table, snapshot);
		collect_blocks(&places, 0, nblocks, GetAccessStrategy(BAS_BULKREAD));
	}
	*n = places.n;
	return places.tids;
}

/* ---- those of one type ---- */

static void
append_ids(GqGeneration *generation, Snapshot snapshot, const char *type, int64 **ids, int64 *n)
{
	int64		nplaces;
	ItemPointer places = gq_processing_places(generation, snapshot, &nplaces);
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	GqTask		task;

	*ids = repalloc_huge(*ids, sizeof(int64) * (*n + nplaces + 1));
	for (int64 i = 0; i < nplaces; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_fetch_row_version(generation->table, &places[i], snapshot, slot))
			continue;
		gq_task_read(&task, slot);
		if (gq_task_is_of_type(&task, type))
			(*ids)[(*n)++] = task.id;
	}
	ExecDropSingleTupleTableSlot(slot);
	pfree(places);
}

int64 *
gq_processing_ids(const char *type, int64 *n)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	int64	   *ids = palloc(sizeof(int64));

	*n = 0;
	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		GqGeneration *generation = gq_generation_open(g);

		append_ids(generation, snapshot, type, &ids, n);
		gq_generation_close(generation);
	}
	UnregisterSnapshot(snapshot);
	qsort(ids, *n, sizeof(int64), gq_compare_ids);
	return ids;
}
