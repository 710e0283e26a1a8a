/*-------------------------------------------------------------------------
 *
 * ready.c
 *	  Choosing what is ready: a scan of the best ready tasks of some types,
 *	  over all generations, best first.
 *
 * For each type and generation there is a branch (core/branch.c).  Branches stand
 * in a heap by what is best in them, and one is opened only when no other has
 * something better, so that in steady state one index descent in one generation
 * finds the task.
 *
 * A branch passes what it cannot take.  Whoever makes one of these ready reports
 * it to shared memory when its transaction ends (core/xact.c), which lowers the
 * frontier again; the scan read the count of such reports before it took its
 * snapshot, so that it cannot publish a frontier beyond one that it does not
 * know of.  See the head of shared/frontier.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/branch.h"
#include "core/installation.h"
#include "core/ready.h"
#include "core/xact.h"
#include "monotonic.h"
#include "shared/cells.h"
#include "shared/prepared_keys.h"
#include "shared/runners.h"
#include "shared/shmem.h"
#include "store/prepared.h"
#include "store/types_in_use.h"

/* one core's time for each of a check from the beginning */
#define CHECK_PAUSE 100

/* ---- order ---- */

static int
compare_branches(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const GqPosition *pa = &pairingheap_const_container(GqBranch, node, a)->position;
	const GqPosition *pb = &pairingheap_const_container(GqBranch, node, b)->position;

	/* a pairing heap puts the largest first */
	if (pa->priority != pb->priority)
		return pa->priority < pb->priority ? 1 : -1;
	return -gq_key_cmp(pa->key, pb->key);
}

/* ---- the scan ---- */

static GqBranch *
make_branch(GqReadyScan *scan, Datum type, GqType *entry, int number,
			const GqFrontier *frontier, uint64 since)
{
	GqBranch   *branch = MemoryContextAllocZero(scan->context, sizeof(GqBranch));

	branch->scan = scan;
	branch->type = type;
	branch->entry = entry;
	branch->number = number;
	branch->since = since;
	branch->frontier = *frontier;
	branch->position = gq_position(PG_INT16_MIN, gq_first_key);
	return branch;
}

static void
add_branch(GqReadyScan *scan, Datum type, GqType *entry, GqLimit *limit, int number,
		   const GqFrontier *frontier, uint64 since)
{
	GqBranch   *branch = make_branch(scan, type, entry, number, frontier, since);

	branch->limit = limit;
	if (frontier->complete && !gq_branch_next_start(branch, PG_INT16_MIN, &branch->position))
	{
		pfree(branch);
		return;					/* it is known to have nothing */
	}
	pairingheap_add(scan->branches, &branch->node);
}

/* A type whose limit is reached hides nothing: it takes no part. */
static bool
is_full(GqReadyScan *scan, GqLimit *limit)
{
	if (!gq_limit_is_reached(limit))
	{
		scan->limits = lappend(scan->limits, limit);
		return false;
	}
	scan->next_due = Min(scan->next_due, limit->turns_at);
	return true;
}

