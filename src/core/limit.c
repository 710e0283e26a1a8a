/*-------------------------------------------------------------------------
 *
 * limit.c
 *	  max_running and rate_limit: how many tasks of a type may be claimed.
 *
 * Shared memory counts the places taken (core/counts.c) and the times of fetches
 * (shared/rates.c): a claim takes both before it touches the row, and they are
 * given back if it comes to nothing or its transaction aborts.  So no number of
 * fetchers exceeds a limit, and nobody waits for another's commit.
 *
 * Where shared memory does not know (after a crash until the tables have been
 * surveyed, without it, with more types than it has room for), one transaction
 * at a time claims tasks of the type: it holds a key lock to its end, and counts
 * in the tables.  The others find the type full meanwhile.  Counted is also what
 * a transaction that has not ended, or is prepared, is changing.
 *
 * goque.fetch_log holds a row for each fetch from a type with a rate limit.  It is
 * read only to learn what shared memory does not know, uncommitted rows included;
 * what is learned is everybody's at once, so that needs no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/claim_commit.h"
#include "core/counts.h"
#include "core/installation.h"
#include "core/limit.h"
#include "core/locks.h"
#include "core/rate_notes.h"
#include "shared/shmem.h"
#include "store/fetch_log.h"
#include "store/task_ids.h"

/* when a type whose lock is held, or that is being counted, is looked at again */
#define LOOK_AGAIN (1 * USECS_PER_SEC)

/* ---- what is known ---- */

static GqKeyLock
type_lock(const GqLimit *limit)
{
	GqKeyLock	lock = {GQ_LOCK_LIMIT, CStringGetTextDatum(limit->type), CStringGetTextDatum("")};

	return lock;
}

/*
 * Does nobody else claim tasks of the type until this transaction ends?  Who just
 * looks does not keep others from it.
 */
static bool
lock_type(GqLimit *limit)
{
	GqKeyLock	lock = type_lock(limit);

	if (gq_locks_hold(&lock) ||
		(limit->claiming ? gq_locks_try(&lock) : !gq_key_locks_is_held(&lock)))
		return true;
	limit->turns_at = limit->now + LOOK_AGAIN;
	return false;
}

static bool
running_is_known(const GqType *entry)
{
	return entry != NULL && entry->running_known;
}

/* Places by the tables, for the one who holds the type's lock. */
static void
count_running(GqLimit *limit)
{
	limit->locked = true;
	limit->left = lock_type(limit)
		? limit->max_running - gq_tasks_processing(limit->type) : 0;
	if (limit->left <= 0)
		limit->turns_at = limit->now + LOOK_AGAIN;
}

/* what is read from goque.fetch_log */
typedef struct Fetches
{
	GqFetches  *items;
	int			n;
	int			room;
} Fetches;

static void
append_fetch(TimestampTz at, int64 n, void *arg)
{
	Fetches    *fetches = arg;

	if (fetches->n == fetches->room)
	{
		fetches->room *= 2;
		fetches->items = repalloc_huge(fetches->items, sizeof(GqFetches) * fetches->room);
	}
	fetches->items[fetches->n++] = (GqFetches)
	{
		at, at, n
	};
}

static GqFetches *
read_log(const char *type, TimestampTz since, int *n)
{
	Fetches		fetches = {palloc(sizeof(GqFetches) * 64), 0, 64};
	TimestampTz now;

	gq_fetch_log_scan(type, since, append_fetch, &fetches);
	now = GetCurrentTimestamp();
	for (int i = 0; i < fetches.n; i++) /* a clock that was set back */
		fetches.items[i].last = Min(fetches.items[i].last, now);
	*n = fetches.n;
	return fetches.items;
}

/* Into shared memory, from where everybody goes on; false: there is no room. */
static bool
learn_rate(GqLimit *limit, const GqFetches *fetches, int n)
{
	GqKeyLock	lock = type_lock(limit);

	/* whoever holds the lock may be fetching without writing it there */
	return limit->entry != NULL && limit->claiming &&
		(gq_locks_hold(&lock) || !gq_key_locks_is_held(&lock)) &&
		gq_rate_learn(limit->entry, &limit->rate, limit->now, fetches, n);
}

static int64
rate_by_log(GqLimit *limit)
{
	TimestampTz since = limit->now - limit->rate.period;
	GqFetches  *fetches;
	int			n;

	fetches = read_log(limit->type, since, &n);
	if (learn_rate(limit, fetches, n))
		return gq_rate_left(limit->entry, &limit->rate, limit->now, &limit->turns_at);
	if (!lock_type(limit))
		return 0;
	limit->rate_locked = true;
	fetches = read_log(limit->type, since, &n);
	return gq_rate_of(fetches, n, &limit->rate, limit->now, &limit->turns_at);
}

static void
look_at_rate(GqLimit *limit)
{
	limit->rate_left = limit->entry != NULL
		? gq_rate_left(limit->entry, &limit->rate, limit->now, &limit->turns_at) : -1;
	if (limit->rate_left < 0)
		limit->rate_left = rate_by_log(limit);
}

