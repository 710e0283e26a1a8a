/*-------------------------------------------------------------------------
 *
 * leases.c
 *	  The leases in flight, so that the healer need not look for them.
 *
 * A hash table of a fixed size, in GQ_LEASE_PARTITIONS parts, each with a lock
 * of its own: fetchers and finishers of different tasks rarely meet.  Within a
 * partition the leases stand densely in an array (the last one fills the gap of
 * one that is removed), chained by bucket.  So a pass over all leases reads no
 * more than there are, and holds one partition's lock at a time: with 300,000
 * leases, for a fraction of a millisecond.  (A partitioned dynahash would have
 * to be locked as a whole for as long as the pass takes.)
 *
 * When a partition is full, the lease is not entered, and that is counted.
 * What is here is a hint: the healer re-checks each row under its lock, and
 * looks through the tables when it finds that count changed, and after a start.
 *
 * Locks: gq_shared->lease_locks[p] guards everything of partition p.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shared/leases.h"
#include "shared/shmem.h"

#define NONE (-1)

typedef struct LeaseKey
{
	Oid			database;
	Oid			instance;
	int64		id;
} LeaseKey;

typedef struct LeaseSlot
{
	LeaseKey	key;
	int64		token;
	TimestampTz lease_until;	/* as the row says */
	TimestampTz extended_until; /* what it says if it could be changed; 0 */
	TimestampTz started_at;
	int			pid;
	bool		session_ended;
	int			next;			/* slot in the same bucket, or NONE */
} LeaseSlot;

/* a partition's counter, alone in its cache line */
typedef union LeaseCount
{
	int			nused;
	char		pad[PG_CACHE_LINE_SIZE];
} LeaseCount;

typedef struct LeaseTable
{
	pg_atomic_uint32 overflows; /* ever, in all databases */
	LeaseCount	count[GQ_LEASE_PARTITIONS];
} LeaseTable;

static LeaseTable *table = NULL;
static int *all_buckets;		/* nbuckets of each partition, one after the
								 * other */
static LeaseSlot *all_slots;	/* capacity of each partition, likewise */
static int	capacity;			/* of a partition */
static int	nbuckets;			/* of a partition; a power of 2 */

/* a partition, for the functions that work within one */
typedef struct Partition
{
	LWLock	   *lock;
	int		   *nused;
	int		   *buckets;
	LeaseSlot  *slots;
} Partition;

static void
compute_sizes(void)
{
	/* a bit more than its share, since hashing is not quite even */
	capacity = (65536 + 256 * MaxBackends) / GQ_LEASE_PARTITIONS + 512;
	nbuckets = pg_nextpower2_32(capacity);
}

static Size
slots_offset(void)
{
	return MAXALIGN(sizeof(LeaseTable)) +
		MAXALIGN(mul_size(sizeof(int) * GQ_LEASE_PARTITIONS, nbuckets));
}

Size
gq_leases_shmem_size(void)
{
	compute_sizes();
	return add_size(slots_offset(),
					mul_size(sizeof(LeaseSlot) * GQ_LEASE_PARTITIONS, capacity));
}

void
gq_leases_shmem_init(void)
{
	bool		found;
	char	   *base = ShmemInitStruct("goque leases", gq_leases_shmem_size(), &found);

	table = (LeaseTable *) base;
	all_buckets = (int *) (base + MAXALIGN(sizeof(LeaseTable)));
	all_slots = (LeaseSlot *) (base + slots_offset());
	if (found)
		return;

	pg_atomic_init_u32(&table->overflows, 0);
	for (int p = 0; p < GQ_LEASE_PARTITIONS; p++)
		table->count[p].nused = 0;
	for (int i = 0; i < GQ_LEASE_PARTITIONS * nbuckets; i++)
		all_buckets[i] = NONE;
}

static Partition
get_partition(int p)
{
	Partition	part;

	part.lock = &gq_shared->lease_locks[p].lock;
	part.nused = &table->count[p].nused;
	part.buckets = &all_buckets[(Size) p * nbuckets];
	part.slots = &all_slots[(Size) p * capacity];
	return part;
}

static LeaseKey
make_key(Oid instance, int64 id)
{
	LeaseKey	key = {MyDatabaseId, instance, id};

	return key;
}

static bool
same_key(const LeaseKey *a, const LeaseKey *b)
{
	return a->id == b->id && a->database == b->database && a->instance == b->instance;
}

/* Ids are successive numbers: a multiplication spreads them evenly. */
static uint64
hash_key(const LeaseKey *key)
{
	uint64		owner = ((uint64) key->database << 32) | key->instance;

	return ((uint64) key->id ^ (owner * UINT64CONST(0xBF58476D1CE4E5B9))) *
		UINT64CONST(0x9E3779B97F4A7C15);
}

static int
partition_of(uint64 hash)
{
	return (int) (hash >> 32) & (GQ_LEASE_PARTITIONS - 1);
}

static int *
bucket_of(Partition *part, uint64 hash)
{
	return &part->buckets[(hash >> 36) & (nbuckets - 1)];
}

