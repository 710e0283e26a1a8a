/*-------------------------------------------------------------------------
 *
 * configure.c
 *	  goque_configure, goque_unconfigure, goque_pause, goque_resume, and the
 *	  trigger that tells all sessions of a change.
 *
 * A setting applies from the commit on, to tasks that are there already too,
 * but for what an add copied into its task: max_attempts and run_at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "api/args.h"
#include "core/home.h"
#include "core/settings.h"
#include "guc.h"

PG_FUNCTION_INFO_V1(goque_configure);
PG_FUNCTION_INFO_V1(goque_unconfigure);
PG_FUNCTION_INFO_V1(goque_pause);
PG_FUNCTION_INFO_V1(goque_resume);
PG_FUNCTION_INFO_V1(goque_settings_changed);

/* arguments of goque_configure, in the order of configure.sql */
enum
{
	ARG_TYPE, ARG_MAX_ATTEMPTS, ARG_TIMEOUT, ARG_BACKOFF, ARG_BACKOFF_BASE, ARG_BACKOFF_MAX,
	ARG_BACKOFF_JITTER, ARG_BACKOFF_STEPS, ARG_RETENTION, ARG_MAX_PAYLOAD_SIZE, ARG_MAX_RUNNING,
	ARG_RATE_LIMIT, ARG_RATE_PERIOD, ARG_RETENTION_FAILED
};

/* A type's name; NULL stands for the database's defaults or its switch. */
static char *
type_or_default(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) ? pstrdup("") : gq_arg_type(fcinfo, 0);
}

static void
set(GqSettingsRow *row, GqSettingsColumn column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
take_int(FunctionCallInfo fcinfo, int n, const char *arg, int32 min, GqSettingsRow *row,
		 GqSettingsColumn column)
{
	if (!PG_ARGISNULL(n))
	{
		gq_check_range(arg, PG_GETARG_INT32(n), min, PG_INT32_MAX);
		set(row, column, PG_GETARG_DATUM(n));
	}
}

static void
take_interval(FunctionCallInfo fcinfo, int n, const char *arg, bool zero_allowed,
			  GqSettingsRow *row, GqSettingsColumn column)
{
	if (!PG_ARGISNULL(n))
	{
		gq_check_interval(arg, PG_GETARG_INTERVAL_P(n), zero_allowed);
		set(row, column, PG_GETARG_DATUM(n));
	}
}

static void
take_jitter(FunctionCallInfo fcinfo, int n, GqSettingsRow *row)
{
	float8		jitter;

	if (PG_ARGISNULL(n))
		return;
	jitter = PG_GETARG_FLOAT8(n);
	if (isnan(jitter) || jitter < 0.0 || jitter > 1.0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is out of range", "backoff_jitter"),
				 errdetail("The value of \"%s\" is %s.", "backoff_jitter", float8out_internal(jitter)),
				 errhint("Use a value from 0 (no jitter) to 1; 0.1 makes a delay up to 10 %% shorter or longer.")));
	set(row, GQ_SET_BACKOFF_JITTER, PG_GETARG_DATUM(n));
}

static void
take_steps(FunctionCallInfo fcinfo, int n, GqSettingsRow *row)
{
	Datum	   *elements;
	int			nelements;

	if (PG_ARGISNULL(n))
		return;
	nelements = gq_check_array("backoff_steps", PG_GETARG_ARRAYTYPE_P(n), false, &elements, NULL);
	if (nelements == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", "backoff_steps"),
				 errdetail("The value of \"%s\" is {}.", "backoff_steps"),
				 errhint("Pass the delay after each failed attempt, such as '{10 s, 1 min, 1 h}'.")));
	for (int i = 0; i < nelements; i++)
		gq_check_interval(psprintf("backoff_steps[%d]", i + 1), DatumGetIntervalP(elements[i]), false);
	set(row, GQ_SET_BACKOFF_STEPS, PG_GETARG_DATUM(n));
}

static void
take_backoff(FunctionCallInfo fcinfo, GqSettingsRow *row)
{
	if (!PG_ARGISNULL(ARG_BACKOFF))
	{
		gq_check_word("backoff", PG_GETARG_TEXT_PP(ARG_BACKOFF), gq_backoff_words);
		set(row, GQ_SET_BACKOFF, PG_GETARG_DATUM(ARG_BACKOFF));
	}
	take_interval(fcinfo, ARG_BACKOFF_BASE, "backoff_base", false, row, GQ_SET_BACKOFF_BASE);
	take_interval(fcinfo, ARG_BACKOFF_MAX, "backoff_max", false, row, GQ_SET_BACKOFF_MAX);
	take_jitter(fcinfo, ARG_BACKOFF_JITTER, row);
	take_steps(fcinfo, ARG_BACKOFF_STEPS, row);
}

