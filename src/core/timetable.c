/*-------------------------------------------------------------------------
 *
 * timetable.c
 *	  The times of a schedule in a time zone of the server's.
 *
 * Times are whole seconds.  Zones are those of the server's setting TimeZone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "core/timetable.h"

#define EPOCH_DAYS (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define EPOCH_SECONDS ((int64) EPOCH_DAYS * SECS_PER_DAY)

bool
gq_timetable_set_zone(GqTimetable *t, const char *zone)
{
	t->zone = pg_tzset(zone);
	return t->zone != NULL && pg_tz_acceptable(t->zone);
}

static int64
next_change(const void *arg, int64 at, int *offset, int *offset_after)
{
	pg_time_t	time = at + EPOCH_SECONDS;
	pg_time_t	boundary = 0;
	long int	before = 0;
	long int	after = 0;
	int			isdst;
	int			found = pg_next_dst_boundary(&time, &before, &isdst, &boundary, &after, &isdst,
											 (const pg_tz *) arg);

	*offset = (int) before;
	*offset_after = found == 1 ? (int) after : (int) before;
	return found == 1 ? boundary - EPOCH_SECONDS : GQ_CRON_NEVER;
}

static int64
floor_seconds(TimestampTz at)
{
	return at / USECS_PER_SEC - (at % USECS_PER_SEC < 0 ? 1 : 0);
}

TimestampTz
gq_timetable_next(const GqTimetable *t, TimestampTz after)
{
	GqCronZone	zone = {next_change, t->zone};
	int64		next = gq_cron_next(&t->cron, floor_seconds(after), EPOCH_DAYS, &zone);

	if (next == GQ_CRON_NEVER || next > floor_seconds(END_TIMESTAMP - 1))
		return DT_NOEND;
	return next * USECS_PER_SEC;
}

static int
every_between(const GqTimetable *t, TimestampTz from, TimestampTz now, int max, TimestampTz *times)
{
	int64		every = t->cron.every * USECS_PER_SEC;
	int64		count = (now - from) / every + 1;
	int			n = (int) Min(count, max);

	for (int i = 0; i < n; i++)
		times[i] = from + (count - n + i) * every;
	return n;
}

/* Keeps the last `max` of what it finds, as a ring; returns how many it found. */
static int64
collect(const GqTimetable *t, TimestampTz after, TimestampTz now, int max, TimestampTz *ring)
{
	int64		found = 0;
	TimestampTz at;

	for (at = gq_timetable_next(t, after); at <= now; at = gq_timetable_next(t, at))
	{
		CHECK_FOR_INTERRUPTS();
		ring[found++ % max] = at;
	}
	return found;
}

/*
 * Looks back farther and farther, so that a long time costs no more steps than
 * there are times in the last stretch that has enough of them.
 */
int
gq_timetable_between(const GqTimetable *t, TimestampTz from, TimestampTz now, int max,
					 TimestampTz *times)
{
	TimestampTz *ring;
	int64		found = 0;
	int			n;

	if (from > now)
		return 0;
	if (t->cron.every > 0)
		return every_between(t, from, now, max, times);

	ring = (TimestampTz *) palloc(max * sizeof(TimestampTz));
	for (int64 span = USECS_PER_HOUR; found < max; span *= 24)
	{
		bool		all = now - from <= span;

		found = collect(t, all ? from - USECS_PER_SEC : now - span, now, max, ring);
		if (all)
			break;
	}
	n = (int) Min(found, max);
	for (int i = 0; i < n; i++)
		times[i] = ring[(found - n + i) % max];
	pfree(ring);
	return n;
}
