/*-------------------------------------------------------------------------
 *
 * ready.c
 *	  Choosing what is ready: a scan of the best ready tasks of some types,
 *	  over all generations, best first.
 *
 * For each type and generation there is a branch: a walk through the ready
 * index (type, priority, next_attempt_at, id), one priority after the other,
 * each from its frontier to the first task that is not due.  A branch is opened
 * only when no other has something better, so that in steady state one index
 * descent in one generation finds the task.
 *
 * The walk passes what no fetch will ever take at this index entry: finished
 * and leased tasks, tasks that somebody is changing, tasks not yet visible.
 * Whoever makes one of these ready reports it to shared memory when its
 * transaction ends (core/xact.c), which lowers the frontier again; the scan
 * read the count of such reports before it took its snapshot, so that it
 * cannot publish a frontier beyond one that it does not know of.  See the head
 * of shared/types.c.
 *
 * Where nothing is known of a generation (after a start, without shared
 * memory, with more priorities than a frontier has room for), the priorities
 * are looked for in the index itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "lib/pairingheap.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "core/installation.h"
#include "core/ready.h"
#include "core/ready_index.h"
#include "core/xact.h"
#include "shared/cells.h"
#include "shared/prepared_keys.h"
#include "shared/shmem.h"
#include "shared/wakeup.h"
#include "store/prepared.h"
#include "store/types_in_use.h"

/* where a branch stands: of its current task, or below it */
typedef struct Position
{
	int			priority;		/* an int, to go beyond the largest smallint */
	GqKey		key;
} Position;

typedef struct Branch
{
	pairingheap_node node;
	struct GqReadyScan *scan;
	Datum		type;			/* text */
	GqType	   *entry;
	int			number;			/* of the generation */
	uint64		since;			/* events seen before the snapshot */
	GqFrontier	frontier;

	GqGeneration *generation;	/* once it is open */
	GqReadyWalk walk;			/* of the current priority */
	TupleTableSlot *slot;
	bool		at_task;		/* position is that of a ready task, in slot */
	int			passed;			/* entries since the frontier was last
								 * published */
	bool		partial;		/* it begins anywhere: publish nothing */
	bool		kept;			/* one of this priority is still to be had: */
	GqKey		kept_key;		/* the frontier stays here */
	Position	position;
	GqTask		task;
} Branch;

struct GqReadyScan
{
	MemoryContext context;
	TimestampTz now;
	TimestampTz next_due;
	Snapshot	snapshot;
	pairingheap *branches;		/* best first */
	List	   *opened;
	Branch	   *current;		/* whose task was returned last */
};

static const GqKey first_key = {DT_NOBEGIN, 0};

/* a long walk publishes its way every so many entries */
#define PUBLISH_EVERY 1024

/* one core's time for each of a check from the beginning */
#define CHECK_PAUSE 100

static Position
position_at(int priority, GqKey key)
{
	Position	position = {priority, key};

	return position;
}

/* ---- order ---- */

static int
compare_branches(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const Position *pa = &pairingheap_const_container(Branch, node, a)->position;
	const Position *pb = &pairingheap_const_container(Branch, node, b)->position;

	/* a pairing heap puts the largest first */
	if (pa->priority != pb->priority)
		return pa->priority < pb->priority ? 1 : -1;
	return -gq_key_cmp(pa->key, pb->key);
}

/* ---- priorities ---- */

static bool
next_priority_in_index(Branch *branch, int from, int *priority)
{
	return gq_ready_next_priority(branch->generation, branch->type, from, branch->scan->snapshot,
								  priority);
}

/* A cell at the beginning of a priority that has none; false: no room. */
static bool
insert_cell(Branch *branch, int16 priority)
{
	if (!gq_cell_insert(&branch->frontier, priority, first_key))
		return false;
	return branch->entry == NULL ||
		gq_frontier_advance(branch->entry, branch->number, priority, first_key, branch->since);
}

/* Find the priorities of a generation of which they are not all known. */
static void
discover_priorities(Branch *branch)
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
static bool
next_start(Branch *branch, int from, Position *start)
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
			*start = position_at(priority, first_key);
		else if (cell->frontier.at == DT_NOEND)
		{
			from = priority + 1;
			continue;
		}
		else
			*start = position_at(priority, cell->frontier);
		return true;
	}
}

/* ---- walking a branch ---- */

static void
publish(Branch *branch, GqKey key)
{
	if (branch->entry != NULL && !branch->partial)
		(void) gq_frontier_advance(branch->entry, branch->number, branch->position.priority, key,
								   branch->since);
}

/*
 * The frontier, as far as this walk has come.  After a crash the first walks
 * pass all finished tasks: what one of them has passed others need not, nor it
 * itself again, should it be canceled.
 */
static void
publish_so_far(Branch *branch)
{
	publish(branch, branch->kept ? branch->kept_key : branch->position.key);
	branch->passed = 0;
}

