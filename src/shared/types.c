/*-------------------------------------------------------------------------
 *
 * types.c
 *	  What shared memory knows of each task type: the table of types, and the
 *	  frontiers of their ready tasks.
 *
 * The table
 * ---------
 * A fixed array with hash chains of array indexes.  Entries never move and stay
 * until their instance of goque is gone, so that a session keeps a pointer and
 * merely compares (gq_type_entry_is).  An entry is given back only after a DROP
 * EXTENSION or DROP DATABASE: whoever uses one on behalf of its tables holds a
 * lock on them until after its commit callbacks, and whoever sleeps holds the
 * entry by standing in its line.  A pointer that outlives both may meet another
 * type's entry in the same place: pulling its frontier back or waking its waiters
 * is harmless, and advancing it is refused, because events_seen jumps (below).
 *
 * The frontier (rule 3 of docs/design.md)
 * ---------------------------------------
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
 * Locks: types_lock guards the chains and the identity of entries; each entry's
 * mutex guards its frontier and counters; wait_lock its line.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "shared/cells.h"
#include "shared/delays.h"
#include "shared/rates.h"
#include "shared/shmem.h"
#include "shared/types.h"

#define NBUCKETS (GQ_MAX_TYPES * 2) /* a power of 2 */
#define NONE (-1)

typedef struct TypeTable
{
	int			free_head;		/* chain of unused entries */
	int			buckets[NBUCKETS];
	int			next[GQ_MAX_TYPES];
	GqType		entries[GQ_MAX_TYPES];
} TypeTable;

static TypeTable *table = NULL;

Size
gq_types_shmem_size(void)
{
	return MAXALIGN(sizeof(TypeTable));
}

void
gq_types_shmem_init(void)
{
	bool		found;

	table = ShmemInitStruct("goque types", sizeof(TypeTable), &found);
	if (found)
		return;

	memset(table, 0, sizeof(TypeTable));
	for (int i = 0; i < NBUCKETS; i++)
		table->buckets[i] = NONE;
	table->free_head = NONE;
	for (int i = GQ_MAX_TYPES - 1; i >= 0; i--)
	{
		GqType	   *entry = &table->entries[i];

		SpinLockInit(&entry->mutex);
		pg_atomic_init_u32(&entry->line.idle, 0);
		dlist_init(&entry->line.waiters);
		entry->line.timer.owner = -1;
		entry->line.timer.at = entry->line.timer.noted = DT_NOEND;
		table->next[i] = table->free_head;
		table->free_head = i;
	}
}

/* ---- the table ---- */

static int *
bucket_of(Oid database, Oid instance, const char *name)
{
	uint32		hash = hash_bytes((const unsigned char *) name, strlen(name));

	hash = hash_combine(hash, hash_bytes_uint32(database));
	hash = hash_combine(hash, hash_bytes_uint32(instance));
	return &table->buckets[hash & (NBUCKETS - 1)];
}

static bool
is_entry_of(const GqType *entry, Oid database, Oid instance, const char *name)
{
	return entry->in_use && entry->database == database &&
		entry->instance == instance && strcmp(entry->name, name) == 0;
}

/* types_lock is held */
static GqType *
find_entry(Oid database, Oid instance, const char *name)
{
	for (int i = *bucket_of(database, instance, name); i != NONE; i = table->next[i])
	{
		if (is_entry_of(&table->entries[i], database, instance, name))
			return &table->entries[i];
	}
	return NULL;
}

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

/* Empty an entry, but for its mutex and its line, which are empty already. */
static void
reset_entry(GqType *entry)
{
	SpinLockAcquire(&entry->mutex);
	refuse_running_scans(entry);
	memset(entry->frontier, 0, sizeof(entry->frontier));
	entry->prepared = 0;
	entry->full_check_at = 0;
	entry->counted = entry->running_known = entry->limited = entry->delays_lost = false;
	entry->claiming = entry->prepared_claims = entry->changes = entry->began = entry->ended = 0;
	memset(entry->counts, 0, sizeof(entry->counts));
	memset(entry->totals, 0, sizeof(entry->totals));
	entry->last_fetch_at = 0;
	entry->max_payload = 0;
	SpinLockRelease(&entry->mutex);
}

/*
 * What is known of an instance as a whole is kept in an entry without a name,
 * which is nobody's type: it is `counted` when the instance is surveyed.
 */
static bool
is_surveyed(Oid database, Oid instance)
{
	GqType	   *entry = find_entry(database, instance, "");

	return entry != NULL && entry->counted;
}

