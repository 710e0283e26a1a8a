/*-------------------------------------------------------------------------
 *
 * cron_next.c
 *	  The next time that a schedule fires.
 *
 * Days of month and week are joined as in Vixie cron: if one of the two fields
 * begins with *, both must match, else either.
 *
 * When the clock of the zone is changed, too, Vixie cron's rule applies.  A
 * schedule whose seconds, minutes and hours are fixed (do not begin with *) runs
 * once where the clock is set back: times that come twice count when they come
 * first.  Where it is set forward, it runs once at the moment of the change for
 * all times that are left out.  Every other schedule follows real time: what is
 * left out is left out, what comes twice runs twice.
 *
 * So time is walked through in stretches of constant offset, in each of which
 * local time is plain arithmetic.
 *
 * Nothing of the server is called: see cron.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/cron.h"

#define DAY_SECONDS 86400
#define SEARCHED_MONTHS (100 * 12 + 1)
#define SEARCHED_CHANGES 1000
#define FARTHEST INT64CONST(20000000000000) /* seconds: well past year 294276 */

/* no zone is set back by more */
#define LONGEST_OVERLAP (26 * 3600)

typedef struct Month
{
	int64		first_day;		/* since 1970-01-01 */
	int			month;			/* 1 to 12 */
	int64		year;
	int			days;
} Month;

/* ---- the calendar ---- */

static int64
floor_div(int64 a, int64 b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

static int
days_in_month(int64 year, int month)
{
	static const int days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month] + (month == 2 && leap ? 1 : 0);
}

/* Days since 1970-01-01 of the first of a month: years from March, eras of 400. */
static int64
first_day_of(int64 year, int month)
{
	int64		y = month <= 2 ? year - 1 : year;
	int64		era = floor_div(y, 400);
	int64		year_of_era = y - era * 400;
	int64		day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
		day_of_year - 719468;
}

static void
set_month(Month *m, int64 year, int month)
{
	m->year = year;
	m->month = month;
	m->days = days_in_month(year, month);
	m->first_day = first_day_of(year, month);
}

static void
month_of(Month *m, int64 day)
{
	int64		year = 1970 + floor_div(day * 400, 146097);
	int			month;

	/* the year may be off by one */
	while (first_day_of(year, 1) > day)
		year--;
	while (first_day_of(year + 1, 1) <= day)
		year++;
	for (month = 12; first_day_of(year, month) > day; month--)
		;
	set_month(m, year, month);
}

static void
next_month(Month *m)
{
	if (m->month == 12)
		set_month(m, m->year + 1, 1);
	else
		set_month(m, m->year, m->month + 1);
}

/* ---- local time ---- */

static bool
matches_day(const GqCron *cron, const Month *m, int day)
{
	int			weekday = (int) (((m->first_day + day - 1 + 4) % 7 + 7) % 7);
	bool		by_day;
	bool		by_weekday;

	by_day = (cron->days >> day & 1) || (cron->last_day && day == m->days);
	by_weekday = (cron->weekdays >> weekday & 1) ||
		(cron->nth[weekday] >> ((day - 1) / 7 + 1) & 1) ||
		((cron->nth[weekday] & 1) && day + 7 > m->days);
	return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The first bit from `from` on; -1: none. */
static int
next_bit(uint64 bits, int from)
{
	for (int i = from; i < 64; i++)
	{
		if (bits >> i & 1)
			return i;
	}
	return -1;
}

/* The first time of a day from `from` on, in seconds; -1: none. */
static int
next_time(const GqCron *cron, int from)
{
	int			hour = from / 3600;
	int			minute = from / 60 % 60;
	int			second = from % 60;
	int			h;
	int			m;
	int			s;

	for (h = next_bit(cron->hours, hour); h >= 0; h = next_bit(cron->hours, h + 1))
	{
		for (m = next_bit(cron->minutes, h == hour ? minute : 0); m >= 0;
			 m = next_bit(cron->minutes, m + 1))
		{
			s = next_bit(cron->seconds, h == hour && m == minute ? second : 0);
			if (s >= 0)
				return h * 3600 + m * 60 + s;
		}
	}
	return -1;
}

/* The first local time from `from` on, in seconds since 1970. */
static int64
next_local(const GqCron *cron, int64 from)
{
	int64		first = floor_div(from, DAY_SECONDS);
	int			time = (int) (from - first * DAY_SECONDS);
	Month		m;

	month_of(&m, first);
	for (int i = 0; i < SEARCHED_MONTHS; i++, next_month(&m))
	{
		if (!(cron->months >> m.month & 1))
			continue;
		for (int day = 1; day <= m.days; day++)
		{
			int64		today = m.first_day + day - 1;
			int			found;

			if (today < first || !matches_day(cron, &m, day))
				continue;
			found = next_time(cron, today == first ? time : 0);
			if (found >= 0)
				return today * DAY_SECONDS + found;
		}
	}
	return GQ_CRON_NEVER;
}

/* ---- the zone ---- */

/* a stretch of time with one offset, as seconds since 1970 */
typedef struct Stretch
{
	int64		begins;
	int64		ends;			/* GQ_CRON_NEVER: never */
	int			offset;
	int			offset_after;
} Stretch;

static void
read_stretch(Stretch *s, int64 begins, int64 epoch, const GqCronZone *zone)
{
	s->begins = begins;
	s->ends = zone->next_change(zone->arg, begins - epoch, &s->offset, &s->offset_after);
	if (s->ends != GQ_CRON_NEVER)
		s->ends += epoch;
}

/*
 * The time after `after`, if this stretch or its end has it; else false, and go
 * on.  Local times before `passed` are over for what has fixed times.
 */
static bool
next_in_stretch(const GqCron *cron, const Stretch *s, int64 after, int64 passed, int64 *result)
{
	int64		from = Max(after + 1, s->begins) + s->offset;
	int64		local;

	if (!cron->follows_clock)
		from = Max(from, passed);
	local = next_local(cron, from);
	if (local == GQ_CRON_NEVER)
		*result = GQ_CRON_NEVER;
	else if (s->ends == GQ_CRON_NEVER || local < s->ends + s->offset)
		*result = local - s->offset;
	else if (!cron->follows_clock && local < s->ends + s->offset_after)
		*result = s->ends;		/* left out by the clock */
	else
		return false;
	return true;
}

int64
gq_cron_next(const GqCron *cron, int64 after, int64 epoch_days, const GqCronZone *zone)
{
	int64		epoch = epoch_days * DAY_SECONDS;
	int64		passed = PG_INT64_MIN;
	int64		begins;

	if (after < -FARTHEST || after > FARTHEST)
		return GQ_CRON_NEVER;
	if (cron->every > 0)
		return after + cron->every;

	/* begin early enough to know of an overlap that is going on */
	after += epoch;
	begins = after - LONGEST_OVERLAP;
	for (int i = 0; i < SEARCHED_CHANGES; i++)
	{
		Stretch		s;
		int64		result;

		read_stretch(&s, begins, epoch, zone);
		if (s.ends > after && next_in_stretch(cron, &s, after, passed, &result))
			return result == GQ_CRON_NEVER ? result : result - epoch;
		if (s.ends == GQ_CRON_NEVER || s.ends <= s.begins)
			break;
		passed = Max(passed, s.ends + Max(s.offset, s.offset_after));
		begins = s.ends;
	}
	return GQ_CRON_NEVER;
}
