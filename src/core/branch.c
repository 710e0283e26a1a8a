/*-------------------------------------------------------------------------
 *
 * branch.c
 *	  The ready tasks of one type in one generation: a branch of a scan of what
 *	  is ready.
 *
 * It is a walk through the ready index (type, priority, next_attempt_at, id), one
 * priority after the other, each from its frontier to the first task that is not
 * due.  It passes what no fetch will ever take at this index entry: finished and
 * leased tasks, tasks that somebody is changing, tasks not yet visible.  See
 * core/ready.c for who makes them claimable again, and the head of
 * shared/frontier.c for the protocol of the frontier.
 *
 * Pending tasks stand at the end of their priority: their next_attempt_at is
 * infinity.  The walk ends before them, and before what they leave behind.
 *
 * Where nothing is known of a generation (after a start, without shared
 * memory, with more priorities than a frontier has room for), the priorities
 * are looked for in the index itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/branch.h"
#include "core/xact.h"
#include "shared/cells.h"

/* a long walk meets the others every so many entries */
#define SHARE_EVERY 1024

const GqKey gq_first_key = {DT_NOBEGIN, 0};

/* ---- priorities ---- */

static bool
next_priority_in_index(GqBranch *branch, int from, int *priority)
{
	return gq_ready_next_priority(branch->generation, branch->type, from, branch->scan->snapshot,
								  priority);
}

/* A cell at the beginning of a priority that has none; false: no room. */
static bool
insert_cell(GqBranch *branch, int16 priority)
{
	if (!gq_cell_insert(&branch->frontier, priority, gq_first_key))
		return false;
	return branch->entry == NULL ||
		gq_frontier_advance(branch->entry, branch->number, priority, gq_first_key, branch->since);
}

/* Find the priorities of a generation of which they are not all known. */
static void
discover_priorities(GqBranch *branch)
{
	GqFrontier *frontier = &branch->frontier;
	int			priority;

	for (int from = PG_INT16_MIN; next_priority_in_index(branch, from, &priority); from = priority + 1)
	{
		CHECK_FOR_INTERRUPTS();
		if (gq_cell_find(frontier, priority) == NULL && !insert_cell(branch, priority))
			return;
	}
	frontier->complete = true;
	if (branch->entry != NULL)
		gq_frontier_complete(branch->entry, branch->number, branch->since);
}

/* The next priority to walk, from `from` on, and where its walk begins. */
bool
gq_branch_next_start(GqBranch *branch, int from, GqPosition *start)
{
	for (;;)
	{
		const GqCell *cell = gq_cell_from(&branch->frontier, from);
		int			priority;

		if (branch->frontier.complete)
		{
			if (cell == NULL)
				return false;
			priority = cell->priority;
		}
		else
		{
			/* more of them than there is room for */
			if (!next_priority_in_index(branch, from, &priority))
				return false;
			cell = gq_cell_from(&branch->frontier, priority);
		}

		if (cell == NULL || cell->priority != priority)
			*start = gq_position(priority, gq_first_key);
		else if (cell->frontier.at == DT_NOEND)
		{
			from = priority + 1;
			continue;
		}
		else
			*start = gq_position(priority, cell->frontier);
		return true;
	}
}

/* ---- walking a branch ---- */

static void
publish(GqBranch *branch, GqKey key)
{
	if (branch->entry != NULL && !branch->partial)
		(void) gq_frontier_advance(branch->entry, branch->number, branch->position.priority, key,
								   branch->since);
}

void
gq_branch_begin(GqBranch *branch, GqPosition start)
{
	const GqCell *cell = gq_cell_find(&branch->frontier, start.priority);

	gq_walk_begin(&branch->walk, start.priority, start.key, cell != NULL ? cell->ahead : gq_first_key);
	branch->position = start;
}

