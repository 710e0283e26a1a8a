/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  Schedules: setting, removing, pausing and running them.
 *
 * An occurrence is added in the transaction that moves next_run_at past it, under
 * the lock of the row; so it is added once, whoever tries, and whatever crashes.
 * The task's external_id, "name@instant", says so a second time: it stands in the
 * way of another one where the row went back (a dump was restored over tasks, the
 * clock was set back) for as long as the task is kept.
 *
 * Locks: the row, until the end of the transaction; then those of an add.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/add.h"
#include "core/detail.h"
#include "core/home.h"
#include "core/schedule.h"
#include "core/settings.h"
#include "core/size.h"
#include "core/xact.h"

#define HINT_SET_AGAIN "Set the schedule again with goque_schedule()."

const char *const gq_catch_up_words[] = {"none", "one", "all", NULL};

/* ---- tasks ---- */

void
gq_schedule_check_time(TimestampTz at)
{
	if (!IS_VALID_TIMESTAMP(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of a schedule is out of range"),
				 errdetail("Its next_run_at is %s.", timestamptz_to_str(at)),
				 errhint(HINT_SET_AGAIN)));
}

/* As 2026-01-31T23:59:59Z, palloc'd. */
static char *
instant_text(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	gq_schedule_check_time(at);
	(void) timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL);
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static Datum
make_metadata(const char *name, const char *instant)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "{\"schedule\": ");
	escape_json(&buf, name);
	appendStringInfo(&buf, ", \"occurrence\": \"%s\"}", instant);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data));
}

int64
gq_schedule_add(const GqScheduleRow *row, TimestampTz at, bool beside)
{
	GqSettings	settings = *gq_settings(row->type);
	char	   *instant = instant_text(at);
	GqAddOptions options = {0};
	GqNewTask	task = {0};

	gq_check_size("payload", row->payload, gq_size_limit(&settings));
	options.type = row->type;
	options.priority = row->priority;
	options.now = GetCurrentTimestamp();
	options.run_at = Min(at, options.now);
	options.max_attempts = settings.max_attempts;
	options.metadata = make_metadata(row->name, instant);
	options.has_metadata = true;
	options.on_conflict = GQ_CONFLICT_IGNORE;
	options.unique_while = GQ_WHILE_KEPT;
	task.payload = row->payload;
	if (!beside)
	{
		task.has_external_id = true;
		task.external_id = CStringGetTextDatum(psprintf("%s@%s", row->name, instant));
	}
	gq_add(&options, &task, 1);
	return task.id;
}

/* ---- setting ---- */

bool
gq_schedules_caller_may_add(void)
{
	return gq_schedules_may_add();
}

void
gq_schedule_timetable(const GqScheduleRow *row, GqTimetable *timetable)
{
	GqCronError error;

	if (!gq_cron_parse(row->schedule, &timetable->cron, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("malformed schedule"),
				 errdetail("In \"%s\", what is at position %d %s.",
						   gq_detail(row->schedule), error.position, error.reason),
				 errhint(HINT_SET_AGAIN)));
	if (!gq_timetable_set_zone(timetable, row->timezone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown time zone"),
				 errdetail("The server does not know \"%s\" any more.", gq_detail(row->timezone)),
				 errhint("Bring the server's time zone data up to date, or set the schedule again with a name from pg_timezone_names.")));
}

static TimestampTz
next_or_null(const GqTimetable *timetable, TimestampTz after)
{
	TimestampTz next = gq_timetable_next(timetable, after);

	return next == DT_NOEND ? 0 : next;
}

static bool
same_payload(Datum a, Datum b)
{
	Jsonb	   *x = DatumGetJsonbP(a);
	Jsonb	   *y = DatumGetJsonbP(b);

	return VARSIZE(x) == VARSIZE(y) && memcmp(x, y, VARSIZE(x)) == 0;
}

static bool
same_times(const GqScheduleRow *a, const GqScheduleRow *b)
{
	return strcmp(a->schedule, b->schedule) == 0 && strcmp(a->timezone, b->timezone) == 0;
}

static bool
same_definition(const GqScheduleRow *a, const GqScheduleRow *b)
{
	return same_times(a, b) && strcmp(a->type, b->type) == 0 &&
		same_payload(a->payload, b->payload) && strcmp(a->catch_up, b->catch_up) == 0 &&
		a->overlap == b->overlap && a->run_on_start == b->run_on_start &&
		a->priority == b->priority;
}

static void
run_now(GqScheduleRow *row, TimestampTz now)
{
	row->last_task = gq_schedule_add(row, now, true);
	row->last_run_at = now;
}

/*
 * The same times go on where they were, so that an application may set its
 * schedules at each start without @every beginning anew.
 */
void
gq_schedule_set(const GqScheduleRow *wanted, const GqTimetable *timetable)
{
	TimestampTz now = GetCurrentTimestamp();
	GqScheduleRow row = *wanted;
	GqScheduleRow *old = NULL;
	bool		changed;

	row.home = pstrdup(gq_home());
	row.next_run_at = next_or_null(timetable, now);
	while (!gq_schedule_insert(&row))
	{
		old = gq_schedule_lock(row.name, true);
		if (old != NULL)
			break;				/* else it was removed meanwhile */
	}
	changed = old == NULL || !same_definition(old, &row);
	if (old != NULL)
	{
		row.paused = old->paused;
		row.last_run_at = old->last_run_at;
		row.last_task = old->last_task;
		if (!old->paused && same_times(old, &row) && gq_home_is_ours(old->home))
			row.next_run_at = old->next_run_at;
	}
	if (row.run_on_start && changed && !row.paused)
		run_now(&row, now);
	if (old != NULL || row.last_task != 0)
		gq_schedule_replace(&row);
	gq_xact_wake_all();			/* the keeper too */
}

bool
gq_schedule_remove(const char *name)
{
	return gq_schedule_delete(name);
}

bool
gq_schedule_pause(const char *name, bool paused)
{
	GqScheduleRow *row = gq_schedule_lock(name, true);
	GqTimetable timetable;

	if (row == NULL || row->paused == paused)
		return false;
	row->paused = paused;
	row->retry_at = 0;
	row->error = NULL;
	if (!paused)
	{
		gq_schedule_timetable(row, &timetable);
		row->next_run_at = next_or_null(&timetable, GetCurrentTimestamp());
	}
	gq_schedule_update(row);
	gq_xact_wake_all();			/* the keeper too */
	return true;
}

int64
gq_schedule_run(const char *name)
{
	GqScheduleRow *row = gq_schedule_lock(name, true);

	if (row == NULL)
		return 0;
	run_now(row, GetCurrentTimestamp());
	gq_schedule_update(row);
	return row->last_task;
}
