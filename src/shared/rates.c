/*-------------------------------------------------------------------------
 *
 * rates.c
 *	  When tasks of types with a rate limit were fetched.
 *
 * A rate holds for any interval of the length of its period, so it is told by
 * the times of the fetches.  A log of a fixed size keeps them for each such
 * type, for a fixed number of types.  Fetches that lie closer together than a
 * 200th of the period are kept as one, and leave the period with the last of
 * them: never too early, and late by no more than that.
 *
 * What is kept here is also in goque.fetch_log, written by the claims
 * themselves: from there a type is learned after a start (core/limit.c).
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

	LWLockAcquire(gq_shared->rates_lock, LW_SHARED);
	log = find_complete(entry, rate, now);
	if (log != NULL)
		left = gq_rate_of(log->entries, log->n, rate, now, turns_at);
	LWLockRelease(gq_shared->rates_lock);
	return left;
}

static void
drop_oldest(RateLog *log, int n)
{
	log->n -= n;
	memmove(log->entries, log->entries + n, sizeof(GqFetches) * log->n);
}

static void
append(RateLog *log, const GqRate *rate, TimestampTz at)
{
	GqFetches  *last = log->n > 0 ? &log->entries[log->n - 1] : NULL;
	int			old = 0;

	/* clocks of two processes may be read in another order */
	if (last != NULL)
		at = Max(at, last->last);
	if (last != NULL && (at - last->first < rate->period / PARTS || at == last->last))
	{
		last->last = at;
		last->n++;
		return;
	}
	if (log->n == MAX_ENTRIES)
	{
		while (old < log->n && log->entries[old].last <= at - rate->period)
			old++;
		if (old == 0)			/* of a longer period that was learned */
		{
			log->entries[1].first = log->entries[0].first;
			log->entries[1].n += log->entries[0].n;
			old = 1;
		}
		else
			log->since = Max(log->since, log->entries[old - 1].last + 1);
		drop_oldest(log, old);
	}
	log->entries[log->n++] = (GqFetches)
	{
		at, at, 1
	};
}

bool
gq_rate_take(GqType *entry, const GqRate *rate, TimestampTz now)
{
	TimestampTz turns_at;
	RateLog    *log;
	bool		taken;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_complete(entry, rate, now);
	taken = log != NULL && gq_rate_of(log->entries, log->n, rate, now, &turns_at) > 0;
	if (taken)
		append(log, rate, now);
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

bool
gq_rate_learn(GqType *entry, TimestampTz since, const GqFetches *fetches, int n)
{
	RateLog    *log;

	LWLockAcquire(gq_shared->rates_lock, LW_EXCLUSIVE);
	log = find_log(entry);
	if (log == NULL)
		log = find_log(NULL);
	if (log != NULL)
	{
		log->type = entry;
		log->since = since;
		log->n = Min(n, MAX_ENTRIES);
		/* the youngest; older ones are counted with the first of them */
		memcpy(log->entries, fetches + (n - log->n), sizeof(GqFetches) * log->n);
		for (int i = 0; i < n - log->n; i++)
			log->entries[0].n += fetches[i].n;
	}
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
