/*-------------------------------------------------------------------------
 *
 * runners.c
 *	  The background workers (runners) of processors: who is started, who
 *	  leaves, what each is doing.
 *
 * The keeper of a database reads goque.handlers, checks each processor, and
 * enters here what may run.  A commit that makes tasks ready finds the entry by
 * the address of its type's entry (shared/types.h), without a lock: if fewer wait
 * for the type than tasks came, it sets the entry's `work` and the launcher's
 * latch.  The launcher starts runners, which take the database, the role and the
 * type from their slot.
 *
 * The life of a runner's slot:
 *
 *	  free -> starting			the launcher needs one
 *	  starting -> free			it could not be started, or came too late
 *	  starting -> present		it entered its slot (before it connects)
 *	  present -> free			at process exit, however that comes
 *
 * The generation ties a process to the start it was made for.  "starting" cannot
 * stick: the launcher follows the start by its handle, and gives up on what takes
 * too long, also after it was itself started anew.
 *
 * Fair: of the types with work, one that has the fewest runners is next, among
 * those the one whose last start is longest ago.  A type that has a runner does not
 * get the last place while another type has none: so one type with slow handlers
 * does not keep others waiting.  If there is no room for a type without any runner,
 * or no background worker (for a keeper too), one of the others is asked to leave:
 * an idle one, else the first that has done its task, of a type with the most.
 *
 * No work is lost: a runner that leaves signs off as a waiter, calls
 * gq_runner_about_to_leave, and looks once more.  Work that comes after that sets
 * `work`, which the launcher sees when the slot is given back.  One that is stopped,
 * or kept out, sets it itself.
 *
 * Locks: runners_lock; see runner_slots.h.  Signals and latches may be sent under
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "shared/runner_slots.h"
#include "shared/shmem.h"

#define START_LIMIT_MS (60 * 1000)	/* then "starting" is taken for failed */
#define NO_SLOT_MS 2000			/* before it is called so */
#define ASK_AGAIN_MS 100		/* between two that are asked to leave */

GqRunner   *gq_my_runner = NULL;

/* ---- the launcher ---- */

static TimestampTz
pause_end(TimestampTz now, int failures)
{
	static const int pauses[] = {0, 1000, 10000, 20000, 40000, 60000};

	return TimestampTzPlusMilliseconds(now, pauses[Min(failures, (int) lengthof(pauses) - 1)]);
}

static void
free_slot(GqRunner *r)
{
	r->state = GQ_RUNNER_FREE;
	r->token = 0;
	gq_runner_processor_of(r)->running--;
}

static void
note_failure(GqProcessor *p, TimestampTz now)
{
	p->failures++;
	p->next_start_at = pause_end(now, p->failures);
	pg_atomic_write_u32(&p->work, 1);
}

/* Slots in use, and *leaving: how many were asked to leave. */
static int
count_slots(TimestampTz now, int *leaving)
{
	int			n = 0;

	*leaving = gq_runner_slots->to_leave;
	for (int i = 0; i < gq_runner_slots_used(); i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];

		if (r->state == GQ_RUNNER_STARTING &&
			(now < r->since || now >= TimestampTzPlusMilliseconds(r->since, START_LIMIT_MS)))
		{
			note_failure(gq_runner_processor_of(r), now);
			free_slot(r);
		}
		if (r->state != GQ_RUNNER_FREE)
			n++;
		if (r->state == GQ_RUNNER_PRESENT && r->leave)
			(*leaving)++;
	}
	return n;
}

static bool
is_better(const GqProcessor *p, const GqProcessor *than)
{
	if (than == NULL || p->running != than->running)
		return than == NULL || p->running < than->running;
	return p->started_at < than->started_at;
}

static bool
may_connect(Oid database)
{
	const GqDatabase *slot = gq_slot_find(database);

	return slot != NULL && slot->connectable && gq_slot_blocked_by(database) == 0;
}

/* What needs a runner most, now; *starving: types with work and no runner; *idle:
 * types without either. */
