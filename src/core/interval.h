/*-------------------------------------------------------------------------
 *
 * interval.h
 *	  Lengths of time: SQL's interval to microseconds and back.
 *
 * goque reckons in microseconds.  A month counts 30 days and a day 24 hours,
 * whatever the time zone says: a length means the same at every moment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_INTERVAL_H
#define GOQUE_CORE_INTERVAL_H

#include "common/int.h"

#include "goque.h"

/* What does not fit, 'infinity' included, becomes the largest or smallest number. */
static inline int64
gq_interval_usecs(const Interval *span)
{
	int64		days = (int64) span->month * DAYS_PER_MONTH + span->day;
	int64		usecs;

	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &usecs))
		return days < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	if (pg_add_s64_overflow(usecs, span->time, &usecs))
		return span->time < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return usecs;
}

/* Whole days apart from the rest, so that a week reads '7 days'; palloc'd. */
static inline Interval *
gq_interval_make(int64 usecs)
{
	Interval   *span = (Interval *) palloc0(sizeof(Interval));

	span->day = (int32) (usecs / USECS_PER_DAY);
	span->time = usecs % USECS_PER_DAY;
	return span;
}

#endif							/* GOQUE_CORE_INTERVAL_H */