static void
take_payload_size(FunctionCallInfo fcinfo, GqSettingsRow *row)
{
	take_int(fcinfo, ARG_MAX_PAYLOAD_SIZE, "max_payload_size", 0, row, GQ_SET_MAX_PAYLOAD_SIZE);
	if (!PG_ARGISNULL(ARG_MAX_PAYLOAD_SIZE) &&
		PG_GETARG_INT32(ARG_MAX_PAYLOAD_SIZE) > GqMaxPayloadBytes())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a type's max_payload_size can only lower the server's limit"),
				 errdetail("The value of \"max_payload_size\" is %d bytes, goque.max_payload_size is %d bytes.",
						   PG_GETARG_INT32(ARG_MAX_PAYLOAD_SIZE), GqMaxPayloadBytes()),
				 errhint("Use a smaller value, or 0 for the server's limit.")));
}

static void
take_limits(FunctionCallInfo fcinfo, GqSettingsRow *row)
{
	take_int(fcinfo, ARG_MAX_RUNNING, "max_running", 0, row, GQ_SET_MAX_RUNNING);
	take_int(fcinfo, ARG_RATE_LIMIT, "rate_limit", 0, row, GQ_SET_RATE_LIMIT);
	take_interval(fcinfo, ARG_RATE_PERIOD, "rate_period", false, row, GQ_SET_RATE_PERIOD);
}

/* A step backoff needs steps, whichever of type and database gave them. */
static void
check_steps(const char *type)
{
	const GqBackoff *backoff;

	CommandCounterIncrement();
	backoff = &gq_settings(type)->backoff;
	if ((backoff->kind == GQ_BACKOFF_STEP || backoff->kind == GQ_BACKOFF_ROUND_STEP) &&
		backoff->nsteps == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("backoff \"%s\" needs backoff_steps", gq_backoff_words[backoff->kind]),
				 type[0] == '\0' ?
				 errdetail("No steps are set in the database's defaults.") :
				 errdetail("No steps are set for type \"%s\".", gq_detail(type)),
				 errhint("Pass the delay after each failed attempt, such as backoff_steps => '{10 s, 1 min, 1 h}'.")));
}

static bool
is_empty(const GqSettingsRow *row)
{
	for (int i = 0; i < GQ_SET_COLUMNS; i++)
	{
		if (!row->nulls[i])
			return false;
	}
	return true;
}

/*
 * goque_configure(type, max_attempts, ...) returns void: NULL leaves a setting alone
 */
Datum
goque_configure(PG_FUNCTION_ARGS)
{
	char	   *type = type_or_default(fcinfo);
	GqSettingsRow row;

	gq_require_writable("goque_configure()");
	memset(row.values, 0, sizeof(row.values));
	memset(row.nulls, true, sizeof(row.nulls));

	take_int(fcinfo, ARG_MAX_ATTEMPTS, "max_attempts", 1, &row, GQ_SET_MAX_ATTEMPTS);
	take_interval(fcinfo, ARG_TIMEOUT, "timeout", false, &row, GQ_SET_TIMEOUT);
	take_backoff(fcinfo, &row);
	take_interval(fcinfo, ARG_RETENTION, "retention", true, &row, GQ_SET_RETENTION);
	take_interval(fcinfo, ARG_RETENTION_FAILED, "retention_failed", true, &row,
				  GQ_SET_RETENTION_FAILED);
	take_payload_size(fcinfo, &row);
	take_limits(fcinfo, &row);

	if (!is_empty(&row))
	{
		gq_settings_configure(type, &row);
		check_steps(type);
	}
	PG_RETURN_VOID();
}

/*
 * goque_unconfigure(type) returns boolean: false, there was nothing to take back
 */
Datum
goque_unconfigure(PG_FUNCTION_ARGS)
{
	char	   *type = type_or_default(fcinfo);

	gq_require_writable("goque_unconfigure()");
	PG_RETURN_BOOL(gq_settings_unconfigure(type));
}

/*
 * goque_pause(type) returns void: NULL, the switch of the database
 */
Datum
goque_pause(PG_FUNCTION_ARGS)
{
	char	   *type = type_or_default(fcinfo);

	gq_require_writable("goque_pause()");
	gq_settings_pause(type, true);
	PG_RETURN_VOID();
}

/*
 * goque_resume(type) returns void: NULL, the switch of the database, and in a copy
 * its schedules and processors
 */
Datum
goque_resume(PG_FUNCTION_ARGS)
{
	char	   *type = type_or_default(fcinfo);

	gq_require_writable("goque_resume()");
	gq_settings_pause(type, false);
	if (PG_ARGISNULL(0))
		gq_home_take_over();
	PG_RETURN_VOID();
}

/* Statement trigger of goque.settings. */
Datum
goque_settings_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "goque.settings_changed() is a trigger");
	gq_settings_changed();
	PG_RETURN_POINTER(NULL);
}
