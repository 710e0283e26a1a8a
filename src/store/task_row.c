/*-------------------------------------------------------------------------
 *
 * task_row.c
 *	  Rows of tasks: find, insert, update, delete, below the executor.
 *
 * A task moves to another generation when the cleaner empties its own, by a
 * delete and an insert in one transaction.  A search therefore looks through
 * all generations with one snapshot: it sees the row in exactly one of them.
 *
 * What the executor would check before and after is done here: replica identity,
 * the entries in every index, conflicts of serializable transactions (rule 8 of
 * docs/design.md; the rest of it is in api/args.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/nbtree.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/pinned_path.h"
#include "store/places.h"
#include "store/task_row.h"

int64
gq_row_next_id(void)
{
	return nextval_internal(gq_relid(GQ_REL_TASK_ID_SEQ), false);
}

TupleTableSlot *
gq_row_virtual_slot(GqGeneration *generation)
{
	return MakeSingleTupleTableSlot(RelationGetDescr(generation->table), &TTSOpsVirtual);
}

/* ---- search ---- */

/* what is open of one generation */
typedef struct Place
{
	GqGeneration *generation;
	BlockNumber pages;
	IndexScanDesc scan;			/* of its primary key, once it is needed */
	TupleTableSlot *slot;		/* NULL: it is empty */
} Place;

struct GqSearch
{
	MemoryContext context;
	Snapshot	snapshot;
	int			current;		/* the generation to look into first; -1: not
								 * known yet */
	Place		places[GQ_GENERATIONS];
};

GqSearch *
gq_search_begin(Snapshot snapshot)
{
	GqSearch   *search = palloc0(sizeof(GqSearch));

	search->context = CurrentMemoryContext;
	search->snapshot = RegisterSnapshot(snapshot != NULL ? snapshot : GetLatestSnapshot());
	search->current = -1;
	return search;
}

static Place *
open_place(GqSearch *search, int number)
{
	Place	   *place = &search->places[number];

	if (place->generation != NULL)
		return place;
	place->generation = gq_generation_open(number);
	place->pages = RelationGetNumberOfBlocks(place->generation->table);
	if (place->pages > 0)
		place->slot = table_slot_create(place->generation->table, NULL);
	return place;
}

static void
close_place(Place *place)
{
	if (place->generation == NULL)
		return;
	if (place->scan != NULL)
		index_endscan(place->scan);
	if (place->slot != NULL)
		ExecDropSingleTupleTableSlot(place->slot);
	gq_generation_close(place->generation);
	memset(place, 0, sizeof(Place));
}

static bool
find_in(GqSearch *search, Place *place, int64 id)
{
	ScanKeyData key;

	if (place->slot == NULL)	/* nothing is in it */
		return false;
	if (place->scan == NULL)
		place->scan = gq_index_beginscan(place->generation->table,
										 gq_generation_index(place->generation, GQ_PART_PKEY),
										 search->snapshot, 1);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	index_rescan(place->scan, &key, 1, NULL, 0);
	return index_getnext_slot(place->scan, ForwardScanDirection, place->slot);
}

/* Where this session left it, if it is still there; else NULL. */
static Place *
find_where_left(GqSearch *search, int64 id)
{
	int			number = gq_place_generation(id);
	Place	   *place = number >= 0 ? open_place(search, number) : NULL;
	ItemPointer tid = place != NULL ? gq_place_in(place->generation, id) : NULL;
	bool		isnull;

	if (tid == NULL || ItemPointerGetBlockNumber(tid) >= place->pages)
		return NULL;
	if (!table_tuple_fetch_row_version(place->generation->table, tid, search->snapshot, place->slot))
		return NULL;
	return DatumGetInt64(slot_getattr(place->slot, GQ_ATT_ID, &isnull)) == id ? place : NULL;
}

static Place *
find_by_index(GqSearch *search, int64 id)
{
	if (search->current < 0)
		search->current = gq_ring_current();

	/* the youngest first: that is where most of the living are */
	for (int i = 0; i < GQ_GENERATIONS; i++)
	{
		Place	   *place = open_place(search, (search->current - i + GQ_GENERATIONS) % GQ_GENERATIONS);

		if (find_in(search, place, id))
			return place;
	}
	return NULL;
}

