/*-------------------------------------------------------------------------
 *
 * ring.c
 *	  The ring of generations that tasks live in.
 *
 * The position of the ring and the mark of the last emptying are sequences:
 * they are read at every call, must be seen at once by everybody, and would
 * turn into a chain of dead rows under an old snapshot if they were rows.  A
 * sequence may go back by a crash; either value may, without harm: tasks are
 * then added to an older generation for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/ring.h"
#include "store/sequence.h"

int64
gq_ring_position(void)
{
	return gq_sequence_read(gq_relid(GQ_REL_GENERATION_SEQ));
}

int
gq_ring_current(void)
{
	return (int) (gq_ring_position() % GQ_GENERATIONS);
}

void
gq_ring_advance(int64 position)
{
	gq_sequence_write(gq_relid(GQ_REL_GENERATION_SEQ), position);
}

/*
 * The tables' fillfactor leaves room for all the versions that a task usually
 * has.  The server would take it for the free space to strive for, too, and
 * prune each page again and again as its tasks move on.  So our copy of the
 * option says what an insert shall see only while one runs; an error in between
 * leaves a value that is as good.
 */
static void
set_fillfactor(Relation table, int fillfactor)
{
	if (table->rd_options != NULL)
		((StdRdOptions *) table->rd_options)->fillfactor = fillfactor;
}

void
gq_generation_filling(GqGeneration *generation, bool filling)
{
	set_fillfactor(generation->table, filling ? GQ_FILLFACTOR : HEAP_DEFAULT_FILLFACTOR);
}

static GqGeneration *
open_generation(int number, LOCKMODE lockmode)
{
	GqGeneration *generation = palloc0(sizeof(GqGeneration));

	generation->number = number;
	generation->lockmode = lockmode;
	generation->keep_lock = lockmode != AccessShareLock;
	generation->table = gq_table_open_generation(number, lockmode);
	gq_generation_filling(generation, false);
	return generation;
}

GqGeneration *
gq_generation_open(int number)
{
	return open_generation(number, AccessShareLock);
}

/*
 * Look again after the lock is taken: from then on the cleaner can tell that
 * nothing is added to a generation that is not current any more, once nobody
 * holds this lock on it.
 */
GqGeneration *
gq_generation_open_current(void)
{
	for (;;)
	{
		int			number = gq_ring_current();
		GqGeneration *generation = open_generation(number, RowExclusiveLock);

		if (gq_ring_current() == number)
			return generation;
		generation->keep_lock = false;
		gq_generation_close(generation);
		CHECK_FOR_INTERRUPTS();
	}
}

void
gq_generation_for_write(GqGeneration *generation)
{
	if (generation->keep_lock)
		return;
	LockRelationOid(RelationGetRelid(generation->table), RowExclusiveLock);
	generation->keep_lock = true;
}

Relation
gq_generation_index(GqGeneration *generation, GqGenerationPart part)
{
	Relation   *rel = &generation->parts[part];

	if (*rel == NULL)
		*rel = index_open(gq_relid_generation(generation->number, part), generation->lockmode);
	return *rel;
}

void
gq_generation_close(GqGeneration *generation)
{
	LOCKMODE	release = generation->keep_lock ? NoLock : generation->lockmode;
	ListCell   *lc;

	for (int i = 0; i < GQ_GENERATION_PARTS; i++)
		if (generation->parts[i] != NULL)
			index_close(generation->parts[i], release);
	foreach(lc, generation->others)
		index_close((Relation) lfirst(lc), release);
	table_close(generation->table, release);
	pfree(generation);
}

bool
gq_generation_is_void(int number)
{
	Relation	rel = gq_table_open_generation(number, AccessShareLock);
	bool		is_void = RelationGetNumberOfBlocks(rel) == 0;

	table_close(rel, AccessShareLock);
	return is_void;
}

/*
 * A snapshot to which the emptying transaction still seems to run would see a
 * generation without the tasks that were there when it was taken.
 */
bool
gq_ring_is_emptied_since(Snapshot snapshot)
{
	int64		mark = gq_sequence_read(gq_relid(GQ_REL_EMPTIED_SEQ));
	FullTransactionId emptied = FullTransactionIdFromU64((uint64) mark);
	FullTransactionId next = ReadNextFullTransactionId();

	/*
	 * never, or so long ago that no snapshot can be older; or from another
	 * cluster's count, after a restore
	 */
	if (mark == 0 || !FullTransactionIdPrecedes(emptied, next) ||
		U64FromFullTransactionId(next) - (uint64) mark > PG_INT32_MAX / 2)
		return false;
	/* whoever emptied it with goque_clean() may go on reading */
	if (!IsolationUsesXactSnapshot() &&
		TransactionIdIsCurrentTransactionId(XidFromFullTransactionId(emptied)))
		return false;
	return XidInMVCCSnapshot(XidFromFullTransactionId(emptied), snapshot);
}

void
gq_ring_check_snapshot(Snapshot snapshot)
{
	if (gq_ring_is_emptied_since(snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not read tasks with a snapshot from before goque last emptied a table"),
				 errdetail("Tasks that this snapshot should see are no longer stored."),
				 errhint("Start the transaction again.")));
}

void
gq_ring_mark_emptied(void)
{
	gq_sequence_write(gq_relid(GQ_REL_EMPTIED_SEQ),
					  (int64) U64FromFullTransactionId(GetTopFullTransactionId()));
}
