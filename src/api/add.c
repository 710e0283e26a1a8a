/*-------------------------------------------------------------------------
 *
 * add.c
 *	  goque_add, goque_add_many, and INSERT and COPY into goque.tasks.
 *
 * An INSERT comes here by a trigger of the view, row by row, so that there is one
 * set of checks.  A column that goque_add does not take is refused, not ignored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/owner.h"
#include "core/add.h"
#include "core/settings.h"
#include "core/size.h"
#include "core/task.h"

PG_FUNCTION_INFO_V1(goque_add);
PG_FUNCTION_INFO_V1(goque_add_many);
PG_FUNCTION_INFO_V1(goque_tasks_insert);

static const char *const conflict_words[] = {"error", "ignore", "skip", "replace", NULL};
static const char *const scope_words[] = {"kept", "live", "waiting", NULL};

/* ---- options ---- */

/* An option that was given, or not: from a function's arguments or a row. */
typedef struct Argument
{
	Datum		value;
	bool		isnull;
} Argument;

typedef struct Options
{
	Argument	priority;		/* int4 */
	const char *run_at_name;
	Argument	run_at;
	Argument	delay;
	Argument	max_attempts;
	Argument	timeout;
	Argument	ordering_key;	/* text; of goque_add_many: absent */
	Argument	after;
	Argument	metadata;
	Argument	on_conflict;
	Argument	unique_while;
	Argument	expires_in;
	Argument	expires_at;
} Options;

static Argument
argument(FunctionCallInfo fcinfo, int n)
{
	Argument	arg = {PG_ARGISNULL(n) ? (Datum) 0 : PG_GETARG_DATUM(n), PG_ARGISNULL(n)};

	return arg;
}

static const Argument absent = {0, true};

static GqParents *
read_after(Argument after)
{
	Datum	   *elements;

	if (after.isnull)
		return NULL;
	after.value = PointerGetDatum(DatumGetArrayTypeP(after.value));
	(void) gq_check_array("after", DatumGetArrayTypeP(after.value), false, &elements, NULL);
	return gq_parents_of(after.value);
}

static TimestampTz
read_run_at(const Options *options, TimestampTz now)
{
	if (!options->run_at.isnull && !options->delay.isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("run_at and delay exclude each other"),
				 errdetail("The value of \"run_at\" is %s, that of \"delay\" is %s.",
						   timestamptz_to_str(DatumGetTimestampTz(options->run_at.value)),
						   gq_interval_text(DatumGetIntervalP(options->delay.value))),
				 errhint("Pass run_at for a moment, or delay for a time from now.")));
	if (!options->run_at.isnull)
		return gq_check_timestamp(options->run_at_name, DatumGetTimestampTz(options->run_at.value));
	if (!options->delay.isnull)
		return gq_time_add(now, gq_check_interval("delay", DatumGetIntervalP(options->delay.value), true));
	return now;
}

static TimestampTz
read_expiry(const Options *options, TimestampTz now)
{
	if (!options->expires_in.isnull)
		return gq_time_add(now, gq_check_interval("expires_in",
												  DatumGetIntervalP(options->expires_in.value), false));
	if (!options->expires_at.isnull)
		return gq_check_timestamp("expires_at", DatumGetTimestampTz(options->expires_at.value));
	return 0;
}

static int
read_word(const char *name, Argument arg, const char *const *words)
{
	return arg.isnull ? 0 : gq_check_word(name, DatumGetTextPP(arg.value), words);
}

/* Check everything that does not belong to one task; returns the payload's limit. */
static int
read_options(const Options *options, char *type, GqAddOptions *add)
{
	GqSettings	settings = *gq_settings(type);

	add->type = type;
	add->now = GetCurrentTimestamp();
	add->run_at = read_run_at(options, add->now);
	add->expires_at = read_expiry(options, add->now);
	add->priority = options->priority.isnull ? 0
		: (int16) gq_check_range("priority", DatumGetInt32(options->priority.value),
								 PG_INT16_MIN, PG_INT16_MAX);
	add->max_attempts = options->max_attempts.isnull ? settings.max_attempts
		: gq_check_range("max_attempts", DatumGetInt32(options->max_attempts.value), 1, PG_INT32_MAX);
	add->timeout = options->timeout.isnull ? NULL : DatumGetIntervalP(options->timeout.value);
	if (add->timeout != NULL)
		(void) gq_check_interval("timeout", add->timeout, false);
	add->parents = read_after(options->after);
	add->has_metadata = !options->metadata.isnull;
	add->metadata = options->metadata.value;
	if (add->has_metadata)
		gq_check_size("metadata", add->metadata, gq_size_limit(&settings));
	add->on_conflict = read_word("on_conflict", options->on_conflict, conflict_words);
	add->unique_while = read_word("unique_while", options->unique_while, scope_words);
	return gq_size_limit(&settings);
}

