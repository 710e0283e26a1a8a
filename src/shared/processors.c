/*-------------------------------------------------------------------------
 *
 * processors.c
 *	  Which types have a processor that may run, and whether there is work
 *	  for it that nobody is about to take.
 *
 * How this and runners.c play together is told at the head of that file.
 *
 * Locks: see runner_slots.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "shared/leases.h"
#include "shared/runner_slots.h"
#include "shared/shmem.h"
#include "shared/wakeup.h"

#define RECHECK_MS 250

GqRunnerSlots *gq_runner_slots = NULL;

Size
gq_runners_shmem_size(void)
{
	return sizeof(GqRunnerSlots);
}

void
gq_runners_shmem_init(void)
{
	bool		found;

	gq_runner_slots = ShmemInitStruct("goque runners", sizeof(GqRunnerSlots), &found);
	if (found)
		return;
	memset(gq_runner_slots, 0, sizeof(GqRunnerSlots));
	pg_atomic_init_u32(&gq_runner_slots->nprocessors, 0);
	pg_atomic_init_u32(&gq_runner_slots->nrunners, 0);
	for (int i = 0; i < GQ_MAX_PROCESSORS; i++)
		pg_atomic_init_u32(&gq_runner_slots->processors[i].work, 0);
}

GqProcessor *
gq_processor_find(Oid database, const char *type)
{
	for (int i = 0; i < GQ_MAX_PROCESSORS; i++)
	{
		GqProcessor *p = &gq_runner_slots->processors[i];

		if (p->database == database && strcmp(p->type, type) == 0)
			return p;
	}
	return NULL;
}

static void
stop_runners_of(const GqProcessor *p)
{
	for (int i = 0; i < gq_runner_slots_used(); i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];

		if (r->state == GQ_RUNNER_PRESENT && gq_runner_processor_of(r) == p)
			kill(r->pid, SIGTERM);
	}
}

/* ---- the keeper ---- */

void
gq_processors_begin(Oid database)
{
	if (gq_runner_slots == NULL)
		return;
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	for (int i = 0; i < GQ_MAX_PROCESSORS; i++)
		if (gq_runner_slots->processors[i].database == database)
			gq_runner_slots->processors[i].entered = false;
	LWLockRelease(gq_shared->runners_lock);
}

/* A slot for a new one: not one that a runner still refers to. */
static GqProcessor *
make_processor(Oid database, const char *type)
{
	for (int i = 0; i < GQ_MAX_PROCESSORS; i++)
	{
		GqProcessor *p = &gq_runner_slots->processors[i];

		if (OidIsValid(p->database) || p->running > 0)
			continue;
		memset(p, 0, sizeof(GqProcessor));
		pg_atomic_init_u32(&p->work, 0);
		p->database = database;
		strlcpy(p->type, type, sizeof(p->type));
		if (i >= (int) pg_atomic_read_u32(&gq_runner_slots->nprocessors))
			pg_atomic_write_u32(&gq_runner_slots->nprocessors, i + 1);
		return p;
	}
	return NULL;
}

bool
gq_processor_enter(Oid database, const char *type, GqType *entry, Oid role, int workers)
{
	GqProcessor *p;

	if (gq_runner_slots == NULL)
		return false;
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	p = gq_processor_find(database, type);
	if (p == NULL)
		p = make_processor(database, type);
	if (p != NULL)
	{
		if (OidIsValid(p->role) && p->role != role)
			stop_runners_of(p);
		p->entry = entry;
		p->role = role;
		p->workers = workers;
		p->entered = true;
	}
	LWLockRelease(gq_shared->runners_lock);
	return p != NULL;
}

void
gq_processors_end(Oid database)
{
	if (gq_runner_slots == NULL)
		return;
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	for (int i = 0; i < GQ_MAX_PROCESSORS; i++)
	{
		GqProcessor *p = &gq_runner_slots->processors[i];

		if (p->database != database || p->entered)
			continue;
		stop_runners_of(p);
		p->database = InvalidOid;
		p->entry = NULL;
		pg_atomic_write_u32(&p->work, 0);
		/* the place that was kept for it is for others now */
		gq_runner_wake_launcher();
	}
	LWLockRelease(gq_shared->runners_lock);
}