static GqProcessor *
choose(TimestampTz now, TimestampTz *wake_at, int *starving, int *idle)
{
	GqProcessor *best = NULL;
	int			n = pg_atomic_read_u32(&gq_runner_slots->nprocessors);

	*starving = *idle = 0;
	for (int i = 0; i < n; i++)
	{
		GqProcessor *p = &gq_runner_slots->processors[i];
		bool		work = pg_atomic_read_u32(&p->work) != 0;

		if (!OidIsValid(p->database) || p->running >= p->workers || !may_connect(p->database))
			continue;
		if (p->running == 0 && !work)
			(*idle)++;
		if (!work)
			continue;
		/* a clock that was set back does not prolong a pause */
		p->next_start_at = Min(p->next_start_at, pause_end(now, INT_MAX));
		if (p->next_start_at > now)
		{
			*wake_at = Min(*wake_at, p->next_start_at);
			continue;
		}
		if (p->running == 0)
			(*starving)++;
		if (is_better(p, best))
			best = p;
	}
	return best;
}

/* A runner that does nothing; *most: the most that a type has, of those that are
 * not asked to leave yet. */
static GqRunner *
find_idle(int *most)
{
	GqRunner   *idle = NULL;

	*most = 0;
	for (int i = 0; i < gq_runner_slots_used(); i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];

		if (r->state != GQ_RUNNER_PRESENT || r->leave)
			continue;
		*most = Max(*most, gq_runner_processor_of(r)->running);
		if (r->token == 0)
			idle = r;
	}
	return idle;
}

/* One that is idle, else the first that has done its task, of a type that has the
 * most.  Whoever leaves wakes the launcher. */
static void
ask_for_room(TimestampTz now, TimestampTz *wake_at)
{
	TimestampTz asked_at = gq_runner_slots->asked_at;
	int			most;
	GqRunner   *idle = find_idle(&most);

	if (most == 0)
		return;
	*wake_at = Min(*wake_at, TimestampTzPlusMilliseconds(now, ASK_AGAIN_MS));
	if (now >= asked_at && now < TimestampTzPlusMilliseconds(asked_at, ASK_AGAIN_MS))
		return;
	gq_runner_slots->asked_at = now;
	gq_runner_slots->leave_from = most;
	if (idle == NULL)
		gq_runner_slots->to_leave++;
	else
	{
		idle->leave = true;
		gq_slot_wake(idle->proc);
	}
}

TimestampTz
gq_runners_make_room(TimestampTz now)
{
	TimestampTz wake_at = DT_NOEND;
	int			leaving;

	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	(void) count_slots(now, &leaving);
	if (leaving == 0)
		ask_for_room(now, &wake_at);
	LWLockRelease(gq_shared->runners_lock);
	return wake_at;
}

void
gq_runners_place_free(TimestampTz now)
{
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	for (int i = 0; i < (int) pg_atomic_read_u32(&gq_runner_slots->nprocessors); i++)
		if (gq_runner_slots->processors[i].no_slot_tries > 0)
			gq_runner_slots->processors[i].next_start_at = Min(gq_runner_slots->processors[i].next_start_at, now);
	LWLockRelease(gq_shared->runners_lock);
}

static void
mark_starting(GqProcessor *p, TimestampTz now, GqRunnerStart *start)
{
	for (int i = 0; i < GQ_MAX_RUNNERS; i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];

		if (r->state != GQ_RUNNER_FREE)
			continue;
		r->state = GQ_RUNNER_STARTING;
		r->generation++;
		if (i >= gq_runner_slots_used())
			pg_atomic_write_u32(&gq_runner_slots->nrunners, i + 1);
		r->processor = p - gq_runner_slots->processors;
		r->database = p->database;
		r->since = now;
		r->pid = 0;
		r->proc = NULL;
		r->leave = r->canceled = false;
		p->running++;
		pg_atomic_write_u32(&p->work, 0);
		start->slot = i;
		start->generation = r->generation;
		start->database = p->database;
		return;
	}
}

