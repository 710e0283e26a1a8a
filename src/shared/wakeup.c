/*-------------------------------------------------------------------------
 *
 * wakeup.c
 *	  Who sleeps on which types, and waking as many as there is work for.
 *
 * Lines
 * -----
 * A waiter stands in a line for each type that it waits for; one that waits for
 * every type stands in its database's line for those; one whose types do not
 * fit, or have no entry, in its database's line of the vague.  Whoever commits
 * n tasks of a type wakes the n first of the type's line; if there are fewer,
 * the first of those who take every type; and if these do not suffice either,
 * all the vague ones, who must see for themselves.
 *
 * A waiter that is woken leaves all of its lines, so that the next wake-up goes
 * to another, and joins their ends when it is about to look (gq_wait_rearm).
 * If it leaves without, its wake-up is passed on to the next of the same line, or
 * to the type's processor.
 *
 * No wake-up is lost
 * ------------------
 * A waiter joins its lines, then looks; a waker commits, then reads `idle`, with
 * a full barrier between the two on either side.  So either the look sees the
 * commit, or the waker sees the waiter.  Whoever is in no line when a waker
 * comes, because it was woken before, has its look still ahead.
 *
 * Timers
 * ------
 * In each line, one waiter owns the timer: it sleeps no longer than until the
 * first task of the line falls due.  The others need not, as long as it is not
 * later than what they know of.  What is left to the owner is also noted: the
 * owner may have looked before that task was there, and must not set the timer
 * to anything later (gq_wait_timer).  The notes end when it looks again.
 *
 * An owner that leaves hands the timer to the next of the line and wakes it,
 * with the time DT_NOBEGIN: it is about to look.  If that one takes a task and
 * leaves too, it hands the timer on; so any number of tasks that fall due at
 * one moment wake any number of waiters, one after the other, until one finds
 * nothing due and sets the timer.  With no idle waiter in the line there is no
 * timer: those who were woken look again, and take it.
 *
 * For ordinary wake-ups the owner is passed over while there are others, since
 * its leaving costs a second wake-up.
 *
 * A vague waiter has a timer of its own and shares none.
 *
 * The lines themselves are in shared/wait_lines.c.
 *
 * Locks: wait_lock guards everything; nobody holds it while setting latches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "shared/runners.h"
#include "shared/shmem.h"
#include "shared/wait_lines.h"
#include "shared/wakeup.h"

/* of this process */
static bool waiting = false;
static int	waiting_level;		/* nesting level of the transaction at the
								 * start */

/* ---- waking for tasks ---- */

/*
 * Wake n for tasks of one type: of its line (NULL: it has none), then of those
 * who take every type, then all who must see for themselves.  Returns how many
 * of n are left; if the set is full then, it must be called again.
 */
static int
wake_some(GqLine *line, int n, GqWakeSet *set)
{
	GqDatabaseLines *lines = gq_lines_find(MyDatabaseId);

	if (line != NULL)
		n = gq_line_wake(line, n, set);
	if (n > 0 && lines != NULL)
		n = gq_line_wake(&lines->every, n, set);
	if (n > 0 && lines != NULL)
		(void) gq_line_wake(&lines->vague, INT_MAX, set);
	return n;
}

/* wake_some until it is done; the lock is not held */
static void
wake_for_tasks(GqLine *line, int n)
{
	GqWakeSet	set = {0};
	bool		full;

	do
	{
		LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
		n = wake_some(line, n, &set);
		LWLockRelease(gq_shared->wait_lock);
		full = set.n == GQ_WAKE_SET;
		gq_set_latches(&set);
	} while (full && n > 0);
}

/* ---- signing off ---- */

/* Give the timers that this waiter owns to others. */
static void
leave_timers(GqWaiter *waiter, int me, GqWakeSet *set)
{
	for (int i = 0; i < waiter->nlinks; i++)
	{
		GqLine	   *line = waiter->links[i].line;

		line->nwaiters--;
		if (line->timer.owner == me)
		{
			line->timer.owner = -1;
			gq_line_hand_over(line, set);
		}
	}
}

/*
 * Returns whether a wake-up must be passed on, and to which type's line (NULL:
 * to those who take every type).  From the vague none need be: all were woken.
 */
static bool
sign_off(int me, GqWakeSet *set, GqLine **pass_on_to)
{
	GqWaiter   *waiter = &gq_all_waiters[me];
	bool		pass_on = waiter->woken && waiter->woken_for != NULL && !waiter->vague;

	*pass_on_to = waiter->lines == NULL ? waiter->woken_for : NULL;
	if (!waiter->woken)
		gq_waiter_leave(waiter);
	leave_timers(waiter, me, set);
	if (waiter->lines != NULL)
		gq_lines_give_back(waiter->lines);
	waiter->in_use = false;
	return pass_on;
}