/* types_lock is held, exclusively.  NULL: no room. */
static GqType *
make_entry(Oid database, Oid instance, const char *name)
{
	int			i = table->free_head;
	int		   *bucket = bucket_of(database, instance, name);
	GqType	   *entry;

	if (i == NONE)
		return NULL;

	entry = &table->entries[i];
	reset_entry(entry);
	entry->counted = name[0] != '\0' && is_surveyed(database, instance);
	pg_atomic_init_u64(&entry->children, entry->counted ? GQ_CHILDREN_NONE : GQ_CHILDREN_UNKNOWN);
	entry->running_known = entry->counted;
	entry->database = database;
	entry->instance = instance;
	strlcpy(entry->name, name, sizeof(entry->name));
	/* gq_type_entry_is looks without the lock */
	pg_write_barrier();
	entry->in_use = true;

	table->free_head = table->next[i];
	table->next[i] = *bucket;
	*bucket = i;
	return entry;
}

/* types_lock is held, exclusively. */
static void
free_entry(int i)
{
	GqType	   *entry = &table->entries[i];
	int		   *link = bucket_of(entry->database, entry->instance, entry->name);

	while (*link != i)
		link = &table->next[*link];
	*link = table->next[i];
	gq_delays_forget(entry);
	gq_rate_forget(entry);

	entry->in_use = false;
	table->next[i] = table->free_head;
	table->free_head = i;
}

GqType *
gq_type_entry(Oid instance, const char *name)
{
	GqType	   *entry;

	if (gq_shared == NULL)
		return NULL;

	LWLockAcquire(gq_shared->types_lock, LW_SHARED);
	entry = find_entry(MyDatabaseId, instance, name);
	LWLockRelease(gq_shared->types_lock);
	if (entry != NULL)
		return entry;

	LWLockAcquire(gq_shared->types_lock, LW_EXCLUSIVE);
	entry = find_entry(MyDatabaseId, instance, name);
	if (entry == NULL)
		entry = make_entry(MyDatabaseId, instance, name);
	LWLockRelease(gq_shared->types_lock);
	return entry;
}

bool
gq_type_entry_is(const GqType *entry, Oid instance, const char *name)
{
	return is_entry_of(entry, MyDatabaseId, instance, name);
}

/*
 * The indexes come first and the calls second, so that fn may do what it likes.
 * An entry cannot become another instance's while somebody works in this one.
 */
void
gq_types_foreach(Oid instance, void (*fn) (GqType *entry, void *arg), void *arg)
{
	uint16		found[GQ_MAX_TYPES];
	int			n = 0;

	if (gq_shared == NULL)
		return;

	LWLockAcquire(gq_shared->types_lock, LW_SHARED);
	for (int i = 0; i < GQ_MAX_TYPES; i++)
	{
		GqType	   *entry = &table->entries[i];

		if (entry->in_use && entry->database == MyDatabaseId &&
			entry->instance == instance && entry->name[0] != '\0')
			found[n++] = i;
	}
	LWLockRelease(gq_shared->types_lock);

	for (int i = 0; i < n; i++)
		fn(&table->entries[found[i]], arg);
}

bool
gq_types_are_surveyed(Oid instance)
{
	GqType	   *entry = gq_type_entry(instance, "");

	return entry != NULL && entry->counted;
}

void
gq_types_set_surveyed(Oid instance, bool surveyed)
{
	GqType	   *entry = gq_type_entry(instance, "");

	if (entry != NULL)
		entry->counted = surveyed;
}

void
gq_types_forget(Oid database, Oid keep_instance)
{
	if (gq_shared == NULL)
		return;

	LWLockAcquire(gq_shared->types_lock, LW_EXCLUSIVE);
	/* nobody joins a line meanwhile */
	LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
	for (int i = 0; i < GQ_MAX_TYPES; i++)
	{
		GqType	   *entry = &table->entries[i];

		if (entry->in_use && entry->database == database &&
			entry->instance != keep_instance && entry->line.nwaiters == 0)
			free_entry(i);
	}
	LWLockRelease(gq_shared->wait_lock);
	LWLockRelease(gq_shared->types_lock);
}

int
gq_type_number(const GqType *entry)
{
	return entry - table->entries;
}

GqType *
gq_type_nth(int n)
{
	GqType	   *entry = &table->entries[n];

	return entry->in_use && entry->name[0] != '\0' ? entry : NULL;
}

GqType *
gq_type_restore(Oid database, Oid instance, const char *name)
{
	GqType	   *entry = make_entry(database, instance, name);

	/* it has tasks */
	if (entry != NULL)
		pg_atomic_write_u64(&entry->children, GQ_CHILDREN_UNKNOWN);
	return entry;
}

/* ---- the frontier; in all static functions the mutex is held ---- */

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