bool
gq_runner_next(TimestampTz now, int most, GqRunnerStart *start, TimestampTz *wake_at)
{
	GqProcessor *p;
	bool		room;
	int			n;
	int			starving;
	int			idle;
	int			leaving;

	*wake_at = DT_NOEND;
	if (pg_atomic_read_u32(&gq_runner_slots->nprocessors) == 0)
		return false;
	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	n = count_slots(now, &leaving);
	most = Min(most, GQ_MAX_RUNNERS);
	p = choose(now, wake_at, &starving, &idle);
	room = n < most - (p != NULL && p->running > 0 && idle > 0 ? 1 : 0);
	if (p == NULL && *wake_at == DT_NOEND && n <= most)
		gq_runner_slots->to_leave = 0;	/* nobody needs it any more */
	if (p != NULL && room)
		mark_starting(p, now, start);
	else if (starving > leaving || n - leaving > most)
		ask_for_room(now, wake_at);
	LWLockRelease(gq_shared->runners_lock);
	LWLockRelease(gq_shared->databases_lock);
	return p != NULL && room;
}

bool
gq_runner_not_started(const GqRunnerStart *start, GqStartFailure why, TimestampTz now)
{
	GqRunner   *r = &gq_runner_slots->runners[start->slot];
	bool		lasting = false;
	bool		starving = false;

	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	if (r->state != GQ_RUNNER_FREE && r->generation == start->generation)
	{
		GqProcessor *p = gq_runner_processor_of(r);

		if (why == GQ_START_NO_SLOT)
		{
			if (p->no_slot_tries++ == 0)
				p->no_slot_since = now;
			p->next_start_at = TimestampTzPlusMilliseconds(now, 1000 * Min(p->no_slot_tries, 4));
			pg_atomic_write_u32(&p->work, 1);
			lasting = now >= TimestampTzPlusMilliseconds(p->no_slot_since, NO_SLOT_MS);
			starving = p->running == 1; /* this one */
		}
		else
			note_failure(p, now);
		free_slot(r);
	}
	LWLockRelease(gq_shared->runners_lock);
	if (starving)
		(void) gq_runners_make_room(now);
	return lasting;
}

/* ---- a runner ---- */

static void
runner_exit(int code, Datum arg)
{
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	if (code != 0)
		note_failure(gq_runner_processor_of(gq_my_runner), GetCurrentTimestamp());
	free_slot(gq_my_runner);
	LWLockRelease(gq_shared->runners_lock);
	ConditionVariableBroadcast(&gq_slots->left);
	gq_runner_wake_launcher();
}

/*
 * The exit callback is registered before the connection to the database is
 * made, and so runs after this process has left the list of those that use it.
 */
bool
gq_runner_enter(int slot, uint32 generation, GqRunnerJob *job)
{
	GqRunner   *r = &gq_runner_slots->runners[slot];

	LWLockAcquire(gq_shared->databases_lock, LW_SHARED);
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	if (r->state == GQ_RUNNER_STARTING && r->generation == generation)
	{
		GqProcessor *p = gq_runner_processor_of(r);

		p->no_slot_tries = 0;
		p->no_slot_since = 0;
		if (OidIsValid(p->database) && gq_slot_blocked_by(p->database) == 0)
		{
			job->database = p->database;
			job->role = p->role;
			strlcpy(job->type, p->type, sizeof(job->type));
			p->started_at = GetCurrentTimestamp();
			r->state = GQ_RUNNER_PRESENT;
			r->pid = MyProcPid;
			r->proc = MyProc;
			r->task = r->token = 0;
			gq_my_runner = r;
		}
		else
		{
			/* what it was to do waits, until nobody keeps it out */
			pg_atomic_write_u32(&p->work, 1);
			free_slot(r);
		}
	}
	LWLockRelease(gq_shared->runners_lock);
	LWLockRelease(gq_shared->databases_lock);
	if (gq_my_runner != NULL)
		on_shmem_exit(runner_exit, (Datum) 0);
	return gq_my_runner != NULL;
}

void
gq_runner_runs(int64 id, int64 token)
{
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	gq_my_runner->task = id;
	gq_my_runner->token = token;
	gq_my_runner->canceled = false;
	gq_my_runner->since = GetCurrentTimestamp();
	LWLockRelease(gq_shared->runners_lock);
}

bool
gq_runner_is_canceled(void)
{
	bool		result;

	LWLockAcquire(gq_shared->runners_lock, LW_SHARED);
	result = gq_my_runner->canceled;
	LWLockRelease(gq_shared->runners_lock);
	return result;
}