GqGeneration *
gq_search_find(GqSearch *search, int64 id, TupleTableSlot **slot)
{
	/* index scans allocate as they go */
	MemoryContext old = MemoryContextSwitchTo(search->context);
	Place	   *place = find_where_left(search, id);

	if (place == NULL)
		place = find_by_index(search, id);
	MemoryContextSwitchTo(old);
	if (place == NULL)
		return NULL;
	*slot = place->slot;
	return place->generation;
}

static void
close_places(GqSearch *search)
{
	for (int i = 0; i < GQ_GENERATIONS; i++)
		close_place(&search->places[i]);
	UnregisterSnapshot(search->snapshot);
}

void
gq_search_renew(GqSearch *search)
{
	close_places(search);
	search->snapshot = RegisterSnapshot(GetLatestSnapshot());
	search->current = -1;
}

void
gq_search_end(GqSearch *search)
{
	close_places(search);
	pfree(search);
}

/* ---- index entries ---- */

/* Open what ExecOpenIndices would; our own only when they get an entry. */
static void
open_indexes(GqGeneration *generation)
{
	MemoryContext old;
	List	   *oids;
	ListCell   *lc;

	if (generation->opened_for_insert)
		return;
	old = MemoryContextSwitchTo(GetMemoryChunkContext(generation));
	oids = RelationGetIndexList(generation->table);
	foreach(lc, oids)
	{
		Oid			oid = lfirst_oid(lc);
		int			part;

		for (part = GQ_PART_PKEY; part < GQ_GENERATION_PARTS; part++)
			if (oid == gq_relid_generation(generation->number, part))
				break;
		if (part == GQ_GENERATION_PARTS)
			generation->others = lappend(generation->others,
										 index_open(oid, RowExclusiveLock));
	}
	list_free(oids);
	MemoryContextSwitchTo(old);
	generation->opened_for_insert = true;
}

static void
insert_entry(GqGeneration *generation, GqGenerationPart part, const int *attrs, int nattrs,
			 TupleTableSlot *slot, bool update)
{
	static IndexInfo info = {.type = T_IndexInfo};	/* btree looks at nothing
													 * in it */
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	for (int i = 0; i < nattrs; i++)
	{
		values[i] = slot->tts_values[attrs[i] - 1];
		nulls[i] = slot->tts_isnull[attrs[i] - 1];
	}
	info.ii_AmCache = NULL;
	index_insert(gq_generation_index(generation, part), values, nulls, &slot->tts_tid,
				 generation->table, part == GQ_PART_PKEY ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
				 update, &info);
}

/* The general way, for an index that somebody made. */
static void
insert_other_entry(GqGeneration *generation, Relation index, TupleTableSlot *slot, bool update)
{
	int			nest_level = gq_path_pin();
	EState	   *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	IndexInfo  *info = BuildIndexInfo(index);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	econtext->ecxt_scantuple = slot;
	info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, estate);
	if (ExecQual(info->ii_PredicateState, econtext))
	{
		FormIndexDatum(info, slot, estate, values, nulls);
		index_insert(index, values, nulls, &slot->tts_tid, generation->table,
					 info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, update, info);
	}
	FreeExecutorState(estate);
	gq_path_unpin(nest_level);
}

