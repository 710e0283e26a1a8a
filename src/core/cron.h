/*-------------------------------------------------------------------------
 *
 * cron.h
 *	  What a schedule means: parsing, and the next time that it fires.
 *
 * A unit of its own: it calls nothing of the server, allocates nothing and
 * raises nothing, so that it can be tested and fuzzed alone (test/cron).  Times
 * are seconds, since any epoch that is a midnight of UTC and that its caller
 * names in `epoch_days`; the time zone is a function of the caller's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_CRON_H
#define GOQUE_CORE_CRON_H

#include "c.h"

#define GQ_CRON_NEVER PG_INT64_MAX

typedef struct GqCron
{
	int64		every;			/* seconds of @every; 0: the fields count */

	/* a bit for each value that matches */
	uint64		seconds;
	uint64		minutes;
	uint32		hours;
	uint32		days;			/* from bit 1 */
	uint32		months;			/* from bit 1 */
	uint32		weekdays;		/* bit 0 is Sunday */
	uint8		nth[7];			/* by weekday: bit n the nth in a month (#),
								 * bit 0 the last (L) */
	bool		last_day;		/* L as day of month */

	bool		any_day;		/* these fields begin with * or ? */
	bool		any_weekday;
	bool		follows_clock;	/* second, minute or hour begins with *: runs
								 * by real time when the clock is changed */
} GqCron;

typedef struct GqCronError
{
	int			position;		/* of the offending character, from 1 */
	const char *field;			/* "minute", ...; NULL: none */
	const char *reason;			/* "is ..." */
} GqCronError;

/* False, and *error is filled in: malformed. */
extern bool gq_cron_parse(const char *text, GqCron *cron, GqCronError *error);

/* A time zone: the offset from UTC in force at `at`, in seconds east, the moment
 * of its next change (GQ_CRON_NEVER: none), and the offset from then on. */
typedef struct GqCronZone
{
	int64		(*next_change) (const void *arg, int64 at, int *offset, int *offset_after);
	const void *arg;
} GqCronZone;

/* The first time after `after`; GQ_CRON_NEVER: none in a hundred years.  Of
 * @every, `after` is the time before.  epoch_days: from 1970-01-01 to the epoch. */
extern int64 gq_cron_next(const GqCron *cron, int64 after, int64 epoch_days,
						  const GqCronZone *zone);

#endif							/* GOQUE_CORE_CRON_H */
