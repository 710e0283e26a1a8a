/*-------------------------------------------------------------------------
 *
 * stranded.c
 *	  A safety net: pending tasks that wait for nothing any more.
 *
 * None should be there: whoever ends a task settles what that means for others
 * in the same transaction.  But rows may come from elsewhere (a restore of some
 * of them, somebody's own DELETE), or a bug of ours; and a task that nobody
 * starts is the worst that can happen to it.
 *
 * A check reads the next PAGES pages of each generation, so that it costs the
 * same however large the queue is, and comes round sooner the smaller it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/settle.h"
#include "core/stranded.h"
#include "store/ring.h"

#define PAGES 1000				/* of each generation, in one check */

/* where the next check begins; lost with the process, without harm */
static BlockNumber next_page[GQ_GENERATIONS];

/* Look at the pending tasks of some pages. */
static int
check_pages(GqGeneration *generation, BlockNumber first, BlockNumber n, Snapshot snapshot)
{
	TupleTableSlot *slot = table_slot_create(generation->table, NULL);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque stranded",
												  ALLOCSET_DEFAULT_SIZES);
	TableScanDesc scan = table_beginscan_strat(generation->table, snapshot, 0, NULL, true, false);
	int			started = 0;

	heap_setscanlimits(scan, first, n);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old;
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		gq_task_read(&task, slot);
		if (task.status != GQ_PENDING)
			continue;
		old = MemoryContextSwitchTo(scratch);
		started += gq_settle_stranded(&task);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	table_endscan(scan);
	MemoryContextDelete(scratch);
	ExecDropSingleTupleTableSlot(slot);
	return started;
}

static int
check_generation(int number, Snapshot snapshot)
{
	GqGeneration *generation = gq_generation_open(number);
	BlockNumber pages = RelationGetNumberOfBlocks(generation->table);
	int			started = 0;

	if (next_page[number] >= pages)
		next_page[number] = 0;
	if (pages > 0)
		started = check_pages(generation, next_page[number], Min(PAGES, pages - next_page[number]),
							  snapshot);
	next_page[number] += PAGES;
	gq_generation_close(generation);
	return started;
}

int
gq_stranded_check(void)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	int			started = 0;

	for (int g = 0; g < GQ_GENERATIONS; g++)
		started += check_generation(g, snapshot);
	UnregisterSnapshot(snapshot);
	return started;
}
