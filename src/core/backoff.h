/*-------------------------------------------------------------------------
 *
 * backoff.h
 *	  How long to wait before a failed task is tried again: arithmetic only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_BACKOFF_H
#define GOQUE_CORE_BACKOFF_H

#include "goque.h"

typedef enum GqBackoffKind
{
	GQ_BACKOFF_STATIC,			/* base */
	GQ_BACKOFF_EXPONENTIAL,		/* base * 2^(n-1) */
	GQ_BACKOFF_STEP,			/* steps[n], then the last again */
	GQ_BACKOFF_ROUND_STEP,		/* steps, then from the start */
	GQ_BACKOFF_FIBONACCI		/* 1, 2, 3, 5, 8 ... of base */
} GqBackoffKind;

typedef struct GqBackoff
{
	GqBackoffKind kind;
	int64		base;			/* microseconds */
	int64		max;			/* the longest delay of a kind that grows,
								 * before jitter */
	double		jitter;			/* 0 to 1: a delay of d becomes d * (1 +-
								 * jitter) */
	int			nsteps;
	int64	   *steps;
} GqBackoff;

/* Delay after failed attempt n (from 1), in microseconds; `random` in [0, 1)
 * picks the jitter.  Never negative, never overflows. */
extern int64 gq_backoff_delay(const GqBackoff *backoff, int32 attempt, double random);

#endif							/* GOQUE_CORE_BACKOFF_H */