bool
gq_runner_must_leave(void)
{
	if (((volatile GqRunner *) gq_my_runner)->leave)
		return true;
	if (((volatile GqRunnerSlots *) gq_runner_slots)->to_leave == 0)
		return false;
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	if (gq_runner_slots->to_leave > 0 &&
		gq_runner_processor_of(gq_my_runner)->running >= gq_runner_slots->leave_from)
	{
		gq_runner_slots->to_leave--;
		gq_my_runner->leave = true;
	}
	LWLockRelease(gq_shared->runners_lock);
	return gq_my_runner->leave;
}

void
gq_runner_about_to_leave(void)
{
	pg_atomic_write_u32(&gq_runner_processor_of(gq_my_runner)->work, 0);
	pg_memory_barrier();
}

void
gq_runner_has_more(void)
{
	GqProcessor *p = gq_runner_processor_of(gq_my_runner);

	pg_atomic_write_u32(&p->work, 1);
	if (p->running < p->workers)
		gq_runner_wake_launcher();
}

void
gq_runner_succeeded(void)
{
	if (gq_runner_processor_of(gq_my_runner)->failures == 0)
		return;
	LWLockAcquire(gq_shared->runners_lock, LW_EXCLUSIVE);
	gq_runner_processor_of(gq_my_runner)->failures = 0;
	LWLockRelease(gq_shared->runners_lock);
}

/* ---- for the views ---- */

GqRunnerInfo *
gq_runners(int *n)
{
	GqRunnerInfo *infos;

	*n = 0;
	if (gq_runner_slots == NULL)
		return NULL;
	infos = palloc(GQ_MAX_RUNNERS * sizeof(GqRunnerInfo));
	LWLockAcquire(gq_shared->runners_lock, LW_SHARED);
	for (int i = 0; i < gq_runner_slots_used(); i++)
	{
		GqRunner   *r = &gq_runner_slots->runners[i];
		GqRunnerInfo *info = &infos[*n];

		if (r->state != GQ_RUNNER_PRESENT)
			continue;
		info->database = r->database;
		strlcpy(info->type, gq_runner_processor_of(r)->type, sizeof(info->type));
		info->pid = r->pid;
		info->task = r->token != 0 ? r->task : 0;
		info->since = r->since;
		(*n)++;
	}
	LWLockRelease(gq_shared->runners_lock);
	return infos;
}

bool
gq_is_runner(int pid)
{
	bool		found = false;

	if (gq_runner_slots == NULL)
		return false;
	LWLockAcquire(gq_shared->runners_lock, LW_SHARED);
	for (int i = 0; i < gq_runner_slots_used() && !found; i++)
		found = gq_runner_slots->runners[i].state == GQ_RUNNER_PRESENT &&
			gq_runner_slots->runners[i].pid == pid;
	LWLockRelease(gq_shared->runners_lock);
	return found;
}

static bool
have_room(void)
{
	for (int i = 0; i < GQ_MAX_PROCESSORS; i++)
		if (!OidIsValid(gq_runner_slots->processors[i].database) && gq_runner_slots->processors[i].running == 0)
			return true;
	return false;
}

bool
gq_processor_info(Oid database, const char *type, GqProcessorInfo *info)
{
	GqProcessor *p = NULL;
	TimestampTz now = GetCurrentTimestamp();

	memset(info, 0, sizeof(GqProcessorInfo));
	if (gq_runner_slots == NULL)
		return false;
	LWLockAcquire(gq_shared->runners_lock, LW_SHARED);
	p = gq_processor_find(database, type);
	if (p != NULL)
	{
		info->running = p->running;
		info->failures = p->failures;
		info->no_slot_since = p->no_slot_tries > 0 &&
			now >= TimestampTzPlusMilliseconds(p->no_slot_since, NO_SLOT_MS) ? p->no_slot_since : 0;
		info->waiting = pg_atomic_read_u32(&p->work) != 0 && p->running == 0;
	}
	else
		info->no_room = !have_room();
	LWLockRelease(gq_shared->runners_lock);
	return p != NULL;
}
