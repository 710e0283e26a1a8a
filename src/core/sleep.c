/*-------------------------------------------------------------------------
 *
 * sleep.c
 *	  Sleeping until there may be work for a waiter.
 *
 * With shared memory, a sleeper is woken by the commit that makes a task ready
 * and by the clock when one falls due; as a safety net (a prepared transaction
 * wakes nobody when it is committed) it looks again after a quarter to half a
 * minute: at random, for sleepers that began together would look together.
 * Without, it looks once a second.
 *
 * The end of the client's connection wakes it too: its statement would go on
 * and commit a claim that nobody receives.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/inval.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "core/installation.h"
#include "core/sleep.h"
#include "monotonic.h"
#include "shared/shmem.h"
#include "shared/wakeup.h"
#include "store/relations.h"

#define SAFETY_INTERVAL (30 * USECS_PER_SEC)
#define POLL_INTERVAL (1 * USECS_PER_SEC)
#define TIMEOUT_MARGIN (100 * USECS_PER_SEC / 1000)

int64
gq_sleep_deadline(int64 wait)
{
	if (get_timeout_active(STATEMENT_TIMEOUT))
		wait = Min(wait, get_timeout_finish_time(STATEMENT_TIMEOUT) - TIMEOUT_MARGIN -
				   GetCurrentTimestamp());
	return gq_monotonic_now() + wait;
}

bool
gq_sleep_is_over(int64 deadline)
{
	return gq_monotonic_now() >= deadline;
}

/* What goque.workers shows: the types, as far as there is room. */
static char *
describe(char **types, int ntypes)
{
	StringInfoData what;

	initStringInfo(&what);
	if (ntypes == 0)
		appendStringInfoString(&what, "every type");
	for (int i = 0; i < ntypes && what.len <= GQ_MAX_TYPE_BYTES; i++)
		appendStringInfo(&what, "%s%s", i > 0 ? ", " : "", types[i]);
	return what.data;
}

void
gq_sleep_begin(char **types, int ntypes)
{
	GqType	  **entries;
	bool		all = ntypes == 0;

	if (gq_shared == NULL)
		return;
	entries = palloc(sizeof(GqType *) * Max(ntypes, 1));
	for (int i = 0; i < ntypes && !all; i++)
	{
		entries[i] = gq_type_of(types[i]);
		all = entries[i] == NULL;
	}
	gq_wait_begin(entries, all ? 0 : ntypes, describe(types, ntypes));
	pfree(entries);
}

void
gq_sleep_end(void)
{
	if (gq_shared != NULL)
		gq_wait_end();
}

static void
client_is_gone(void)
{
	ClientConnectionLost = true;
	InterruptPending = true;
	CHECK_FOR_INTERRUPTS();
}

void
gq_sleep_rearm(void)
{
	CHECK_FOR_INTERRUPTS();
	if (MyProcPort != NULL && !pq_check_connection())
		client_is_gone();
	AcceptInvalidationMessages();	/* settings may have changed */
	if (gq_shared != NULL)
		gq_wait_rearm();
}

/* On the latch, and on the end of the client's connection if there is one. */
static int
wait_for_event(long timeout)
{
	static uint32 wait_event = 0;
	uint32		event = gq_wait_event(&wait_event, "GoqueWait");
	WaitEvent	occurred[3];
	int			events = 0;
	int			n;

	if (FeBeWaitSet == NULL || !WaitEventSetCanReportClosed())
		return WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, event);

	ModifyWaitEvent(FeBeWaitSet, GQ_CLIENT_SOCKET_POS, WL_SOCKET_CLOSED, NULL);
	n = WaitEventSetWait(FeBeWaitSet, timeout, occurred, lengthof(occurred), event);
	for (int i = 0; i < n; i++)
		events |= occurred[i].events;
	if (events & WL_POSTMASTER_DEATH)
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("terminating connection due to unexpected postmaster exit")));
	return events;
}

/* How long it sleeps at most, if nothing wakes it. */
static int64
longest_sleep(void)
{
	if (gq_shared == NULL)
		return POLL_INTERVAL;
	return SAFETY_INTERVAL / 2 +
		(int64) (pg_prng_double(&pg_global_prng_state) * (SAFETY_INTERVAL / 2));
}

void
gq_sleep(int64 deadline, TimestampTz next_due)
{
	int64		left = deadline - gq_monotonic_now();
	TimestampTz due_at = gq_shared != NULL ? gq_wait_timer(next_due) : next_due;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = Min(now + Min(longest_sleep(), left), due_at);
	int			occurred;

	occurred = wait_for_event(TimestampDifferenceMilliseconds(now, until));
	if (occurred & WL_LATCH_SET)
		ResetLatch(MyLatch);
	if (occurred & WL_SOCKET_CLOSED)
		client_is_gone();
	CHECK_FOR_INTERRUPTS();
}
