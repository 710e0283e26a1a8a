/*-------------------------------------------------------------------------
 *
 * frontier.c
 *	  Where the ready tasks of a type begin (rule 3 of docs/design.md).
 *
 * A fetch should not walk the finished entries at the head of a ready index.
 * For each generation and priority, a cell holds a key below which no claimable
 * entry stands.  A priority without a cell has nothing claimable where the
 * generation is `complete`, and may have anything where it is not; an entry of
 * the table begins with no cells and not complete.
 *
 * A fetch reads the frontier and events_seen first, takes its snapshot second
 * and scans third: each priority that has a cell from there; the others from
 * the beginning, or not at all where the generation is complete.  It passes by
 * entries that are finished, processing, locked or not visible to it, and then
 * moves the cell to the first that it saw claimable.  What it passed by may
 * become claimable later: by the commit of an add, a retry, a release, a heal;
 * by the abort of a claim.  Whoever causes that calls gq_frontier_pull_back
 * *after* it is visible to new snapshots (transaction callbacks run after
 * ProcArrayEndTransaction).  It appends an event and lowers the cell.  So:
 *
 *	- if the event comes after the fetch read events_seen, then the fetch meets
 *	  it in gq_frontier_advance and does not move the cell beyond its key;
 *	- if it came before, then the fetch's snapshot, taken later, sees the entry.
 *
 * Events are remembered singly for a while, and longer in groups, of which only
 * the smallest key is known: a fetch that walks far, while many others commit,
 * must still be able to move the cell, or the walk would never get shorter.  One
 * that missed more events than that moves nothing.  A cell is
 * always allowed to be lower than it could be: that costs time, nothing else.
 * For the same reason events of many tasks may be merged into one with the
 * smallest key.
 *
 * Between becoming visible and the event, an entry may stand below its cell for
 * a moment: a fetch then misses it, as if it had come a moment earlier.  A
 * COMMIT PREPARED runs no callback at all: the keeper's check, once a minute,
 * forgets the frontiers (gq_frontier_forget), which the next fetch finds anew.
 *
 * A cell at DT_NOEND says "nothing here" and may be evicted for another: where
 * the generation is complete, having no cell says the same; where it is not,
 * one scan from the beginning is lost.
 *
 * Locks: each entry's mutex guards its frontier and events.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "shared/cells.h"
#include "shared/types.h"

/*
 * Forget all that other fetches may know: their `since` is too old from now on,
 * so that what they found under the old state cannot be entered into the new.
 * The mutex is held.
 */
static void
refuse_running_scans(GqType *entry)
{
	entry->events_seen += UINT64CONST(1) << (GQ_EVENTS_BITS * (GQ_EVENT_LEVELS + 1));
}

/* ---- cells; in all static functions the mutex is held ---- */

static void
remove_cell(GqFrontier *frontier, int i)
{
	frontier->ncells--;
	memmove(&frontier->cells[i], &frontier->cells[i + 1],
			(frontier->ncells - i) * sizeof(GqCell));
}

/* Make room for a cell, at the cost of one that says "nothing here" if need be. */
static bool
make_room(GqFrontier *frontier)
{
	if (frontier->ncells < GQ_CELLS)
		return true;
	for (int i = 0; i < frontier->ncells; i++)
	{
		if (frontier->cells[i].frontier.at == DT_NOEND)
		{
			remove_cell(frontier, i);
			return true;
		}
	}
	return false;
}

/* A new cell; false: no room. */
static bool
insert_cell(GqFrontier *frontier, int16 priority, GqKey key)
{
	return make_room(frontier) && gq_cell_insert(frontier, priority, key);
}

static GqEvent *
event_of(GqType *entry, uint64 number)
{
	return &entry->events[number % GQ_EVENTS];
}

/* ---- events: the last ones singly, older ones in groups ---- */

/* Which of the groups of this level (0: the events themselves) an event is in. */
static uint64
group_number(uint64 event, int level)
{
	return event >> (GQ_EVENTS_BITS * level);
}

/* The finest level that still knows all events since then; -1: none does. */
static int
level_that_remembers(const GqType *entry, uint64 since)
{
	for (int level = 0; level <= GQ_EVENT_LEVELS; level++)
	{
		if (group_number(entry->events_seen, level) - group_number(since, level) < GQ_EVENTS)
			return level;
	}
	return -1;
}

static bool
remembers(const GqType *entry, uint64 since)
{
	return level_that_remembers(entry, since) >= 0;
}

static void
append_event(GqType *entry, GqEvent event)
{
	for (int level = 1; level <= GQ_EVENT_LEVELS; level++)
	{
		uint64		number = group_number(entry->events_seen, level);
		GqEventGroup *group = &entry->groups[level - 1][number % GQ_EVENTS];

		if (group->number != number || gq_key_cmp(event.key, group->smallest) < 0)
			*group = (GqEventGroup)
		{
			number, event.key
		};
	}
	*event_of(entry, entry->events_seen) = event;
	entry->events_seen++;
}

