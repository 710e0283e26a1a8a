/*-------------------------------------------------------------------------
 *
 * heal.c
 *	  Ending what is over: leases that nobody extended, tasks that nobody
 *	  fetched in time.
 *
 * The keeper heals what the table of leases in shared memory says.  When that had
 * no room for a lease, in whatever database, it reads all tables, enters what now has
 * room, and knows when the first of the others ends.  By hand, all tables are read, and
 * shared memory for the leases whose session has ended.
 *
 * Either way the row is looked at again when it is changed, and a row that
 * somebody is changing is passed by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/finish.h"
#include "core/maintain.h"
#include "shared/leases.h"
#include "shared/shmem.h"
#include "store/relations.h"
#include "store/task_ids.h"

#define BATCH 1000				/* tasks in one transaction of the keeper */
#define UNKNOWN_BATCH 20000		/* ... of those that had to be looked for */
#define LOG_INTERVAL (60 * USECS_PER_SEC)

/* One line a minute at most, whatever happens. */
static void
log_healed(int64 healed, TimestampTz now)
{
	static int64 unlogged = 0;
	static TimestampTz logged_at = 0;

	unlogged += healed;
	if (unlogged == 0 || (now >= logged_at && now - logged_at < LOG_INTERVAL))
		return;
	ereport(LOG,
			(errhidecontext(true),
			 errmsg_plural("goque ended the expired lease of %lld task",
						   "goque ended the expired leases of %lld tasks",
						   (unsigned long) unlogged, (long long) unlogged)));
	unlogged = 0;
	logged_at = now;
}

/* Look at a task whose lease shared memory holds to be over; *next: when to
 * look again. */
static bool
heal_known(const GqLease *lease, TimestampTz now, TimestampTz *next)
{
	bool		healed;
	TimestampTz until = gq_heal_task(NULL, lease->id,
									 lease->session_ended ? lease->token : 0, now, &healed);

	if (healed)
		return true;
	if (until == DT_NOEND)
		gq_lease_remove(gq_instance(), lease->id, lease->token);
	else if (until > now)
		gq_lease_enter(gq_instance(), lease->id, lease->token, until, 0);
	else						/* somebody is at it, or guards it */
		until = now + USECS_PER_SEC;
	*next = Min(*next, until);
	return false;
}

static int64
heal_leases(const GqLease *leases, int n, TimestampTz now, TimestampTz *next)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque heal",
												  ALLOCSET_DEFAULT_SIZES);
	int64		healed = 0;

	for (int i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		healed += heal_known(&leases[i], now, next);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return healed;
}

/* The lease of a task that shared memory has no room for. */
static bool
heal_unknown(const GqHeldTask *task, TimestampTz now, TimestampTz *next)
{
	TimestampTz until = task->lease_until;
	bool		healed = false;

	if (until <= now)
	{
		until = gq_heal_task(NULL, task->id, 0, now, &healed);
		if (until <= now)		/* somebody is at it, or guards it */
			until = now + USECS_PER_SEC;
	}
	if (!healed)
		*next = Min(*next, until);
	return healed;
}

/* Read the tables for leases that shared memory does not know; *next: when the first
 * of those that it still does not know ends. */
static int64
heal_from_tables(TimestampTz now, TimestampTz *next)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque heal",
												  ALLOCSET_DEFAULT_SIZES);
	int64		n;
	GqHeldTask *tasks = gq_tasks_held(&n);
	int64		healed = 0;

	*next = DT_NOEND;
	for (int64 i = 0; i < n; i++)
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (gq_lease_enter_found(gq_instance(), tasks[i].id, tasks[i].token, tasks[i].lease_until))
			continue;
		if (healed == UNKNOWN_BATCH)
		{
			*next = now;
			break;
		}
		old = MemoryContextSwitchTo(scratch);
		healed += heal_unknown(&tasks[i], now, next);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return healed;
}

/* The same if there may be any such; an error leaves that to the next call. */
static int64
heal_unknown_leases(TimestampTz now, TimestampTz *next)
{
	static uint32 overflows_seen = 0;
	static TimestampTz unknown_until = DT_NOEND;
	uint32		overflows = gq_lease_overflows();
	int64		healed = 0;

	if (overflows != overflows_seen || unknown_until <= now)
	{
		healed = heal_from_tables(now, next);
		overflows_seen = overflows;
		unknown_until = *next;
	}
	*next = unknown_until;
	return healed;
}

/* There is more; if the batch did nothing, others are at its tasks. */
static TimestampTz
after_full_batch(int64 changed, TimestampTz now)
{
	return changed > 0 ? now : now + USECS_PER_SEC;
}

TimestampTz
gq_duty_heal(TimestampTz now)
{
	TimestampTz unknown_until;
	TimestampTz next;
	int64		unknown = heal_unknown_leases(now, &unknown_until);
	int			n;
	GqLease    *leases = gq_leases_ended(gq_instance(), now, BATCH, &n, &next);
	int64		healed = heal_leases(leases, n, now, &next);

	log_healed(unknown + healed, now);
	if (n == BATCH)
		next = after_full_batch(healed, now);
	return Min(next, unknown_until);
}

static int64
expire_each(const int64 *ids, int64 n, TimestampTz now)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque expire",
												  ALLOCSET_DEFAULT_SIZES);
	int64		expired = 0;

	for (int64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		expired += gq_expire_task(NULL, ids[i], now);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return expired;
}

TimestampTz
gq_duty_expire(TimestampTz now)
{
	TimestampTz next;
	int64		n;
	int64	   *ids = gq_task_ids_expired(now, BATCH, &n, &next);
	int64		expired = expire_each(ids, n, now);

	if (n == BATCH)
		return after_full_batch(expired, now);
	/* somebody was at the others */
	return expired < n ? Min(next, now + USECS_PER_SEC) : next;
}

/* tokens: of leases whose sessions have ended, or NULL */
static int64
heal_each(const char *type, const int64 *ids, const int64 *tokens, int64 n, TimestampTz now)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque heal",
												  ALLOCSET_DEFAULT_SIZES);
	int64		count = 0;

	for (int64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);
		bool		healed;

		CHECK_FOR_INTERRUPTS();
		(void) gq_heal_task(type, ids[i], tokens != NULL ? tokens[i] : 0, now, &healed);
		count += healed;
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return count;
}

/* The rows do not tell these: goque.release_on_disconnect marks them. */
static int64
heal_session_ended(const char *type, TimestampTz now)
{
	TimestampTz next;
	int			n;
	GqLease    *leases = gq_leases_ended(gq_instance(), now, PG_INT32_MAX, &n, &next);
	int64	   *ids = palloc_extended(sizeof(int64) * Max(n, 1), MCXT_ALLOC_HUGE);
	int64	   *tokens = palloc_extended(sizeof(int64) * Max(n, 1), MCXT_ALLOC_HUGE);
	int64		ended = 0;

	for (int i = 0; i < n; i++)
	{
		if (!leases[i].session_ended)
			continue;
		ids[ended] = leases[i].id;
		tokens[ended++] = leases[i].token;
	}
	return heal_each(type, ids, tokens, ended, now);
}

int64
gq_heal_all(const char *type, TimestampTz now)
{
	int64		n;
	int64	   *ids = gq_task_ids_lease_over(type, now, &n);
	int64		healed = heal_each(type, ids, NULL, n, now);

	healed += heal_session_ended(type, now);
	if (type == NULL)
	{
		TimestampTz next;

		ids = gq_task_ids_expired(now, PG_INT64_MAX, &n, &next);
		(void) expire_each(ids, n, now);
	}
	return healed;
}