GqLimit *
gq_limit_begin(const char *type, GqType *entry, const GqSettings *settings, TimestampTz now,
			   bool claiming)
{
	GqLimit    *limit;

	if (settings->max_running == 0 && settings->rate_limit == 0)
		return NULL;
	limit = palloc0(sizeof(GqLimit));
	limit->type = pstrdup(type);
	limit->entry = entry;
	limit->max_running = settings->max_running;
	limit->rate.limit = settings->rate_limit;
	limit->rate.period = settings->rate_period;
	limit->now = now;
	limit->claiming = claiming;
	limit->turns_at = DT_NOEND;
	return limit;
}

bool
gq_limit_is_reached(GqLimit *limit)
{
	if (limit->max_running > 0)
	{
		if (!running_is_known(limit->entry))
			count_running(limit);
		else
			limit->left = limit->max_running - gq_places_taken(limit->entry);
		if (limit->left <= 0)
			return true;
	}
	if (limit->rate.limit > 0)
	{
		look_at_rate(limit);
		return limit->rate_left <= 0;
	}
	return false;
}

/* ---- claiming ---- */

static bool
take_place(GqLimit *limit)
{
	int32		max = limit->max_running > 0 ? limit->max_running : PG_INT32_MAX;
	bool		counted = limit->max_running == 0 || (limit->locked && limit->left > 0);

	if (limit->locked && !counted)
		return false;
	if (limit->entry != NULL && !gq_place_take(limit->entry, max, counted))
		return false;
	limit->left--;
	return true;
}

static bool
take_fetch(GqLimit *limit)
{
	GqRateNote *note;

	if (limit->rate.limit == 0)
		return true;
	if (limit->rate_locked)
		return limit->rate_left-- > 0;
	if (limit->entry == NULL)
		return false;
	note = gq_rate_note(limit->entry, limit->now);	/* before it is needed: it
													 * may fail */
	if (!gq_rate_take(limit->entry, &limit->rate, limit->now))
		return false;
	note->n++;
	return true;
}

static void
give_back(GqLimit *limit)
{
	limit->left++;
	if (limit->rate.limit > 0)
	{
		limit->rate_left++;
		if (!limit->rate_locked)
		{
			gq_rate_give_back(limit->entry, limit->now, 1);
			gq_rate_note(limit->entry, limit->now)->n--;
		}
	}
	if (limit->entry != NULL)
		gq_places_give_back(limit->entry, 1);
}

/* Somebody else took what was left: when is there more? */
static void
look_later(GqLimit *limit)
{
	limit->turns_at = limit->locked || !running_is_known(limit->entry)
		? limit->now + LOOK_AGAIN : DT_NOEND;
	if (limit->rate.limit > 0 && limit->entry != NULL && !limit->rate_locked)
	{
		TimestampTz turns_at;
		int64		left = gq_rate_left(limit->entry, &limit->rate, limit->now, &turns_at);

		if (left <= 0)
			limit->turns_at = left < 0 ? limit->now + LOOK_AGAIN : turns_at;
	}
}

bool
gq_limit_take(GqLimit *limit)
{
	gq_claims_flush();
	if (limit->spare)
	{
		limit->spare = false;
		return true;
	}
	if (take_place(limit))
	{
		if (take_fetch(limit))
			return true;
		limit->left++;
		if (limit->entry != NULL)
			gq_places_give_back(limit->entry, 1);
	}
	look_later(limit);
	return false;
}

void
gq_limit_keep(GqLimit *limit)
{
	limit->spare = true;
}

void
gq_limit_taken(GqLimit *limit, int64 id)
{
	if (limit->taken++ == 0)
		limit->first_id = id;
}

void
gq_limit_end(GqLimit *limit)
{
	if (limit->spare)
		give_back(limit);
	limit->spare = false;
	if (limit->taken > 0 && limit->rate.limit > 0)
		gq_fetch_log_append(limit->type, limit->now, limit->first_id, limit->taken);
}

/* ---- for people ---- */

bool
gq_limit_state(const char *type, GqLimitState *state)
{
	const GqSettings *settings = gq_settings(type);
	GqType	   *entry = gq_type_of(type);
	TimestampTz now = GetCurrentTimestamp();
	GqFetches  *fetches;
	int			n;

	memset(state, 0, sizeof(*state));
	state->rate_turns_at = DT_NOEND;
	state->max_running = settings->max_running;
	state->rate.limit = settings->rate_limit;
	state->rate.period = settings->rate_period;
	if (state->max_running > 0)
	{
		state->running = running_is_known(entry) ? gq_places_taken(entry) : gq_tasks_processing(type);
		state->is_full = state->running >= state->max_running;
	}
	if (state->rate.limit > 0)
	{
		TimestampTz turns_at;

		fetches = read_log(type, now - state->rate.period, &n);
		if (gq_rate_of(fetches, n, &state->rate, now, &turns_at) == 0)
			state->rate_turns_at = turns_at;
	}
	return state->max_running > 0 || state->rate.limit > 0;
}