/* The link that holds the slot with this key, or the NONE at the chain's end. */
static int *
find_link(Partition *part, const LeaseKey *key, uint64 hash)
{
	int		   *link = bucket_of(part, hash);

	while (*link != NONE && !same_key(&part->slots[*link].key, key))
		link = &part->slots[*link].next;
	return link;
}

/* Take out the slot that this link holds; the last slot moves into its place. */
static void
remove_slot(Partition *part, int *link)
{
	int			slot = *link;
	int			last = *part->nused - 1;

	*link = part->slots[slot].next;
	if (slot != last)
	{
		LeaseKey   *key = &part->slots[last].key;

		*find_link(part, key, hash_key(key)) = slot;
		part->slots[slot] = part->slots[last];
	}
	*part->nused = last;
}

/* A new slot at the end of a chain, its lease not filled in; NULL: no room. */
static LeaseSlot *
add_slot(Partition *part, int *link, const LeaseKey *key)
{
	LeaseSlot  *slot;

	if (*part->nused >= capacity)
		return NULL;
	*link = (*part->nused)++;
	slot = &part->slots[*link];
	slot->key = *key;
	slot->next = NONE;
	return slot;
}

/* A claim's word counts; others may only speak of the lease that is there. */
static void
fill_slot(LeaseSlot *slot, bool added, int64 token, TimestampTz lease_until, int pid)
{
	if (!added && pid == 0 && slot->token != token)
		return;
	if (added || slot->token != token)
	{
		slot->extended_until = 0;
		slot->session_ended = false;
	}
	slot->token = token;
	slot->lease_until = lease_until;
	if (added || pid != 0)
	{
		slot->started_at = GetCurrentTimestamp();
		slot->pid = pid;
	}
}

static bool
enter(Oid instance, int64 id, int64 token, TimestampTz lease_until, int pid)
{
	LeaseKey	key = make_key(instance, id);
	uint64		hash = hash_key(&key);
	Partition	part;
	LeaseSlot  *slot;
	int		   *link;
	bool		added;

	if (table == NULL)
		return true;

	part = get_partition(partition_of(hash));
	LWLockAcquire(part.lock, LW_EXCLUSIVE);
	link = find_link(&part, &key, hash);
	added = *link == NONE;
	slot = added ? add_slot(&part, link, &key) : &part.slots[*link];
	if (slot != NULL)
		fill_slot(slot, added, token, lease_until, pid);
	LWLockRelease(part.lock);
	return slot != NULL;
}

bool
gq_lease_enter(Oid instance, int64 id, int64 token, TimestampTz lease_until, int pid)
{
	bool		entered = enter(instance, id, token, lease_until, pid);

	if (!entered)
		pg_atomic_fetch_add_u32(&table->overflows, 1);
	return entered;
}

bool
gq_lease_enter_found(Oid instance, int64 id, int64 token, TimestampTz lease_until)
{
	return enter(instance, id, token, lease_until, 0);
}

uint32
gq_lease_overflows(void)
{
	return table != NULL ? pg_atomic_read_u32(&table->overflows) : 0;
}

static TimestampTz
ends_at(const LeaseSlot *slot)
{
	return Max(slot->lease_until, slot->extended_until);
}

/* When the healer must come for it. */
static TimestampTz
due_at(const LeaseSlot *slot)
{
	return slot->session_ended ? DT_NOBEGIN : ends_at(slot);
}

/* Is this lease here?  Its session may be noted as ended on the way. */
static bool
find_lease(Oid instance, int64 id, int64 token, bool session_ended, TimestampTz *extended_until)
{
	LeaseKey	key = make_key(instance, id);
	uint64		hash = hash_key(&key);
	Partition	part;
	int		   *link;
	bool		found;

	if (table == NULL)
		return false;

	part = get_partition(partition_of(hash));
	LWLockAcquire(part.lock, session_ended ? LW_EXCLUSIVE : LW_SHARED);
	link = find_link(&part, &key, hash);
	found = *link != NONE && part.slots[*link].token == token;
	if (found && session_ended)
		part.slots[*link].session_ended = true;
	if (found && extended_until != NULL)
		*extended_until = part.slots[*link].extended_until;
	LWLockRelease(part.lock);
	return found;
}

bool
gq_lease_session_ended(Oid instance, int64 id, int64 token)
{
	return find_lease(instance, id, token, true, NULL);
}

bool
gq_lease_is_known(Oid instance, int64 id, int64 token)
{
	return find_lease(instance, id, token, false, NULL);
}

TimestampTz
gq_lease_extend(Oid instance, int64 id, int64 token, TimestampTz lease_until, TimestampTz until)
{
	LeaseKey	key = make_key(instance, id);
	uint64		hash = hash_key(&key);
	TimestampTz result = lease_until;
	Partition	part;
	int		   *link;

	if (table == NULL)
		return result;

	/* there already, unless the server has just started */
	gq_lease_enter(instance, id, token, lease_until, 0);
	part = get_partition(partition_of(hash));
	LWLockAcquire(part.lock, LW_EXCLUSIVE);
	link = find_link(&part, &key, hash);
	if (*link != NONE && part.slots[*link].token == token)
	{
		LeaseSlot  *slot = &part.slots[*link];

		slot->extended_until = Max(slot->extended_until, until);
		result = ends_at(slot);
	}
	LWLockRelease(part.lock);
	return result;
}

