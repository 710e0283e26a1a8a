/*-------------------------------------------------------------------------
 *
 * schedule_due.c
 *	  The keeper's duty: add the tasks of the schedules that are due.
 *
 * Each schedule is done in a subtransaction of its own.  One that fails (its
 * payload is too large by now, its zone unknown) stays where it is, says why in
 * its row and, once a minute for all of them, in the log, and is tried again; the
 * others go on.
 *
 * An occurrence is missed when it could not be added within a minute: the server
 * was down, the schedule failed.  Then catch_up decides.  In that minute it is tried
 * again more often, so that what passes (a table is locked) makes nobody miss it.
 *
 * The clock may be set: forward, and occurrences are missed; back, and those
 * that were added are not added again, as next_run_at stands behind them.  But
 * a clock that was far ahead must not leave a schedule asleep for long, so that
 * now and then each next_run_at is compared with the next time from now, or from
 * the last one if that is less than three hours ahead (Vixie cron's limit).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "core/detail.h"
#include "core/home.h"
#include "core/maintain.h"
#include "core/schedule.h"
#include "core/task.h"
#include "store/prepared.h"

#define BATCH 100				/* schedules in a transaction */
#define MISSED_USECS (60 * USECS_PER_SEC)
#define RETRY_USECS (60 * USECS_PER_SEC)
#define RETRY_SOON_USECS (5 * USECS_PER_SEC)	/* while it is not missed */
#define LOCKED_USECS USECS_PER_SEC
#define PREPARED_USECS (60 * USECS_PER_SEC)
#define COMPARE_USECS USECS_PER_HOUR
#define CLOCK_USECS (3 * USECS_PER_HOUR)

/* ---- firing ---- */

static bool
is_live(int64 task_id)
{
	GqSearch   *search;
	TupleTableSlot *slot;
	bool		live = false;

	if (task_id == 0)
		return false;
	search = gq_search_begin(NULL);
	if (gq_search_find(search, task_id, &slot) != NULL)
	{
		GqTask		task;

		gq_task_read(&task, slot);
		live = !GqStatusIsTerminal(task.status);
	}
	gq_search_end(search);
	return live;
}

static bool
is_missed(const GqScheduleRow *row, TimestampTz now)
{
	return row->next_run_at <= now - MISSED_USECS;
}

/* The occurrences to add, in order; *last is the last one that is due. */
static int
choose(const GqScheduleRow *row, const GqTimetable *timetable, TimestampTz now,
	   TimestampTz *times, TimestampTz *last)
{
	int			n = gq_timetable_between(timetable, row->next_run_at, now, GQ_MAX_CATCH_UP, times);

	*last = n > 0 ? times[n - 1] : now;
	if (n == 0 || !is_missed(row, now))
		return n;
	if (strcmp(row->catch_up, gq_catch_up_words[GQ_CATCH_UP_NONE]) == 0)
		return 0;
	if (strcmp(row->catch_up, gq_catch_up_words[GQ_CATCH_UP_ONE]) == 0)
	{
		times[0] = times[n - 1];
		return 1;
	}
	return n;
}

static void
fire(GqScheduleRow *row, TimestampTz now)
{
	TimestampTz *times = (TimestampTz *) palloc(GQ_MAX_CATCH_UP * sizeof(TimestampTz));
	GqTimetable timetable;
	TimestampTz last;
	int			n;

	gq_schedule_timetable(row, &timetable);
	gq_schedule_check_time(row->next_run_at);
	n = choose(row, &timetable, now, times, &last);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!row->overlap && is_live(row->last_task))
			continue;
		row->last_task = gq_schedule_add(row, times[i], false);
		row->last_run_at = times[i];
	}
	row->next_run_at = gq_timetable_next(&timetable, last);
	if (row->next_run_at == DT_NOEND)
		row->next_run_at = 0;
	row->retry_at = 0;
	row->error = NULL;
	gq_schedule_update(row);
}