void
gq_processor_wanted(Oid database, const char *type)
{
	GqProcessor *p;

	if (gq_runner_slots == NULL)
		return;
	LWLockAcquire(gq_shared->runners_lock, LW_SHARED);
	p = gq_processor_find(database, type);
	if (p != NULL)
	{
		pg_atomic_write_u32(&p->work, 1);
		gq_runner_wake_launcher();
	}
	LWLockRelease(gq_shared->runners_lock);
}

/* ---- anybody ---- */

/* Read without a lock: what is found is right, or nobody's any more. */
static GqProcessor *
serving(const GqType *entry)
{
	uint32		n;

	if (gq_runner_slots == NULL || entry == NULL)
		return NULL;
	n = pg_atomic_read_u32(&gq_runner_slots->nprocessors);
	for (uint32 i = 0; i < n; i++)
		if (((volatile GqProcessor *) gq_runner_slots->processors)[i].entry == entry)
			return &gq_runner_slots->processors[i];
	return NULL;
}

/* n tasks are ready: do as many wait for them? */
static void
note_work(GqType *entry, int n)
{
	GqProcessor *p = serving(entry);

	if (p == NULL)
		return;
	/* a runner makes itself seen as a waiter, then looks: see wakeup.c */
	pg_memory_barrier();
	if ((int) pg_atomic_read_u32(&entry->line.idle) >= n)
		return;
	/* who set it woke the launcher, which looks when it can do something */
	if (pg_atomic_exchange_u32(&p->work, 1) == 0 && p->running < p->workers)
		gq_runner_wake_launcher();
}

void
gq_runners_wake(GqType *entry, int n)
{
	note_work(entry, n);
	gq_wake(entry, n);
}

void
gq_runners_wake_at(GqType *entry, TimestampTz at)
{
	gq_wake_at(entry, at);
	if (serving(entry) != NULL)
		gq_database_due(MyDatabaseId, at);
}

/* For any type: its keeper sees it within half a minute. */
void
gq_runners_passed_on(GqLine *line)
{
	if (line != NULL)
		note_work((GqType *) ((char *) line - offsetof(GqType, line)), 1);
}

static void
cancel(int64 token)
{
	if (gq_runner_slots == NULL)
		return;
	for (int i = 0; i < gq_runner_slots_used(); i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];

		if (r->token != token || r == gq_my_runner)
			continue;
		LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
		if (r->token == token && r->state == GQ_RUNNER_PRESENT)
		{
			r->canceled = true;
			kill(r->pid, SIGINT);
		}
		LWLockRelease(gq_shared->runners_lock);
	}
}

void
gq_runners_lease_over(Oid instance, int64 id, int64 token)
{
	gq_lease_remove(instance, id, token);
	cancel(token);
}

/*
 * A little later: what the commit changed in the catalogs is told to the caches
 * of others after our callback.
 */
void
gq_processors_recheck(void)
{
	int			n = gq_runner_slots ? pg_atomic_read_u32(&gq_runner_slots->nprocessors) : 0;
	Oid			last = InvalidOid;
	TimestampTz at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RECHECK_MS);

	for (int i = 0; i < n; i++)
	{
		Oid			database = gq_runner_slots->processors[i].database;

		if (OidIsValid(database) && database != last)
			gq_database_due(database, at);
		last = database;
	}
}

bool
gq_runners_stop(Oid database)
{
	bool		found = false;

	if (gq_runner_slots == NULL)
		return false;
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	for (int i = 0; i < gq_runner_slots_used(); i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];

		if (r->state == GQ_RUNNER_PRESENT && r->database == database)
		{
			kill(r->pid, SIGTERM);
			found = true;
		}
	}
	LWLockRelease(gq_shared->runners_lock);
	return found;
}

bool
gq_runners_present(Oid database)
{
	bool		found = false;

	if (gq_runner_slots == NULL)
		return false;
	LWLockAcquire(gq_shared->runners_lock, LW_SHARED);
	for (int i = 0; i < gq_runner_slots_used() && !found; i++)
		found = gq_runner_slots->runners[i].state == GQ_RUNNER_PRESENT &&
			gq_runner_slots->runners[i].database == database;
	LWLockRelease(gq_shared->runners_lock);
	return found;
}