static void
add_type(GqReadyScan *scan, const char *name, bool claiming)
{
	const GqSettings *settings;
	GqLimit    *limit;
	GqFrontier	frontier[GQ_GENERATIONS] = {0};
	GqType	   *entry;
	uint64		since = 0;
	Datum		type;

	entry = gq_type_of(name);
	settings = gq_settings(name);
	if (settings->paused)
		return;
	limit = gq_limit_begin(name, entry, settings, scan->now, claiming);
	if (limit != NULL && is_full(scan, limit))
		return;
	if (entry != NULL)
	{
		since = gq_frontier_read(entry, frontier);
		gq_xact_merge_own(entry, frontier);
	}
	type = CStringGetTextDatum(name);
	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		if (frontier[g].complete || !gq_generation_is_void(g))
			add_branch(scan, type, entry, limit, g, &frontier[g], since);
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
gq_ready_begin(char **types, int ntypes, TimestampTz now, bool claiming)
{
	GqReadyScan *scan = make_scan(now);
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	if (ntypes == 0)
		types = gq_types_in_use(&ntypes);
	for (int i = 0; i < ntypes; i++)
		add_type(scan, types[i], claiming);
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
		if (!scan->current->stopped && gq_branch_advance(scan->current))
			pairingheap_add(scan->branches, &scan->current->node);
		scan->current = NULL;
	}
	while (!found && !pairingheap_is_empty(scan->branches))
	{
		GqBranch   *branch = pairingheap_container(GqBranch, node,
												   pairingheap_remove_first(scan->branches));

		CHECK_FOR_INTERRUPTS();
		if (!branch->at_task)
		{
			/*
			 * it may not be the best any more, now that we know where it
			 * stands
			 */
			if (gq_branch_advance(branch))
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
	GqBranch   *branch = scan->current;

	if (!branch->kept)
		branch->kept_key = branch->position.key;
	branch->kept = true;
}

GqLimit *
gq_ready_limit(const GqReadyScan *scan)
{
	return scan->current->limit;
}

void
gq_ready_stop(GqReadyScan *scan)
{
	GqBranch   *branch = scan->current;

	gq_ready_keep(scan);
	branch->stopped = true;
	scan->next_due = Min(scan->next_due, branch->limit->turns_at);
}

List *
gq_ready_limits(const GqReadyScan *scan)
{
	return scan->limits;
}

TimestampTz
gq_ready_next_due(const GqReadyScan *scan)
{
	return scan->next_due;
}

/* The scan is at its end: tell others how far to read at first. */
static void
look_ahead(GqBranch *branch)
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
		GqBranch   *branch = lfirst(lc);

		if (branch->walk.scan != NULL)
		{
			look_ahead(branch);
			gq_branch_end(branch, branch->position.key);
		}
		gq_branch_close(branch);
	}
	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (scan->generations[g] != NULL)
			gq_generation_close(scan->generations[g]);
	UnregisterSnapshot(scan->snapshot);
	MemoryContextDelete(scan->context);
}

/* ---- checking the frontiers ---- */

static bool
is_hidden(const GqFrontier *known, const GqPosition *position)
{
	const GqCell *cell = gq_cell_from(known, position->priority);

	if (cell == NULL || cell->priority != position->priority)
		return known->complete;
	return gq_key_cmp(position->key, cell->frontier) < 0;
}

/* Still?  What was added since the frontiers were read, and is in the snapshot, has
 * lowered them before its commit. */
static bool
is_still_hidden(const GqBranch *branch)
{
	GqFrontier	known[GQ_GENERATIONS];

	(void) gq_frontier_read(branch->entry, known);
	return is_hidden(&known[branch->number], &branch->position);
}

/* Look at the first ready task of each priority, from a key on. */
static int
check_branch(GqBranch *branch, const GqFrontier *known, GqKey key)
{
	GqPosition	start;
	int			from = PG_INT16_MIN;
	int			hidden = 0;

	branch->partial = key.at != DT_NOBEGIN;
	gq_branch_open(branch);
	while (gq_branch_next_start(branch, from, &start))
	{
		gq_branch_begin(branch, gq_position(start.priority, key));
		if (gq_branch_walk(branch))
		{
			if (is_hidden(known, &branch->position) && is_still_hidden(branch))
			{
				gq_frontier_pull_back(branch->entry, branch->number, branch->position.priority,
									  branch->position.key);
				hidden++;
			}
			gq_branch_end(branch, branch->position.key);
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

	scan->checking = true;
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
	int64		started = gq_monotonic_now();
	int			hidden;

	if (started < entry->full_check_at && !at_once)
		return 0;
	hidden = check_from(entry, type, now, gq_first_key);
	entry->full_check_at = started + CHECK_PAUSE * (gq_monotonic_now() - started);
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
		gq_runners_wake(entry, hidden);
	return hidden;
}