TimestampTz
gq_lease_extended(Oid instance, int64 id, int64 token)
{
	TimestampTz result = 0;

	(void) find_lease(instance, id, token, false, &result);
	return result;
}

void
gq_lease_remove(Oid instance, int64 id, int64 token)
{
	LeaseKey	key = make_key(instance, id);
	uint64		hash = hash_key(&key);
	Partition	part;
	int		   *link;

	if (table == NULL)
		return;

	part = get_partition(partition_of(hash));
	LWLockAcquire(part.lock, LW_EXCLUSIVE);
	link = find_link(&part, &key, hash);
	if (*link != NONE && part.slots[*link].token == token)
		remove_slot(&part, link);
	LWLockRelease(part.lock);
}

/* Leases of all databases, about: for the size of an allocation. */
static int
count_leases(void)
{
	int			n = 0;

	for (int p = 0; p < GQ_LEASE_PARTITIONS; p++)
		n += table->count[p].nused;
	return n;
}

static bool
is_mine(const LeaseSlot *slot, Oid instance)
{
	return slot->key.database == MyDatabaseId && slot->key.instance == instance;
}

static GqLease
lease_of(const LeaseSlot *slot)
{
	GqLease		lease = {slot->key.id, slot->token, ends_at(slot), slot->started_at, slot->pid,
	slot->session_ended};

	return lease;
}

/* gq_leases_ended for one partition, beginning at a slot that `turn` picks */
static void
collect_ended(Partition *part, Oid instance, TimestampTz now, uint32 turn,
			  GqLease *leases, int max, int *n, TimestampTz *next)
{
	int			nused = *part->nused;
	int			at = nused > 0 ? (int) (turn * 2654435761U % nused) : 0;

	for (int i = 0; i < nused; i++)
	{
		LeaseSlot  *slot = &part->slots[at];

		if (++at == nused)
			at = 0;
		if (!is_mine(slot, instance))
			continue;
		if (due_at(slot) <= now && *n < max)
			leases[(*n)++] = lease_of(slot);
		else
			*next = Min(*next, due_at(slot));
	}
}

/*
 * Each call begins elsewhere, so that ended leases which the healer must pass
 * by (their rows are locked) do not fill every batch and hide the others.
 */
GqLease *
gq_leases_ended(Oid instance, TimestampTz now, int max, int *n, TimestampTz *next)
{
	static uint32 turn = 0;
	GqLease    *leases;

	*n = 0;
	*next = DT_NOEND;
	if (table == NULL)
		return NULL;

	max = Min(max, count_leases() + 1);
	leases = palloc_extended(sizeof(GqLease) * max, MCXT_ALLOC_HUGE);
	turn++;
	for (int i = 0; i < GQ_LEASE_PARTITIONS; i++)
	{
		Partition	part = get_partition((turn + i) % GQ_LEASE_PARTITIONS);

		LWLockAcquire(part.lock, LW_SHARED);
		collect_ended(&part, instance, now, turn, leases, max, n, next);
		LWLockRelease(part.lock);
	}
	return leases;
}

/* gq_leases_all for one partition */
static void
copy_leases(Partition *part, Oid instance, GqLease *leases, int max, int *n)
{
	for (int i = 0; i < *part->nused && *n < max; i++)
	{
		if (is_mine(&part->slots[i], instance))
			leases[(*n)++] = lease_of(&part->slots[i]);
	}
}

GqLease *
gq_leases_all(Oid instance, int *n)
{
	GqLease    *leases;
	int			max;

	*n = 0;
	if (table == NULL)
		return NULL;

	max = count_leases() + 1024;	/* some may come meanwhile */
	leases = palloc_extended(sizeof(GqLease) * max, MCXT_ALLOC_HUGE);
	for (int p = 0; p < GQ_LEASE_PARTITIONS; p++)
	{
		Partition	part = get_partition(p);

		LWLockAcquire(part.lock, LW_SHARED);
		copy_leases(&part, instance, leases, max, n);
		LWLockRelease(part.lock);
	}
	return leases;
}

void
gq_leases_forget(Oid database)
{
	if (table == NULL)
		return;

	for (int p = 0; p < GQ_LEASE_PARTITIONS; p++)
	{
		Partition	part = get_partition(p);

		LWLockAcquire(part.lock, LW_EXCLUSIVE);
		/* from the end: what moves into a gap has been looked at */
		for (int i = *part.nused - 1; i >= 0; i--)
		{
			LeaseKey   *key = &part.slots[i].key;

			if (key->database == database)
				remove_slot(&part, find_link(&part, key, hash_key(key)));
		}
		LWLockRelease(part.lock);
	}
}