/* In a line, for goque.schedules. */
static char *
describe(const ErrorData *error)
{
	return error->detail == NULL ? gq_detail(error->message) :
		psprintf("%s: %s", gq_detail(error->message), gq_detail(error->detail));
}

static void
log_failure(const GqScheduleRow *row, int sqlstate, TimestampTz now)
{
	static TimestampTz logged_at = 0;

	if (logged_at != 0 && now >= logged_at && now < logged_at + RETRY_USECS)
		return;
	logged_at = now;
	ereport(WARNING,
			(errcode(sqlstate),
			 errmsg("schedule \"%s\" could not add its task", gq_detail(row->name)),
			 errdetail("%s", row->error),
			 errhint("It is tried again, every minute at least; goque.schedules shows the error.")));
}

/* In a subtransaction: an error is noted in the row, and stops nothing else. */
static void
try_fire(const GqScheduleRow *row, TimestampTz now)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	GqScheduleRow failed = *row;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		GqScheduleRow moved = *row;

		fire(&moved, now);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;

	if (error == NULL)
		return;
	failed.error = describe(error);
	failed.retry_at = now + (is_missed(row, now + RETRY_SOON_USECS) ? RETRY_USECS : RETRY_SOON_USECS);
	gq_schedule_update(&failed);
	log_failure(&failed, error->sqlerrcode, now);
}

/* ---- the clock ---- */

/*
 * Is next_run_at not the next time any more?  Then it is put right in `row`.
 */
static bool
put_right(GqScheduleRow *row, TimestampTz now)
{
	GqTimetable timetable;
	GqCronError error;
	TimestampTz from = now;
	TimestampTz next;

	if (!gq_cron_parse(row->schedule, &timetable.cron, &error) ||
		!gq_timetable_set_zone(&timetable, row->timezone))
		return false;			/* it will fail when it is due */
	if (row->last_run_at > now && row->last_run_at < now + CLOCK_USECS)
		from = row->last_run_at;
	next = gq_timetable_next(&timetable, from);
	if (next == row->next_run_at || (timetable.cron.every > 0 && next > row->next_run_at))
		return false;
	row->next_run_at = next == DT_NOEND ? 0 : next;
	return true;
}

/*
 * The clock was set back by much, or the rules of a zone have changed.
 */
static void
compare_with_clock(const char *home, TimestampTz now)
{
	int			n;
	GqScheduleRow *rows = gq_schedules_waiting(home, now, &n);

	for (int i = 0; i < n; i++)
	{
		GqScheduleRow *row;

		CHECK_FOR_INTERRUPTS();
		if (!put_right(&rows[i], now))
			continue;
		row = gq_schedule_lock(rows[i].name, false);
		if (row != NULL && !row->paused && row->next_run_at > now && put_right(row, now))
			gq_schedule_update(row);
	}
}

static bool
is_time_to_compare(TimestampTz now)
{
	static TimestampTz compared_at = 0;

	if (compared_at != 0 && now >= compared_at && now < compared_at + COMPARE_USECS)
		return false;
	compared_at = now;
	return true;
}

/* ---- the duty ---- */

TimestampTz
gq_duty_schedule(TimestampTz now)
{
	char	   *home = pstrdup(gq_home());
	GqScheduleRow *rows;
	TimestampTz next;
	int			n;

	if (is_time_to_compare(now))
		compare_with_clock(home, now);
	rows = gq_schedules_due(home, now, BATCH, &n);
	for (int i = 0; i < n; i++)
		try_fire(&rows[i], now);
	if (n == BATCH)
		return now;

	next = gq_schedules_next(home);
	if (next <= now)			/* somebody who changes it has it locked */
		next = now + LOCKED_USECS;
	if (gq_prepared_pending())	/* it may set a schedule, and tell nobody */
		next = Min(next, now + PREPARED_USECS);
	return next;
}
