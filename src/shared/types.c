/*-------------------------------------------------------------------------
 *
 * types.c
 *	  What shared memory knows of each task type: the table of types.
 *
 * A fixed array with hash chains of array indexes.  Entries never move and stay
 * until their instance of goque is gone, so that a session keeps a pointer and
 * merely compares (gq_type_entry_is).  An entry is given back only after a DROP
 * EXTENSION or DROP DATABASE: whoever uses one on behalf of its tables holds a
 * lock on them until after its commit callbacks, and whoever sleeps holds the
 * entry by standing in its line.  A pointer that outlives both may meet another
 * type's entry in the same place: pulling its frontier back or waking its waiters
 * is harmless, and advancing it is refused, because events_seen jumps
 * (shared/frontier.c).
 *
 * A type that was refused an entry has tasks and open claims that nobody counted.
 * So an instance that has such a type gets no more entries before the next start,
 * should there be room again: a new one is taken to be of a new type, and starts with
 * counts of 0.
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
	bool		refused[NBUCKETS];	/* by instance: a type of it has no entry */
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
		pg_atomic_init_u64(&entry->children, GQ_CHILDREN_UNKNOWN);
		pg_atomic_init_u32(&entry->line.idle, 0);
		dlist_init(&entry->line.waiters);
		entry->line.timer.owner = -1;
		entry->line.timer.at = entry->line.timer.noted = DT_NOEND;
		table->next[i] = table->free_head;
		table->free_head = i;
	}
}

/* ---- the table ---- */

static uint32
hash_of(Oid database, Oid instance, const char *name)
{
	uint32		hash = hash_bytes((const unsigned char *) name, strlen(name));

	hash = hash_combine(hash, hash_bytes_uint32(database));
	hash = hash_combine(hash, hash_bytes_uint32(instance));
	return hash & (NBUCKETS - 1);
}

static int *
bucket_of(Oid database, Oid instance, const char *name)
{
	return &table->buckets[hash_of(database, instance, name)];
}

/* Was a type of this instance refused an entry? */
static bool *
refusal_of(Oid database, Oid instance)
{
	return &table->refused[hash_of(database, instance, "")];
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

/* Empty an entry, but for its mutex and its line, which are empty already. */
static void
reset_entry(GqType *entry)
{
	gq_frontier_forget(entry, -1);
	SpinLockAcquire(&entry->mutex);
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

/*
 * types_lock is held, exclusively.  NULL: no room, or there was none for a type of
 * this instance before.
 */
static GqType *
make_entry(Oid database, Oid instance, const char *name)
{
	int			i = table->free_head;
	int		   *bucket = bucket_of(database, instance, name);
	bool	   *refused = refusal_of(database, instance);
	GqType	   *entry;

	*refused |= i == NONE;
	if (i == NONE || (*refused && name[0] != '\0'))
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
	bool		refused;

	if (gq_shared == NULL)
		return NULL;

	LWLockAcquire(gq_shared->types_lock, LW_SHARED);
	entry = find_entry(MyDatabaseId, instance, name);
	refused = *refusal_of(MyDatabaseId, instance) && name[0] != '\0';
	LWLockRelease(gq_shared->types_lock);
	if (entry != NULL || refused)
		return entry;

	LWLockAcquire(gq_shared->types_lock, LW_EXCLUSIVE);
	/* first of all that of the instance, for which there must be room */
	if (find_entry(MyDatabaseId, instance, "") == NULL)
		(void) make_entry(MyDatabaseId, instance, "");
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
