/*-------------------------------------------------------------------------
 *
 * rates.h
 *	  When tasks of types with a rate limit were fetched.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_RATES_H
#define GOQUE_SHARED_RATES_H

#include "shared/types.h"

/* some fetches: none before `first`, none after `last` */
typedef struct GqFetches
{
	TimestampTz first;
	TimestampTz last;
	int64		n;
} GqFetches;

typedef struct GqRate
{
	int32		limit;			/* at most so many */
	int64		period;			/* in any interval of so many microseconds */
} GqRate;

extern Size gq_rates_shmem_size(void);
extern void gq_rates_shmem_init(void);

/*
 * How many fetches the rate allows at `now`, and when it will allow more;
 * -1: not known, the caller learns it from goque.fetch_log.
 */
extern int64 gq_rate_left(GqType *entry, const GqRate *rate, TimestampTz now, TimestampTz *turns_at);

/* Count one fetch if the rate allows it. */
extern bool gq_rate_take(GqType *entry, const GqRate *rate, TimestampTz now);

/* n fetches at `at` were taken back. */
extern void gq_rate_give_back(GqType *entry, TimestampTz at, int64 n);

/* All fetches that the rate asks for at `now`, in their order; false: there is no
 * room for them. */
extern bool gq_rate_learn(GqType *entry, const GqRate *rate, TimestampTz now,
						  const GqFetches *fetches, int n);

/* Of a type that is given back. */
extern void gq_rate_forget(GqType *entry);

/* The same of any fetches in order: how many are left at `now`, and until when. */
extern int64 gq_rate_of(const GqFetches *fetches, int n, const GqRate *rate, TimestampTz now,
						TimestampTz *turns_at);

#endif							/* GOQUE_SHARED_RATES_H */