/* Of an array (element > 0), the argument's name is the plural. */
static bool
read_key(const char *name, const char *names, int element, Argument arg, Datum *key)
{
	text	   *value;

	if (arg.isnull)
		return false;
	value = DatumGetTextPP(arg.value);
	gq_check_key(element == 0 ? name : names, element, value);
	*key = PointerGetDatum(value);
	return true;
}

/* element: of goque_add_many's arrays, from 1; else 0 */
static void
read_task(GqNewTask *task, Argument payload, Argument external_id, Argument ordering_key,
		  int limit, int element)
{
	if (payload.isnull)
		gq_err_null("payload");
	gq_check_size("payload", payload.value, limit);
	task->payload = payload.value;
	task->pending = false;
	task->has_external_id = read_key("external_id", "external_ids", element, external_id, &task->external_id);
	task->has_ordering_key = read_key("ordering_key", "ordering_keys", element,
									  ordering_key, &task->ordering_key);
}

/* ---- functions ---- */

static Datum
add_one(PG_FUNCTION_ARGS)
{
	char	   *type = gq_arg_type(fcinfo, 0);
	GqAddOptions add;
	GqNewTask	task;
	Options		options = {
		.priority = argument(fcinfo, 3),
		.run_at_name = "run_at",
		.run_at = argument(fcinfo, 4),
		.delay = argument(fcinfo, 5),
		.max_attempts = argument(fcinfo, 6),
		.timeout = argument(fcinfo, 7),
		.ordering_key = argument(fcinfo, 8),
		.after = argument(fcinfo, 9),
		.metadata = argument(fcinfo, 10),
		.on_conflict = argument(fcinfo, 11),
		.unique_while = argument(fcinfo, 12),
		.expires_in = argument(fcinfo, 13),
		.expires_at = absent,
	};
	int			limit;

	gq_require_writable("goque_add()");
	limit = read_options(&options, type, &add);
	read_task(&task, argument(fcinfo, 1), argument(fcinfo, 2), options.ordering_key, limit, 0);
	gq_add(&add, &task, 1);
	if (task.id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(task.id);
}

/*
 * goque_add(type, payload, external_id, priority, run_at, delay, max_attempts,
 *			 timeout, ordering_key, after, metadata, on_conflict, unique_while,
 *			 expires_in) returns bigint
 *
 * Adds a task; returns its id, or that of the existing one, or NULL (skipped).
 */
Datum
goque_add(PG_FUNCTION_ARGS)
{
	return gq_as_owner(fcinfo, add_one);
}

/* An array with an element for each payload, or none. */
typedef struct Keys
{
	Datum	   *values;
	bool	   *nulls;
} Keys;

static Keys
read_keys(FunctionCallInfo fcinfo, int arg, const char *name, int n)
{
	Keys		keys = {0};

	if (!PG_ARGISNULL(arg))
		gq_check_lengths("payloads", n, name,
						 gq_check_array(name, PG_GETARG_ARRAYTYPE_P(arg), true, &keys.values, &keys.nulls));
	return keys;
}

static Argument
key_of(const Keys *keys, int i)
{
	if (keys->values == NULL)
		return absent;
	return (Argument)
	{
		keys->values[i], keys->nulls[i]
	};
}

static void
read_tasks(FunctionCallInfo fcinfo, int limit, GqNewTask **tasks, int *n)
{
	Datum	   *payloads;
	Keys		external_ids;
	Keys		ordering_keys;

	if (PG_ARGISNULL(1))
		gq_err_null("payloads");
	*n = gq_check_array("payloads", PG_GETARG_ARRAYTYPE_P(1), false, &payloads, NULL);
	external_ids = read_keys(fcinfo, 2, "external_ids", *n);
	ordering_keys = read_keys(fcinfo, 3, "ordering_keys", *n);
	*tasks = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqNewTask) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		Argument	payload = {payloads[i], false};

		read_task(&(*tasks)[i], payload, key_of(&external_ids, i), key_of(&ordering_keys, i),
				  limit, i + 1);
	}
}

static void
put_ids(FunctionCallInfo fcinfo, const GqNewTask *tasks, int n)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (int i = 0; i < n; i++)
	{
		Datum		value = Int64GetDatum(tasks[i].id);
		bool		isnull = tasks[i].id == 0;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
}

/*
 * goque_add_many(type, payloads, external_ids, ordering_keys, priority, run_at,
 *				  delay, max_attempts, timeout, after, metadata, on_conflict,
 *				  unique_while, expires_in) returns setof bigint
 *
 * Adds a task for each payload, all or nothing; the ids in the same order.
 */