static void
begin_priority(Branch *branch, Position start)
{
	const GqCell *cell = gq_cell_find(&branch->frontier, start.priority);

	gq_walk_begin(&branch->walk, start.priority, start.key, cell != NULL ? cell->ahead : first_key);
	branch->position = start;
}

static void
end_priority(Branch *branch, GqKey frontier)
{
	publish(branch, branch->kept ? branch->kept_key : frontier);
	gq_walk_end(&branch->walk);
	branch->kept = false;
}

/* Go to the next ready task of the current priority; false: no more. */
static bool
walk_priority(Branch *branch)
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
			end_priority(branch, branch->position.key);
			return false;
		}
		if (gq_task_is_ready(&branch->task, scan->now))
			return true;
		if (++branch->passed == PUBLISH_EVERY)
			publish_so_far(branch);
	}
	end_priority(branch, end);
	return false;
}

static void
open_branch(Branch *branch)
{
	MemoryContext old = MemoryContextSwitchTo(branch->scan->context);

	branch->generation = gq_generation_open(branch->number);
	branch->slot = table_slot_create(branch->generation->table, NULL);
	branch->walk.generation = branch->generation;
	branch->walk.type = branch->type;
	branch->walk.snapshot = branch->scan->snapshot;
	branch->scan->opened = lappend(branch->scan->opened, branch);
	MemoryContextSwitchTo(old);
	if (!branch->frontier.complete)
		discover_priorities(branch);
}

/* Go to the branch's next ready task; false: it has no more. */
static bool
advance_branch(Branch *branch)
{
	Position	start;
	int			from;

	branch->at_task = false;
	if (branch->walk.scan != NULL && walk_priority(branch))
		return branch->at_task = true;

	if (branch->generation == NULL)
	{
		open_branch(branch);
		from = PG_INT16_MIN;
	}
	else
		from = branch->position.priority + 1;

	while (next_start(branch, from, &start))
	{
		begin_priority(branch, start);
		if (walk_priority(branch))
			return branch->at_task = true;
		from = start.priority + 1;
	}
	return false;
}

/* ---- the scan ---- */

static Branch *
make_branch(GqReadyScan *scan, Datum type, GqType *entry, int number,
			const GqFrontier *frontier, uint64 since)
{
	Branch	   *branch = MemoryContextAllocZero(scan->context, sizeof(Branch));

	branch->scan = scan;
	branch->type = type;
	branch->entry = entry;
	branch->number = number;
	branch->since = since;
	branch->frontier = *frontier;
	branch->position = position_at(PG_INT16_MIN, first_key);
	return branch;
}

static void
add_branch(GqReadyScan *scan, Datum type, GqType *entry, int number,
		   const GqFrontier *frontier, uint64 since)
{
	Branch	   *branch = make_branch(scan, type, entry, number, frontier, since);

	if (frontier->complete && !next_start(branch, PG_INT16_MIN, &branch->position))
	{
		pfree(branch);
		return;					/* it is known to have nothing */
	}
	pairingheap_add(scan->branches, &branch->node);
}

static void
add_type(GqReadyScan *scan, const char *name)
{
	GqFrontier	frontier[GQ_GENERATIONS] = {0};
	GqType	   *entry;
	uint64		since = 0;
	Datum		type;

	if (gq_settings(name)->paused)
		return;
	entry = gq_type_of(name);
	if (entry != NULL)
	{
		since = gq_frontier_read(entry, frontier);
		gq_xact_merge_own(entry, frontier);
	}
	type = CStringGetTextDatum(name);
	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		if (frontier[g].complete || !gq_generation_is_void(g))
			add_branch(scan, type, entry, g, &frontier[g], since);
		else if (entry != NULL)
			gq_frontier_complete(entry, g, since);
	}
}

/* The snapshot comes after the frontiers were read: what is reported later may
 * be unseen. */
static void
take_snapshot(GqReadyScan *scan)
{
	scan->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

static GqReadyScan *
make_scan(TimestampTz now)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "goque ready scan",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	GqReadyScan *scan = palloc0(sizeof(GqReadyScan));

	scan->context = context;
	scan->now = now;
	scan->next_due = DT_NOEND;
	scan->branches = pairingheap_allocate(compare_branches, NULL);
	MemoryContextSwitchTo(old);
	return scan;
}

GqReadyScan *
gq_ready_begin(char **types, int ntypes, TimestampTz now)
{
	GqReadyScan *scan = make_scan(now);
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	if (ntypes == 0)
		types = gq_types_in_use(&ntypes);
	for (int i = 0; i < ntypes; i++)
		add_type(scan, types[i]);
	take_snapshot(scan);
	MemoryContextSwitchTo(old);
	return scan;
}