/* The smallest of key and the keys of the events since then that matter here. */
static GqKey
limit_by_events(GqType *entry, int generation, int16 priority, GqKey key, uint64 since)
{
	int			level = level_that_remembers(entry, since);
	uint64		end = entry->events_seen;

	if (level == 0)
	{
		for (uint64 number = since; number < end; number++)
		{
			GqEvent    *event = event_of(entry, number);

			if (event->generation == generation && event->priority == priority &&
				gq_key_cmp(event->key, key) < 0)
				key = event->key;
		}
		return key;
	}
	for (uint64 number = group_number(since, level); number <= group_number(end - 1, level); number++)
	{
		GqEventGroup *group = &entry->groups[level - 1][number % GQ_EVENTS];

		/* a group without events, after a jump, has another's number */
		if (group->number == number && gq_key_cmp(group->smallest, key) < 0)
			key = group->smallest;
	}
	return key;
}

uint64
gq_frontier_read(GqType *entry, GqFrontier out[GQ_GENERATIONS])
{
	uint64		seen;

	SpinLockAcquire(&entry->mutex);
	memcpy(out, entry->frontier, sizeof(entry->frontier));
	seen = entry->events_seen;
	SpinLockRelease(&entry->mutex);
	return seen;
}

void
gq_frontier_pull_back(GqType *entry, int generation, int16 priority, GqKey key)
{
	GqFrontier *frontier = &entry->frontier[generation];
	GqEvent		event = {generation, priority, key};
	GqCell	   *cell;

	SpinLockAcquire(&entry->mutex);
	append_event(entry, event);
	cell = gq_cell_find(frontier, priority);
	if (cell != NULL)
	{
		if (gq_key_cmp(key, cell->frontier) < 0)
			cell->frontier = key;
	}
	else if (frontier->complete && !insert_cell(frontier, priority, key))
		frontier->complete = false;

	/*
	 * Not complete and no cell: older entries of this priority may stand
	 * below the key, so that a cell there would hide them.
	 */
	SpinLockRelease(&entry->mutex);
}

void
gq_frontier_forget(GqType *entry, int generation)
{
	uint64		none = GQ_CHILDREN_NONE;

	(void) pg_atomic_compare_exchange_u64(&entry->children, &none, GQ_CHILDREN_UNKNOWN);
	SpinLockAcquire(&entry->mutex);
	refuse_running_scans(entry);
	if (generation < 0)
		memset(entry->frontier, 0, sizeof(entry->frontier));
	else
		memset(&entry->frontier[generation], 0, sizeof(GqFrontier));
	SpinLockRelease(&entry->mutex);
}

/* gq_frontier_advance, when the events are known */
static bool
advance_cell(GqFrontier *frontier, int16 priority, GqKey key)
{
	GqCell	   *cell = gq_cell_find(frontier, priority);

	if (cell != NULL)
	{
		if (gq_key_cmp(key, cell->frontier) > 0)
			cell->frontier = key;
		return true;
	}

	/* nothing claimable is there: no cell can say more */
	if (frontier->complete)
		return true;

	/*
	 * the scan began at the beginning; a cell that says "nothing" may be left
	 * out
	 */
	return insert_cell(frontier, priority, key) || key.at == DT_NOEND;
}

bool
gq_frontier_advance(GqType *entry, int generation, int16 priority, GqKey key, uint64 since)
{
	bool		taken = false;

	SpinLockAcquire(&entry->mutex);
	if (remembers(entry, since))
	{
		key = limit_by_events(entry, generation, priority, key, since);
		taken = advance_cell(&entry->frontier[generation], priority, key);
	}
	SpinLockRelease(&entry->mutex);
	return taken;
}

void
gq_frontier_ahead(GqType *entry, int generation, int16 priority, GqKey ahead)
{
	GqCell	   *cell;

	SpinLockAcquire(&entry->mutex);
	cell = gq_cell_find(&entry->frontier[generation], priority);
	if (cell != NULL)
		cell->ahead = ahead;
	SpinLockRelease(&entry->mutex);
}

/* Does each event of this generation since then have a cell? */
static bool
events_have_cells(GqType *entry, int generation, uint64 since)
{
	for (uint64 number = since; number < entry->events_seen; number++)
	{
		GqEvent    *event = event_of(entry, number);

		if (event->generation == generation &&
			gq_cell_find(&entry->frontier[generation], event->priority) == NULL)
			return false;
	}
	return true;
}

void
gq_frontier_complete(GqType *entry, int generation, uint64 since)
{
	SpinLockAcquire(&entry->mutex);
	/* of events in groups nobody knows which priority they had */
	if (level_that_remembers(entry, since) == 0 && events_have_cells(entry, generation, since))
		entry->frontier[generation].complete = true;
	SpinLockRelease(&entry->mutex);
}