Datum
goque_add_many(PG_FUNCTION_ARGS)
{
	char	   *type = gq_arg_type(fcinfo, 0);
	GqAddOptions add;
	GqNewTask  *tasks;
	Options		options = {
		.priority = argument(fcinfo, 4),
		.run_at_name = "run_at",
		.run_at = argument(fcinfo, 5),
		.delay = argument(fcinfo, 6),
		.max_attempts = argument(fcinfo, 7),
		.timeout = argument(fcinfo, 8),
		.ordering_key = absent,
		.after = argument(fcinfo, 9),
		.metadata = argument(fcinfo, 10),
		.on_conflict = argument(fcinfo, 11),
		.unique_while = argument(fcinfo, 12),
		.expires_in = argument(fcinfo, 13),
		.expires_at = absent,
	};
	int			limit;
	int			n;

	gq_require_writable("goque_add_many()");
	limit = read_options(&options, type, &add);
	read_tasks(fcinfo, limit, &tasks, &n);
	gq_add(&add, tasks, n);
	put_ids(fcinfo, tasks, n);
	return (Datum) 0;
}

/* ---- INSERT and COPY ---- */

/* A column of the new row, by name; the type is the view's. */
static Argument
column(TupleDesc desc, HeapTuple row, const char *name)
{
	int			attr = SPI_fnumber(desc, name);
	Argument	arg;

	if (attr <= 0)
		elog(ERROR, "goque.tasks has no column \"%s\"", name);
	arg.value = heap_getattr(row, attr, desc, &arg.isnull);
	return arg;
}

/* Shown in a detail; of what may be secret, the size alone. */
static char *
column_detail(TupleDesc desc, HeapTuple row, const char *name)
{
	int			attr = SPI_fnumber(desc, name);
	Argument	value = column(desc, row, name);

	if (TupleDescAttr(desc, attr - 1)->atttypid == JSONBOID)
		return psprintf("has %zu bytes", (Size) (toast_raw_datum_size(value.value) - VARHDRSZ));
	return psprintf("is \"%s\"", gq_detail(SPI_getvalue(row, desc, attr)));
}

static void
refuse_other_columns(TupleDesc desc, HeapTuple row)
{
	static const char *const others[] = {
		"id", "status", "attempts", "error", "errors", "result", "progress", "worker",
		"created_at", "started_at", "updated_at", "lease_until", "finished_at",
	};

	for (size_t i = 0; i < lengthof(others); i++)
		if (!column(desc, row, others[i]).isnull)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of goque.tasks cannot be set", others[i]),
					 errdetail("The value of \"%s\" %s; goque sets it by itself.",
							   others[i], column_detail(desc, row, others[i])),
					 errhint("Set only type, payload, external_id, priority, max_attempts, timeout, metadata, ordering_key, after, next_attempt_at and expires_at.")));
}

/* What goque_add would have been given. */
static Options
row_options(TupleDesc desc, HeapTuple row)
{
	Options		options = {
		.priority = column(desc, row, "priority"),
		.run_at_name = "next_attempt_at",
		.run_at = column(desc, row, "next_attempt_at"),
		.delay = absent,
		.max_attempts = column(desc, row, "max_attempts"),
		.timeout = column(desc, row, "timeout"),
		.ordering_key = column(desc, row, "ordering_key"),
		.after = column(desc, row, "after"),
		.metadata = column(desc, row, "metadata"),
		.on_conflict = absent,
		.unique_while = absent,
		.expires_in = absent,
		.expires_at = column(desc, row, "expires_at"),
	};

	return options;
}

/* The new row with its id, as INSERT ... RETURNING shows it. */
static HeapTuple
with_id(TupleDesc desc, HeapTuple row, int64 id)
{
	int			attr = SPI_fnumber(desc, "id");
	Datum		value = Int64GetDatum(id);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(row, desc, 1, &attr, &value, &isnull);
}

/*
 * goque.tasks_insert(): INSTEAD OF INSERT ON goque.tasks
 *
 * Adds what goque_add would, with the same checks.
 */
Datum
goque_tasks_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	row;
	Argument	type;
	GqAddOptions add;
	GqNewTask	task;
	Options		options;
	int			limit;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "goque.tasks_insert() was not called as a trigger");
	gq_require_writable("INSERT INTO goque.tasks");
	desc = RelationGetDescr(trigger->tg_relation);
	row = trigger->tg_trigtuple;
	refuse_other_columns(desc, row);
	type = column(desc, row, "type");
	options = row_options(desc, row);
	limit = read_options(&options, gq_check_type(type.isnull ? NULL : DatumGetTextPP(type.value)), &add);
	read_task(&task, column(desc, row, "payload"), column(desc, row, "external_id"),
			  options.ordering_key, limit, 0);
	gq_add(&add, &task, 1);
	return PointerGetDatum(with_id(desc, row, task.id));
}