static void
insert_entries(GqGeneration *generation, TupleTableSlot *slot, GqIndexesToUpdate which, bool update)
{
	static const int pkey[] = {GQ_ATT_ID};
	static const int ready[] = {GQ_ATT_TYPE, GQ_ATT_PRIORITY, GQ_ATT_NEXT_ATTEMPT_AT, GQ_ATT_ID};
	static const int external_id[] = {GQ_ATT_TYPE, GQ_ATT_EXTERNAL_ID};
	static const int expires_at[] = {GQ_ATT_EXPIRES_AT};
	static const int line[] = {GQ_ATT_TYPE, GQ_ATT_ORDERING_KEY, GQ_ATT_PLACE};
	ListCell   *lc;

	open_indexes(generation);
	if (which == GQ_INDEXES_ALL)
	{
		insert_entry(generation, GQ_PART_PKEY, pkey, lengthof(pkey), slot, update);
		insert_entry(generation, GQ_PART_READY, ready, lengthof(ready), slot, false);
		if (!slot->tts_isnull[GQ_ATT_EXTERNAL_ID - 1])
			insert_entry(generation, GQ_PART_EXTERNAL_ID, external_id, lengthof(external_id), slot, update);
		if (!slot->tts_isnull[GQ_ATT_EXPIRES_AT - 1])
			insert_entry(generation, GQ_PART_EXPIRES_AT, expires_at, lengthof(expires_at), slot, update);
		if (!slot->tts_isnull[GQ_ATT_PLACE - 1])
			insert_entry(generation, GQ_PART_LINE, line, lengthof(line), slot, update);
	}
	foreach(lc, generation->others)
	{
		Relation	index = lfirst(lc);

		if (which == GQ_INDEXES_ALL || gq_index_is_summarizing(index))
			insert_other_entry(generation, index, slot, update);
	}
}

/* ---- insert, update, delete ---- */

void
gq_row_insert(GqGeneration *generation, TupleTableSlot **slots, int n)
{
	CommandId	cid = GetCurrentCommandId(true);

	gq_generation_filling(generation, true);
	if (n == 1)
		table_tuple_insert(generation->table, slots[0], cid, 0, NULL);
	else
		table_multi_insert(generation->table, slots, n, cid, 0, NULL);
	gq_generation_filling(generation, false);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		insert_entries(generation, slots[i], GQ_INDEXES_ALL, false);
	}
}

void
gq_row_form_version(TupleTableSlot *slot, const GqChanges *changes, TupleTableSlot *new_slot)
{
	slot_getallattrs(slot);
	ExecClearTuple(new_slot);
	memcpy(new_slot->tts_values, slot->tts_values, sizeof(Datum) * GQ_TASK_NATTS);
	memcpy(new_slot->tts_isnull, slot->tts_isnull, sizeof(bool) * GQ_TASK_NATTS);
	for (int i = 0; i < GQ_TASK_NATTS; i++)
		if (changes->set & (1u << i))
		{
			new_slot->tts_values[i] = changes->values[i];
			new_slot->tts_isnull[i] = (changes->nulls & (1u << i)) != 0;
		}
	ExecStoreVirtualTuple(new_slot);
}

TM_Result
gq_row_update(GqGeneration *generation, TupleTableSlot *slot, const GqChanges *changes,
			  Snapshot crosscheck, bool wait, TupleTableSlot *new_slot)
{
	TupleTableSlot *next = new_slot ? new_slot : gq_row_virtual_slot(generation);
	TM_FailureData tmfd;
	LockTupleMode lockmode;
	GqIndexesToUpdate which;
	TM_Result	result;

	gq_generation_for_write(generation);
	CheckCmdReplicaIdentity(generation->table, CMD_UPDATE);
	gq_row_form_version(slot, changes, next);

	result = gq_table_tuple_update(generation->table, &slot->tts_tid, next,
								   GetCurrentCommandId(true), crosscheck, wait,
								   &tmfd, &lockmode, &which);
	if (result == TM_Ok && which != GQ_INDEXES_NONE)
		insert_entries(generation, next, which, true);
	if (result == TM_Ok)
		gq_place_note(generation, DatumGetInt64(next->tts_values[GQ_ATT_ID - 1]), &next->tts_tid);
	if (new_slot == NULL)
		ExecDropSingleTupleTableSlot(next);
	return result;
}

TM_Result
gq_row_delete(GqGeneration *generation, TupleTableSlot *slot, Snapshot crosscheck, bool wait)
{
	TM_FailureData tmfd;

	gq_generation_for_write(generation);
	CheckCmdReplicaIdentity(generation->table, CMD_DELETE);
	return gq_table_tuple_delete(generation->table, &slot->tts_tid, GetCurrentCommandId(true),
								 crosscheck, wait, &tmfd);
}
