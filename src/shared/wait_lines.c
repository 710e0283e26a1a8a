/*-------------------------------------------------------------------------
 *
 * wait_lines.c
 *	  The lines of waiters and their timers: what shared/wakeup.c works with.
 *
 * The head of wakeup.c tells how they are used, and why no wake-up is lost.
 *
 * The line of a type is in its entry (shared/types.h).  A database has lines
 * only while somebody stands in them, so that as many as there can be waiters
 * are always enough.  Whoever wants to know without the lock whether they are
 * empty reads one counter for all databases of a hash bucket.
 *
 * Latches are set after the lock is released.  A latch is found by the process's
 * number, and a process that got the number of one that ended is woken for
 * nothing, no more.
 *
 * Locks: wait_lock guards everything here and the lines in GqType.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "shared/wait_lines.h"

#define NBUCKETS 64				/* of databases; a power of 2 */

typedef struct Bucket
{
	pg_atomic_uint32 idle;		/* in the lines of its databases; may be read
								 * without the lock */
	dlist_head	databases;
} Bucket;

typedef struct WaitState
{
	dlist_head	free_lines;
	Bucket		buckets[NBUCKETS];
} WaitState;

static WaitState *state = NULL;
static GqDatabaseLines *all_lines;	/* MaxBackends; a waiter needs one at most */
GqWaiter   *gq_all_waiters = NULL;

/* ---- start-up ---- */

static Size
lines_offset(void)
{
	return MAXALIGN(sizeof(WaitState));
}

static Size
waiters_offset(void)
{
	return add_size(lines_offset(),
					MAXALIGN(mul_size(sizeof(GqDatabaseLines), MaxBackends)));
}

Size
gq_lines_shmem_size(void)
{
	return add_size(waiters_offset(),
					MAXALIGN(mul_size(sizeof(GqWaiter), MaxBackends)));
}

static void
init_line(GqLine *line)
{
	pg_atomic_init_u32(&line->idle, 0);
	line->nwaiters = 0;
	dlist_init(&line->waiters);
	line->timer.owner = -1;
	line->timer.at = line->timer.noted = DT_NOEND;
}

void
gq_lines_shmem_init(void)
{
	bool		found;
	char	   *base = ShmemInitStruct("goque waiters", gq_lines_shmem_size(), &found);

	state = (WaitState *) base;
	all_lines = (GqDatabaseLines *) (base + lines_offset());
	gq_all_waiters = (GqWaiter *) (base + waiters_offset());
	if (found)
		return;

	memset(base, 0, gq_lines_shmem_size());
	dlist_init(&state->free_lines);
	for (int i = 0; i < NBUCKETS; i++)
	{
		pg_atomic_init_u32(&state->buckets[i].idle, 0);
		dlist_init(&state->buckets[i].databases);
	}
	for (int i = 0; i < MaxBackends; i++)
	{
		init_line(&all_lines[i].every);
		init_line(&all_lines[i].vague);
		dlist_push_tail(&state->free_lines, &all_lines[i].node);
	}
}

/* ---- the lines of databases ---- */

static Bucket *
bucket_of(Oid database)
{
	return &state->buckets[database & (NBUCKETS - 1)];
}

GqDatabaseLines *
gq_lines_find(Oid database)
{
	dlist_iter	iter;

	dlist_foreach(iter, &bucket_of(database)->databases)
	{
		GqDatabaseLines *lines = dlist_container(GqDatabaseLines, node, iter.cur);

		if (lines->database == database)
			return lines;
	}
	return NULL;
}

GqDatabaseLines *
gq_lines_take(Oid database)
{
	GqDatabaseLines *lines = gq_lines_find(database);

	if (lines == NULL)
	{
		lines = dlist_container(GqDatabaseLines, node,
								dlist_pop_head_node(&state->free_lines));
		lines->database = database;
		dlist_push_tail(&bucket_of(database)->databases, &lines->node);
	}
	return lines;
}

void
gq_lines_give_back(GqDatabaseLines *lines)
{
	if (lines->every.nwaiters > 0 || lines->vague.nwaiters > 0)
		return;
	dlist_delete(&lines->node);
	dlist_push_tail(&state->free_lines, &lines->node);
}

bool
gq_lines_idle(Oid database)
{
	return pg_atomic_read_u32(&bucket_of(database)->idle) > 0;
}

/* ---- joining, leaving and waking ---- */

void
gq_waiter_join(GqWaiter *waiter)
{
	for (int i = 0; i < waiter->nlinks; i++)
	{
		GqWaitLink *link = &waiter->links[i];

		dlist_push_tail(&link->line->waiters, &link->node);
		pg_atomic_fetch_add_u32(&link->line->idle, 1);
	}
	if (waiter->lines != NULL)
		pg_atomic_fetch_add_u32(&bucket_of(waiter->database)->idle, 1);
}

void
gq_waiter_leave(GqWaiter *waiter)
{
	for (int i = 0; i < waiter->nlinks; i++)
	{
		GqWaitLink *link = &waiter->links[i];

		dlist_delete(&link->node);
		pg_atomic_fetch_sub_u32(&link->line->idle, 1);
	}
	if (waiter->lines != NULL)
		pg_atomic_fetch_sub_u32(&bucket_of(waiter->database)->idle, 1);
}

void
gq_waiter_wake(int index, GqLine *pass_on_to, GqWakeSet *set)
{
	GqWaiter   *waiter = &gq_all_waiters[index];

	gq_waiter_leave(waiter);
	waiter->woken = true;
	waiter->woken_for = pass_on_to;
	set->waiters[set->n++] = index;
}

void
gq_set_latches(GqWakeSet *set)
{
	for (int i = 0; i < set->n; i++)
		SetLatch(&GetPGProcByNumber(set->waiters[i])->procLatch);
	set->n = 0;
}

/* The idle waiter whose turn it is, or -1. */
static int
next_waiter(GqLine *line)
{
	dlist_node *node;

	if (dlist_is_empty(&line->waiters))
		return -1;
	node = dlist_head_node(&line->waiters);
	if (gq_link_waiter(node) == line->timer.owner && dlist_has_next(&line->waiters, node))
		node = dlist_next_node(&line->waiters, node);
	return gq_link_waiter(node);
}

int
gq_line_wake(GqLine *line, int n, GqWakeSet *set)
{
	while (n > 0 && set->n < GQ_WAKE_SET)
	{
		int			index = next_waiter(line);

		if (index < 0)
			break;
		gq_waiter_wake(index, line, set);
		n--;
	}
	return n;
}

/* ---- timers ---- */

bool
gq_timer_covers(GqTimer *timer, TimestampTz at)
{
	if (timer->owner < 0 || timer->at > at)
		return false;
	timer->noted = Min(timer->noted, at);
	return true;
}

void
gq_timer_set(GqTimer *timer, int owner, TimestampTz at)
{
	timer->at = Min(at, timer->noted);
	timer->owner = timer->at == DT_NOEND ? -1 : owner;
}

/*
 * Have somebody look who takes the timer over: its owner, else the first of the
 * line.  Whoever was woken already, will.  With nobody there, the timer ends.
 */
void
gq_line_hand_over(GqLine *line, GqWakeSet *set)
{
	GqTimer    *timer = &line->timer;

	if (timer->owner < 0)
		timer->owner = next_waiter(line);
	if (timer->owner < 0)
	{
		timer->at = timer->noted = DT_NOEND;
		return;
	}
	timer->at = DT_NOBEGIN;
	if (!gq_all_waiters[timer->owner].woken)
		gq_waiter_wake(timer->owner, NULL, set);
}