bool
gq_ready_next(GqReadyScan *scan, GqTask *task, GqGeneration **generation, GqType **entry)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	bool		found = false;

	if (scan->current != NULL)
	{
		if (advance_branch(scan->current))
			pairingheap_add(scan->branches, &scan->current->node);
		scan->current = NULL;
	}
	while (!found && !pairingheap_is_empty(scan->branches))
	{
		Branch	   *branch = pairingheap_container(Branch, node,
												   pairingheap_remove_first(scan->branches));

		CHECK_FOR_INTERRUPTS();
		if (!branch->at_task)
		{
			/*
			 * it may not be the best any more, now that we know where it
			 * stands
			 */
			if (advance_branch(branch))
				pairingheap_add(scan->branches, &branch->node);
			continue;
		}
		scan->current = branch;
		*task = branch->task;
		*generation = branch->generation;
		*entry = branch->entry;
		found = true;
	}
	MemoryContextSwitchTo(old);
	return found;
}

void
gq_ready_keep(GqReadyScan *scan)
{
	Branch	   *branch = scan->current;

	if (!branch->kept)
		branch->kept_key = branch->position.key;
	branch->kept = true;
}

TimestampTz
gq_ready_next_due(const GqReadyScan *scan)
{
	return scan->next_due;
}

/* The scan is at its end: tell others how far to read at first. */
static void
look_ahead(Branch *branch)
{
	GqKey		ahead;

	if (branch->entry != NULL && gq_walk_look_ahead(&branch->walk, &ahead))
		gq_frontier_ahead(branch->entry, branch->number, branch->position.priority, ahead);
}

void
gq_ready_end(GqReadyScan *scan)
{
	ListCell   *lc;

	if (scan->current != NULL)
		scan->current->position.key.id++;
	foreach(lc, scan->opened)
	{
		Branch	   *branch = lfirst(lc);

		if (branch->walk.scan != NULL)
		{
			look_ahead(branch);
			end_priority(branch, branch->position.key);
		}
		ExecDropSingleTupleTableSlot(branch->slot);
		gq_generation_close(branch->generation);
	}
	UnregisterSnapshot(scan->snapshot);
	MemoryContextDelete(scan->context);
}

/* ---- checking the frontiers ---- */

static bool
is_hidden(const GqFrontier *known, const Position *position)
{
	const GqCell *cell = gq_cell_from(known, position->priority);

	if (cell == NULL || cell->priority != position->priority)
		return known->complete;
	return gq_key_cmp(position->key, cell->frontier) < 0;
}

/* Look at the first ready task of each priority, from a key on. */
static int
check_branch(Branch *branch, const GqFrontier *known, GqKey key)
{
	Position	start;
	int			from = PG_INT16_MIN;
	int			hidden = 0;

	branch->partial = key.at != DT_NOBEGIN;
	open_branch(branch);
	while (next_start(branch, from, &start))
	{
		begin_priority(branch, position_at(start.priority, key));
		if (walk_priority(branch))
		{
			if (is_hidden(known, &branch->position))
			{
				gq_frontier_pull_back(branch->entry, branch->number, branch->position.priority,
									  branch->position.key);
				hidden++;
			}
			end_priority(branch, branch->position.key);
		}
		from = start.priority + 1;
	}
	return hidden;
}

static int
check_from(GqType *entry, const char *type, TimestampTz now, GqKey key)
{
	GqFrontier	known[GQ_GENERATIONS];
	uint64		since = gq_frontier_read(entry, known);
	GqReadyScan *scan = make_scan(now);
	int			hidden = 0;

	take_snapshot(scan);
	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		GqFrontier	unknown = {0};

		if (gq_generation_is_void(g) || (known[g].ncells == 0 && !known[g].complete))
			continue;
		hidden += check_branch(make_branch(scan, CStringGetTextDatum(type), entry, g, &unknown, since),
							   &known[g], key);
	}
	gq_ready_end(scan);
	return hidden;
}

/* From the beginning, if that is not too much to do again so soon. */
static int
check_all(GqType *entry, const char *type, TimestampTz now, bool at_once)
{
	TimestampTz started = GetCurrentTimestamp();
	int			hidden;

	if (now < entry->full_check_at && !at_once)
		return 0;
	hidden = check_from(entry, type, now, first_key);
	entry->full_check_at = now + CHECK_PAUSE * (GetCurrentTimestamp() - started);
	return hidden;
}

int
gq_ready_check(const char *type, TimestampTz now, bool all)
{
	GqType	   *entry = gq_type_of(type);
	GqKey		key;
	uint32		in_doubt;
	bool		pending;
	int			hidden;

	if (entry == NULL)
		return 0;
	/* in this order: what is prepared after the second is not in the first */
	in_doubt = gq_prepared_read(entry, &key);
	pending = in_doubt > 0 && gq_prepared_pending();
	hidden = check_all(entry, type, now, all);
	if (in_doubt > 0)
		hidden += check_from(entry, type, now, key);
	if (in_doubt > 0 && !pending)
		gq_prepared_forget(entry, in_doubt);
	if (hidden > 0)
		gq_wake(entry, hidden);
	return hidden;
}