void
gq_wait_end(void)
{
	GqWakeSet	set = {0};
	GqLine	   *pass_on_to;
	bool		pass_on;

	if (!waiting)
		return;
	waiting = false;

	LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
	pass_on = sign_off(gq_my_proc_index(), &set, &pass_on_to);
	LWLockRelease(gq_shared->wait_lock);
	gq_set_latches(&set);
	if (!pass_on)
		return;
	gq_runners_passed_on(pass_on_to);
	wake_for_tasks(pass_on_to, 1);
}

static void
at_exit(int code, Datum arg)
{
	gq_wait_end();
}

static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		gq_wait_end();
}

/* Not when a subtransaction fails that the look itself has started. */
static void
at_subxact_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
			   void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB &&
		GetCurrentTransactionNestLevel() <= waiting_level)
		gq_wait_end();
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

/* ---- signing up ---- */

static void
add_link(GqWaiter *waiter, int me, GqLine *line)
{
	GqWaitLink *link = &waiter->links[waiter->nlinks++];

	link->waiter = me;
	link->line = line;
	line->nwaiters++;
}

/* Can this waiter stand in a line for each of its types? */
static bool
have_lines(GqType **types, int ntypes)
{
	if (ntypes > GQ_WAIT_TYPES)
		return false;
	for (int i = 0; i < ntypes; i++)
	{
		if (types[i] == NULL || !types[i]->in_use ||
			types[i]->database != MyDatabaseId)
			return false;
	}
	return true;
}

static void
sign_up(int me, GqType **types, int ntypes)
{
	GqWaiter   *waiter = &gq_all_waiters[me];

	waiter->vague = !have_lines(types, ntypes);
	if (waiter->vague || ntypes == 0)
	{
		waiter->lines = gq_lines_take(MyDatabaseId);
		add_link(waiter, me,
				 waiter->vague ? &waiter->lines->vague : &waiter->lines->every);
	}
	else
	{
		for (int i = 0; i < ntypes; i++)
			add_link(waiter, me, &types[i]->line);
	}
	gq_waiter_join(waiter);
}

static void
fill_waiter(GqWaiter *waiter, int me, const char *what, TimestampTz now)
{
	waiter->in_use = true;
	waiter->woken = false;
	waiter->pid = MyProcPid;
	waiter->database = MyDatabaseId;
	waiter->since = now;
	strlcpy(waiter->what, what, sizeof(waiter->what));
	waiter->woken_for = NULL;
	waiter->lines = NULL;
	waiter->timer.owner = me;
	waiter->timer.at = waiter->timer.noted = DT_NOEND;
	waiter->nlinks = 0;
}

void
gq_wait_begin(GqType **types, int ntypes, const char *what)
{
	int			me;
	TimestampTz now;

	if (gq_shared == NULL)
		return;
	me = gq_my_proc_index();
	if (me < 0 || me >= MaxBackends)
		return;					/* no process that runs SQL */

	register_callbacks();
	gq_wait_end();
	now = GetCurrentTimestamp();
	waiting_level = GetCurrentTransactionNestLevel();
	waiting = true;

	LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
	fill_waiter(&gq_all_waiters[me], me, what, now);
	sign_up(me, types, ntypes);
	LWLockRelease(gq_shared->wait_lock);
}

/* ---- the waiter's loop ---- */

void
gq_wait_rearm(void)
{
	int			me = gq_my_proc_index();
	GqWaiter   *waiter;

	if (!waiting)
		return;

	waiter = &gq_all_waiters[me];
	LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
	if (waiter->woken)
	{
		waiter->woken = false;
		waiter->woken_for = NULL;
		gq_waiter_join(waiter);
	}
	/* the look that follows finds whatever was noted */
	waiter->timer.noted = DT_NOEND;
	for (int i = 0; i < waiter->nlinks; i++)
	{
		GqTimer    *timer = &waiter->links[i].line->timer;

		if (timer->owner == me)
			timer->noted = DT_NOEND;
	}
	LWLockRelease(gq_shared->wait_lock);
}

/* gq_wait_timer for the timer of one line */
static TimestampTz
take_timer(GqTimer *timer, int me, TimestampTz at)
{
	if (timer->owner != me && gq_timer_covers(timer, at))
		return DT_NOEND;
	gq_timer_set(timer, me, at);
	return timer->at;
}