/* How far other walks have come since this one began. */
static bool
others_are_ahead(const GqBranch *branch, GqKey *key)
{
	GqFrontier	frontier[GQ_GENERATIONS];
	const GqCell *cell;

	if (branch->entry == NULL || branch->scan->checking)
		return false;
	(void) gq_frontier_read(branch->entry, frontier);
	gq_xact_merge_own(branch->entry, frontier);
	cell = gq_cell_find(&frontier[branch->number], branch->position.priority);
	if (cell == NULL || gq_key_cmp(cell->frontier, branch->position.key) <= 0)
		return false;
	*key = cell->frontier;
	return true;
}

/*
 * After a crash the first walks pass all finished tasks.  What one of them has
 * passed others need not, nor it itself again, should it be canceled; so each
 * tells how far it has come, and goes on where the first of them is.
 */
static void
share_way(GqBranch *branch)
{
	GqKey		key;

	branch->passed = 0;
	publish(branch, branch->kept ? branch->kept_key : branch->position.key);
	if (!branch->kept && others_are_ahead(branch, &key))
	{
		gq_walk_end(&branch->walk);
		gq_branch_begin(branch, gq_position(branch->position.priority, key));
	}
}

void
gq_branch_end(GqBranch *branch, GqKey frontier)
{
	publish(branch, branch->kept ? branch->kept_key : frontier);
	gq_walk_end(&branch->walk);
	branch->kept = false;
}

/* Go to the next ready task of the current priority; false: no more. */
bool
gq_branch_walk(GqBranch *branch)
{
	GqReadyScan *scan = branch->scan;
	const GqKey end = {DT_NOEND, PG_INT64_MAX};

	while (gq_walk_next(&branch->walk, branch->slot))
	{
		CHECK_FOR_INTERRUPTS();
		gq_task_read(&branch->task, branch->slot);
		branch->position.key.at = branch->task.next_attempt_at;
		branch->position.key.id = branch->task.id;
		if (branch->task.next_attempt_at > scan->now)
		{
			scan->next_due = Min(scan->next_due, branch->task.next_attempt_at);
			gq_branch_end(branch, branch->position.key);
			return false;
		}
		if (gq_task_is_ready(&branch->task, scan->now))
			return true;
		if (++branch->passed == SHARE_EVERY)
			share_way(branch);
	}
	gq_branch_end(branch, end);
	return false;
}

void
gq_branch_open(GqBranch *branch)
{
	GqReadyScan *scan = branch->scan;
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	/*
	 * once for all types: references to the same relation are dear when there
	 * are many
	 */
	if (scan->generations[branch->number] == NULL)
		scan->generations[branch->number] = gq_generation_open(branch->number);
	branch->generation = scan->generations[branch->number];
	branch->slot = table_slot_create(branch->generation->table, NULL);
	branch->walk.generation = branch->generation;
	branch->walk.type = branch->type;
	branch->walk.snapshot = scan->snapshot;
	scan->opened = lappend(scan->opened, branch);
	MemoryContextSwitchTo(old);
	if (!branch->frontier.complete)
		discover_priorities(branch);
}

void
gq_branch_close(GqBranch *branch)
{
	if (branch->slot != NULL)
		ExecDropSingleTupleTableSlot(branch->slot);
	branch->slot = NULL;
}

/* Go to the branch's next ready task; false: it has no more. */
bool
gq_branch_advance(GqBranch *branch)
{
	GqPosition	start;
	int			from;

	branch->at_task = false;
	if (branch->walk.scan != NULL && gq_branch_walk(branch))
		return branch->at_task = true;

	if (branch->generation == NULL)
	{
		gq_branch_open(branch);
		from = PG_INT16_MIN;
	}
	else
		from = branch->position.priority + 1;

	while (gq_branch_next_start(branch, from, &start))
	{
		gq_branch_begin(branch, start);
		if (gq_branch_walk(branch))
			return branch->at_task = true;
		from = start.priority + 1;
	}
	gq_branch_close(branch);
	return false;
}
