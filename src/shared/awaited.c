/*-------------------------------------------------------------------------
 *
 * awaited.c
 *	  Who waits for the end of which task.
 *
 * A process waits for one task at a time, so there is a place for each, by
 * gq_my_proc_index(), and the table never overflows.  Places are chained in
 * buckets by id, so that a commit that ended a hundred thousand tasks does not
 * look at every waiter for each of them.  While nobody waits at all it reads one
 * counter.
 *
 * Nobody is woken for nothing but by a task that was given back or is to be
 * tried again, or by chance of a bucket; a waiter that was woken looks again.
 * COMMIT PREPARED tells nobody: waiters look every few seconds by themselves
 * (core/await.c).
 *
 * Locks: awaited_lock guards everything but the counter; nobody holds it while
 * setting latches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "shared/awaited.h"
#include "shared/shmem.h"
#include "shared/wait_lines.h"

#define NONE (-1)

typedef struct Place
{
	bool		in_use;
	bool		woken;			/* since it last began to look */
	int			next;			/* in its bucket, or NONE */
	int			pid;
	Oid			database;
	Oid			instance;
	int64		id;
	TimestampTz since;
} Place;

typedef struct Table
{
	pg_atomic_uint32 waiting;	/* places in use */
	int			buckets[FLEXIBLE_ARRAY_MEMBER];
} Table;

static Table *table = NULL;
static Place *places;			/* MaxBackends */
static int	nbuckets;			/* a power of 2 */

static bool waiting = false;	/* this process */

static Size
buckets_size(void)
{
	nbuckets = pg_nextpower2_32(MaxBackends);
	return MAXALIGN(add_size(offsetof(Table, buckets), mul_size(sizeof(int), nbuckets)));
}

Size
gq_awaited_shmem_size(void)
{
	return add_size(buckets_size(), mul_size(sizeof(Place), MaxBackends));
}

void
gq_awaited_shmem_init(void)
{
	bool		found;
	char	   *base = ShmemInitStruct("goque awaited", gq_awaited_shmem_size(), &found);

	table = (Table *) base;
	places = (Place *) (base + buckets_size());
	if (found)
		return;

	pg_atomic_init_u32(&table->waiting, 0);
	memset(places, 0, sizeof(Place) * MaxBackends);
	for (int i = 0; i < nbuckets; i++)
		table->buckets[i] = NONE;
}

static int *
bucket_of(int64 id)
{
	return &table->buckets[((uint64) id * UINT64CONST(0x9E3779B97F4A7C15) >> 32) & (nbuckets - 1)];
}

/* ---- the waiter ---- */

static void
leave(int me)
{
	int		   *link = bucket_of(places[me].id);

	while (*link != me)
		link = &places[*link].next;
	*link = places[me].next;
	places[me].in_use = false;
	pg_atomic_fetch_sub_u32(&table->waiting, 1);
}

void
gq_await_end(void)
{
	if (!waiting)
		return;
	waiting = false;
	LWLockAcquire(gq_shared->awaited_lock, LW_EXCLUSIVE);
	leave(gq_my_proc_index());
	LWLockRelease(gq_shared->awaited_lock);
}

static void
at_exit(int code, Datum arg)
{
	gq_await_end();
}

/* No user's code runs during a wait, so any abort is the waiter's own. */
static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		gq_await_end();
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		gq_await_end();
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	before_shmem_exit(at_exit, (Datum) 0);
	RegisterXactCallback(at_xact_end, NULL);
	RegisterSubXactCallback(at_subxact_end, NULL);
	registered = true;
}

static void
join(int me, Oid instance, int64 id, TimestampTz now)
{
	Place	   *place = &places[me];
	int		   *bucket = bucket_of(id);

	place->in_use = true;
	place->woken = false;
	place->pid = MyProcPid;
	place->database = MyDatabaseId;
	place->instance = instance;
	place->id = id;
	place->since = now;
	place->next = *bucket;
	*bucket = me;
	/* a full barrier: whoever ends the task after our look sees it */
	pg_atomic_fetch_add_u32(&table->waiting, 1);
}

void
gq_await_begin(Oid instance, int64 id)
{
	int			me;
	TimestampTz now = GetCurrentTimestamp();

	if (table == NULL)
		return;
	me = gq_my_proc_index();
	if (me < 0 || me >= MaxBackends)
		return;					/* no process that runs SQL */

	register_callbacks();
	gq_await_end();
	waiting = true;
	LWLockAcquire(gq_shared->awaited_lock, LW_EXCLUSIVE);
	join(me, instance, id, now);
	LWLockRelease(gq_shared->awaited_lock);
}

void
gq_await_rearm(void)
{
	if (!waiting)
		return;
	LWLockAcquire(gq_shared->awaited_lock, LW_EXCLUSIVE);
	places[gq_my_proc_index()].woken = false;
	LWLockRelease(gq_shared->awaited_lock);
}

/* ---- who ended a task ---- */

bool
gq_await_any(void)
{
	if (table == NULL)
		return false;
	pg_memory_barrier();
	return pg_atomic_read_u32(&table->waiting) > 0;
}

static void
wake_some(Oid instance, int64 id, GqWakeSet *set)
{
	for (int i = *bucket_of(id); i != NONE && set->n < GQ_WAKE_SET; i = places[i].next)
	{
		Place	   *place = &places[i];

		if (place->woken || place->id != id || place->instance != instance ||
			place->database != MyDatabaseId)
			continue;
		place->woken = true;
		set->waiters[set->n++] = i;
	}
}

void
gq_await_wake(Oid instance, int64 id)
{
	GqWakeSet	set = {0};
	bool		full;

	do
	{
		LWLockAcquire(gq_shared->awaited_lock, LW_EXCLUSIVE);
		wake_some(instance, id, &set);
		LWLockRelease(gq_shared->awaited_lock);
		full = set.n == GQ_WAKE_SET;
		gq_set_latches(&set);
	} while (full);
}

/* ---- for the views ---- */

GqAwaiting *
gq_awaiting(int *n)
{
	GqAwaiting *all;

	*n = 0;
	if (table == NULL)
		return NULL;

	all = palloc(sizeof(GqAwaiting) * MaxBackends);
	LWLockAcquire(gq_shared->awaited_lock, LW_SHARED);
	for (int i = 0; i < MaxBackends; i++)
	{
		GqAwaiting	one = {places[i].pid, places[i].database, places[i].id, places[i].since};

		if (places[i].in_use)
			all[(*n)++] = one;
	}
	LWLockRelease(gq_shared->awaited_lock);
	return all;
}