TimestampTz
gq_wait_timer(TimestampTz at)
{
	int			me = gq_my_proc_index();
	TimestampTz until = DT_NOEND;
	GqWaiter   *waiter;

	if (!waiting)
		return at;

	waiter = &gq_all_waiters[me];
	LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
	if (waiter->vague)
		until = waiter->timer.at = Min(at, waiter->timer.noted);
	else
	{
		for (int i = 0; i < waiter->nlinks; i++)
		{
			TimestampTz mine = take_timer(&waiter->links[i].line->timer, me, at);

			until = Min(until, mine);
		}
	}
	LWLockRelease(gq_shared->wait_lock);
	return until;
}

/* ---- the wakers ---- */

/* Can nobody be woken for this type?  What the caller did must be visible. */
static bool
nobody_idle(GqType *entry)
{
	/* a waiter makes itself seen, then looks: see the head of this file */
	pg_memory_barrier();
	return (entry == NULL || pg_atomic_read_u32(&entry->line.idle) == 0) &&
		!gq_lines_idle(MyDatabaseId);
}

void
gq_wake(GqType *entry, int n)
{
	if (gq_shared == NULL || n <= 0 || nobody_idle(entry))
		return;
	wake_for_tasks(entry ? &entry->line : NULL, n);
}

/* gq_wake_at for the vague, while the set has room */
static void
wake_vague_at(GqLine *line, TimestampTz at, GqWakeSet *set)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &line->waiters)
	{
		int			index = gq_link_waiter(iter.cur);

		if (set->n == GQ_WAKE_SET)
			break;
		if (!gq_timer_covers(&gq_all_waiters[index].timer, at))
			gq_waiter_wake(index, NULL, set);
	}
}

static void
wake_at(GqType *entry, TimestampTz at, GqWakeSet *set)
{
	GqDatabaseLines *lines = gq_lines_find(MyDatabaseId);

	if (entry != NULL && !gq_timer_covers(&entry->line.timer, at))
		gq_line_hand_over(&entry->line, set);
	if (lines == NULL)
		return;
	if (!gq_timer_covers(&lines->every.timer, at))
		gq_line_hand_over(&lines->every, set);
	wake_vague_at(&lines->vague, at, set);
}

void
gq_wake_at(GqType *entry, TimestampTz at)
{
	GqWakeSet	set = {0};
	bool		full;

	if (gq_shared == NULL || at == DT_NOEND || nobody_idle(entry))
		return;

	do
	{
		LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
		wake_at(entry, at, &set);
		LWLockRelease(gq_shared->wait_lock);
		full = set.n == GQ_WAKE_SET;
		gq_set_latches(&set);
	} while (full);
}

/* Wake everybody of this database who is idle, while the set has room. */
static void
wake_everybody(GqWakeSet *set)
{
	for (int i = 0; i < MaxBackends && set->n < GQ_WAKE_SET; i++)
	{
		if (gq_all_waiters[i].in_use && !gq_all_waiters[i].woken &&
			gq_all_waiters[i].database == MyDatabaseId)
			gq_waiter_wake(i, NULL, set);
	}
}

void
gq_wake_all(void)
{
	GqWakeSet	set = {0};
	bool		full;

	if (gq_shared == NULL)
		return;

	do
	{
		LWLockAcquire(gq_shared->wait_lock, LW_EXCLUSIVE);
		wake_everybody(&set);
		LWLockRelease(gq_shared->wait_lock);
		full = set.n == GQ_WAKE_SET;
		gq_set_latches(&set);
	} while (full);
}

/* ---- for the views ---- */

GqWaiterInfo *
gq_waiters(int *n)
{
	GqWaiterInfo *infos;

	*n = 0;
	if (gq_shared == NULL)
		return NULL;

	infos = palloc(sizeof(GqWaiterInfo) * MaxBackends);
	LWLockAcquire(gq_shared->wait_lock, LW_SHARED);
	for (int i = 0; i < MaxBackends; i++)
	{
		GqWaiterInfo *info = &infos[*n];

		if (!gq_all_waiters[i].in_use)
			continue;
		info->pid = gq_all_waiters[i].pid;
		info->database = gq_all_waiters[i].database;
		info->since = gq_all_waiters[i].since;
		strlcpy(info->what, gq_all_waiters[i].what, sizeof(info->what));
		(*n)++;
	}
	LWLockRelease(gq_shared->wait_lock);
	return infos;
}
