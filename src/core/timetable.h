/*-------------------------------------------------------------------------
 *
 * timetable.h
 *	  The times of a schedule in a time zone of the server's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_TIMETABLE_H
#define GOQUE_CORE_TIMETABLE_H

#include "pgtime.h"

#include "core/cron.h"
#include "goque.h"

typedef struct GqTimetable
{
	GqCron		cron;
	pg_tz	   *zone;
} GqTimetable;

/* False: no such zone.  The schedule is parsed by gq_cron_parse. */
extern bool gq_timetable_set_zone(GqTimetable *t, const char *zone);

/* The first time after `after`; DT_NOEND: none.  The times of @every are counted
 * from `after`. */
extern TimestampTz gq_timetable_next(const GqTimetable *t, TimestampTz after);

/* The last times from `from`, which is one, to `now`, at most `max`, in order;
 * returns how many. */
extern int	gq_timetable_between(const GqTimetable *t, TimestampTz from, TimestampTz now, int max,
								 TimestampTz *times);

#endif							/* GOQUE_CORE_TIMETABLE_H */
