/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  goque_schedule, goque_unschedule, goque_run_schedule, goque_pause_schedule,
 *	  goque_resume_schedule, goque_next_runs.
 *
 * goque_schedule takes the rights of its caller: who may not add tasks may not
 * let them be added.  What it writes, it writes as the owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/owner.h"
#include "core/schedule.h"
#include "core/settings.h"
#include "core/size.h"

PG_FUNCTION_INFO_V1(goque_schedule);
PG_FUNCTION_INFO_V1(goque_unschedule);
PG_FUNCTION_INFO_V1(goque_run_schedule);
PG_FUNCTION_INFO_V1(goque_pause_schedule);
PG_FUNCTION_INFO_V1(goque_resume_schedule);
PG_FUNCTION_INFO_V1(goque_next_runs);

/* ---- arguments ---- */

static char *
take_name(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		gq_err_null("name");
	return gq_check_name("name", PG_GETARG_TEXT_PP(0));
}

static char *
take_schedule(FunctionCallInfo fcinfo, int n, GqCron *cron)
{
	GqCronError error;
	char	   *schedule;

	if (PG_ARGISNULL(n))
		gq_err_null("schedule");
	schedule = text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (!gq_cron_parse(schedule, cron, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("malformed schedule"),
				 error.field != NULL ?
				 errdetail("In \"%s\", the field \"%s\" %s, at position %d.",
						   gq_detail(schedule), error.field, error.reason, error.position) :
				 errdetail("In \"%s\", what is at position %d %s.",
						   gq_detail(schedule), error.position, error.reason),
				 errhint("Use five fields (minute, hour, day of month, month, day of week), six with the second first, a word such as @hourly, or @every with an interval such as '@every 90 minutes'.")));
	return schedule;
}

static char *
take_timezone(FunctionCallInfo fcinfo, int n, GqTimetable *timetable)
{
	char	   *name = PG_ARGISNULL(n) ? pstrdup("UTC") : text_to_cstring(PG_GETARG_TEXT_PP(n));

	if (!gq_timetable_set_zone(timetable, name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown time zone"),
				 errdetail("The value of \"timezone\" is \"%s\".", gq_detail(name)),
				 errhint("Use a name from pg_timezone_names, such as 'UTC' or 'Europe/Berlin'.")));
	return name;
}

static void
require_some_time(const GqScheduleRow *row, const GqTimetable *timetable)
{
	if (gq_timetable_next(timetable, GetCurrentTimestamp()) == DT_NOEND)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("schedule has no time"),
				 errdetail("\"%s\" matches no day of the next hundred years.", gq_detail(row->schedule)),
				 errhint("Look at the days that the months have; goque_next_runs() shows what a schedule means.")));
}

/* ---- functions ---- */

/* As the owner. */
static Datum
set_schedule(PG_FUNCTION_ARGS)
{
	GqScheduleRow row = {0};
	GqTimetable timetable;

	row.name = take_name(fcinfo);
	row.schedule = take_schedule(fcinfo, 1, &timetable.cron);
	row.type = gq_arg_type(fcinfo, 2);
	if (PG_ARGISNULL(3))
		gq_err_null("payload");
	row.payload = PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(3)));
	gq_check_size("payload", row.payload, gq_size_limit(gq_settings(row.type)));
	row.timezone = take_timezone(fcinfo, 4, &timetable);
	row.run_on_start = PG_ARGISNULL(5) ? false : PG_GETARG_BOOL(5);
	row.catch_up = pstrdup(gq_catch_up_words[PG_ARGISNULL(6) ? GQ_CATCH_UP_ONE :
											 gq_check_word("catch_up", PG_GETARG_TEXT_PP(6), gq_catch_up_words)]);
	row.overlap = PG_ARGISNULL(7) ? true : PG_GETARG_BOOL(7);
	row.priority = PG_ARGISNULL(8) ? 0 :
		(int16) gq_check_range("priority", PG_GETARG_INT32(8), PG_INT16_MIN, PG_INT16_MAX);
	require_some_time(&row, &timetable);
	gq_schedule_set(&row, &timetable);
	PG_RETURN_VOID();
}

/*
 * goque_schedule(name, schedule, type, payload, timezone, run_on_start, catch_up,
 *				  overlap, priority) returns void
 */
Datum
goque_schedule(PG_FUNCTION_ARGS)
{
	gq_require_writable("goque_schedule()");
	if (!gq_schedules_caller_may_add())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to schedule tasks"),
				 errdetail("The role \"%s\" may not add tasks.",
						   gq_detail(GetUserNameFromId(GetUserId(), false))),
				 errhint("Grant it with goque_grant(role, 'admin').")));
	return gq_as_owner(fcinfo, set_schedule);
}

/*
 * goque_unschedule(name) returns boolean: false, there is none
 */
Datum
goque_unschedule(PG_FUNCTION_ARGS)
{
	char	   *name = take_name(fcinfo);

	gq_require_writable("goque_unschedule()");
	PG_RETURN_BOOL(gq_schedule_remove(name));
}

/*
 * goque_run_schedule(name) returns bigint: the task's id
 */
Datum
goque_run_schedule(PG_FUNCTION_ARGS)
{
	char	   *name = take_name(fcinfo);
	int64		id;

	gq_require_writable("goque_run_schedule()");
	id = gq_schedule_run(name);
	if (id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(id);
}

/*
 * goque_pause_schedule(name) returns boolean: false, there is none or it rests already
 */
Datum
goque_pause_schedule(PG_FUNCTION_ARGS)
{
	char	   *name = take_name(fcinfo);

	gq_require_writable("goque_pause_schedule()");
	PG_RETURN_BOOL(gq_schedule_pause(name, true));
}

/*
 * goque_resume_schedule(name) returns boolean: false, there is none or it did not rest
 */
Datum
goque_resume_schedule(PG_FUNCTION_ARGS)
{
	char	   *name = take_name(fcinfo);

	gq_require_writable("goque_resume_schedule()");
	PG_RETURN_BOOL(gq_schedule_pause(name, false));
}

/*
 * goque_next_runs(schedule, timezone, n) returns setof timestamptz
 */
Datum
goque_next_runs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	GqTimetable timetable;
	TimestampTz at = GetCurrentTimestamp();
	int			n;

	(void) take_schedule(fcinfo, 0, &timetable.cron);
	(void) take_timezone(fcinfo, 1, &timetable);
	n = PG_ARGISNULL(2) ? 5 : gq_check_range("n", PG_GETARG_INT32(2), 1, GQ_MAX_NEXT_RUNS);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	while (n-- > 0 && (at = gq_timetable_next(&timetable, at)) != DT_NOEND)
	{
		Datum		value = TimestampTzGetDatum(at);
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}
