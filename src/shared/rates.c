/*-------------------------------------------------------------------------
 *
 * rates.c
 *	  When tasks of types with a rate limit were fetched.
 *
 * A rate holds for any interval of the length of its period, so it is told by
 * the times of the fetches.  A log of a fixed size keeps them for each such
 * type, for a fixed number of types.  Where the limit is above 200, fetches that
 * lie closer together than a 200th of the period are kept as one, and leave the
 * period with the last of them: never too early, and late by no more than that.
 *
 * What is kept here is also in goque.fetch_log, written by the claims
 * themselves: from there a type is learned after a start (core/limit.c), or what
 * lies further back than this log, when its period becomes longer.
 *
 * A clock that was set back leaves fetches that seem to be still to come; they are
 * taken for fetches of just now, so that the type waits for one period at most.
 *
 * Locks: gq_shared->rates_lock guards everything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "shared/rates.h"
#include "shared/shmem.h"

#define MAX_LOGS 128			/* types with a rate limit, all databases */
#define MAX_ENTRIES 512
#define PARTS 200				/* of a period, into which fetches are
								 * gathered */

typedef struct RateLog
{
	GqType	   *type;			/* NULL: free */
	TimestampTz since;			/* complete from then on */
	int			n;
	GqFetches	entries[MAX_ENTRIES];
} RateLog;

static RateLog *logs = NULL;

Size
gq_rates_shmem_size(void)
{
	return mul_size(sizeof(RateLog), MAX_LOGS);
}

void
gq_rates_shmem_init(void)
{
	bool		found;

	logs = ShmemInitStruct("goque rates", gq_rates_shmem_size(), &found);
	if (!found)
		for (int i = 0; i < MAX_LOGS; i++)
			logs[i].type = NULL;
}

static RateLog *
find_log(const GqType *type)
{
	for (int i = 0; i < MAX_LOGS; i++)
		if (logs[i].type == type)
			return &logs[i];
	return NULL;
}

/* The log of a type, if it holds what the rate asks for. */
static RateLog *
find_complete(GqType *entry, const GqRate *rate, TimestampTz now)
{
	RateLog    *log = find_log(entry);

	return log != NULL && log->since <= now - rate->period ? log : NULL;
}

/*
 * Is the clock behind what was read from it before?  `now` may be read a moment
 * ago, so it is read again.
 */
static void
mind_clock(RateLog *log, TimestampTz now)
{
	if (log->n == 0 || log->entries[log->n - 1].last <= now)
		return;
	now = GetCurrentTimestamp();
	for (int i = log->n - 1; i >= 0 && log->entries[i].last > now; i--)
	{
		log->entries[i].first = Min(log->entries[i].first, now);
		log->entries[i].last = now;
	}
}

int64
gq_rate_of(const GqFetches *fetches, int n, const GqRate *rate, TimestampTz now,
		   TimestampTz *turns_at)
{
	int64		left = rate->limit;

	*turns_at = DT_NOEND;
	/* from the youngest on, so that the last one met is the next to leave */
	for (int i = n - 1; i >= 0 && fetches[i].last > now - rate->period; i--)
	{
		left -= fetches[i].n;
		*turns_at = fetches[i].last + rate->period;
	}
	return Max(left, 0);
}

int64
gq_rate_left(GqType *entry, const GqRate *rate, TimestampTz now, TimestampTz *turns_at)
{
	RateLog    *log;
	int64		left = -1;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_complete(entry, rate, now);
	if (log != NULL)
	{
		mind_clock(log, now);
		left = gq_rate_of(log->entries, log->n, rate, now, turns_at);
	}
	LWLockRelease(gq_shared->rates_lock);
	return left;
}

static void
drop_oldest(RateLog *log, int n)
{
	log->n -= n;
	memmove(log->entries, log->entries + n, sizeof(GqFetches) * log->n);
}

/* Room for one more: without those that have left the period, else two are one. */
static void
make_room(RateLog *log, TimestampTz since)
{
	int			old = 0;

	if (log->n < MAX_ENTRIES)
		return;
	while (old < log->n && log->entries[old].last <= since)
		old++;
	if (old > 0)
		log->since = Max(log->since, log->entries[old - 1].last + 1);
	else
	{
		log->entries[1].first = log->entries[0].first;
		log->entries[1].n += log->entries[0].n;
		old = 1;
	}
	drop_oldest(log, old);
}

static void
append(RateLog *log, const GqRate *rate, GqFetches fetches)
{
	GqFetches  *last = log->n > 0 ? &log->entries[log->n - 1] : NULL;
	int64		part = rate->limit > PARTS ? rate->period / PARTS : 1;

	/* clocks of two processes may be read in another order */
	if (last != NULL)
	{
		fetches.first = Max(fetches.first, last->last);
		fetches.last = Max(fetches.last, last->last);
	}
	if (last != NULL && (fetches.last - last->first < part || fetches.last == last->last))
	{
		last->last = fetches.last;
		last->n += fetches.n;
		return;
	}
	make_room(log, fetches.last - rate->period);
	log->entries[log->n++] = fetches;
}

bool
gq_rate_take(GqType *entry, const GqRate *rate, TimestampTz now)
{
	GqFetches	fetch = {now, now, 1};
	TimestampTz turns_at;
	RateLog    *log;
	bool		taken;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_complete(entry, rate, now);
	if (log != NULL)
		mind_clock(log, now);
	taken = log != NULL && gq_rate_of(log->entries, log->n, rate, now, &turns_at) > 0;
	if (taken)
		append(log, rate, fetch);
	LWLockRelease(gq_shared->rates_lock);
	return taken;
}

void
gq_rate_give_back(GqType *entry, TimestampTz at, int64 n)
{
	RateLog    *log;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_log(entry);
	/* from those that were gathered with it on: it may have been put later */
	for (int i = 0; log != NULL && i < log->n && n > 0; i++)
	{
		int64		given = log->entries[i].last < at ? 0 : Min(n, log->entries[i].n);

		log->entries[i].n -= given;
		n -= given;
	}
	LWLockRelease(gq_shared->rates_lock);
}

/*
 * Begin with those that were learned, and go on with what the log has: a fetch
 * that is going on is not in the tables yet.
 */
static void
rebuild(RateLog *log, const GqRate *rate, TimestampTz now, const GqFetches *fetches, int n)
{
	GqFetches	kept[MAX_ENTRIES];
	int			nkept = log->n;
	TimestampTz since = log->since;

	memcpy(kept, log->entries, sizeof(GqFetches) * nkept);
	log->since = now - rate->period;
	log->n = 0;
	for (int i = 0; i < n && fetches[i].last < since; i++)
		append(log, rate, fetches[i]);
	for (int i = 0; i < nkept; i++)
		append(log, rate, kept[i]);
	mind_clock(log, now);
}

bool
gq_rate_learn(GqType *entry, const GqRate *rate, TimestampTz now, const GqFetches *fetches, int n)
{
	RateLog    *log;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_log(entry);
	if (log == NULL)
		log = find_log(NULL);
	if (log != NULL && log->type == NULL)
	{
		log->type = entry;
		log->since = DT_NOEND;
		log->n = 0;
	}
	if (log != NULL)
		rebuild(log, rate, now, fetches, n);
	LWLockRelease(gq_shared->rates_lock);
	return log != NULL;
}

void
gq_rate_forget(GqType *entry)
{
	RateLog    *log;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_log(entry);
	if (log != NULL)
		log->type = NULL;
	LWLockRelease(gq_shared->rates_lock);
}
