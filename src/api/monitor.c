/*-------------------------------------------------------------------------
 *
 * monitor.c
 *	  The functions under the views: what shared memory and the settings know.
 *
 * They run with the rights of whoever reads the view, who needs EXECUTE on
 * them; so nothing here shows a payload, nor more of a task than its number and
 * type.  What the tables know is counted in SQL: sql/parts/monitor.sql.
 *
 * Everything from shared memory may be missing: without the library in
 * shared_preload_libraries the sets are empty and the fields null.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "core/counts.h"
#include "core/delays.h"
#include "core/installation.h"
#include "core/interval.h"
#include "core/settings.h"
#include "core/xact.h"
#include "guc.h"
#include "shared/awaited.h"
#include "shared/databases.h"
#include "shared/leases.h"
#include "shared/runners.h"
#include "shared/shmem.h"
#include "shared/types.h"
#include "shared/wakeup.h"

PG_FUNCTION_INFO_V1(goque_type_counters);
PG_FUNCTION_INFO_V1(goque_types_in_use);
PG_FUNCTION_INFO_V1(goque_frontier);
PG_FUNCTION_INFO_V1(goque_settings_of);
PG_FUNCTION_INFO_V1(goque_leases);
PG_FUNCTION_INFO_V1(goque_worker_list);
PG_FUNCTION_INFO_V1(goque_server_state);
PG_FUNCTION_INFO_V1(goque_tasks_refuse);

/* ---- forming rows ---- */

#define MAX_COLUMNS 24

/* A row in the making: columns are appended in the order of the SQL. */
typedef struct Row
{
	int			n;
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];
} Row;

static void
put(Row *row, Datum value, bool isnull)
{
	Assert(row->n < MAX_COLUMNS);
	row->values[row->n] = isnull ? (Datum) 0 : value;
	row->nulls[row->n++] = isnull;
}

/* NULL: a null */
static void
put_text(Row *row, const char *value)
{
	put(row, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

/* 0: it never happened; DT_NOEND: it never will */
static void
put_time(Row *row, TimestampTz value)
{
	put(row, TimestampTzGetDatum(value), value == 0 || value == DT_NOEND);
}

/* 0: none */
static void
put_pid(Row *row, int pid)
{
	put(row, Int32GetDatum(pid), pid == 0);
}

static void
put_span(Row *row, int64 usecs)
{
	put(row, IntervalPGetDatum(gq_interval_make(usecs)), false);
}

static void
emit(ReturnSetInfo *rsinfo, Row *row)
{
	Assert(row->n == rsinfo->setDesc->natts);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row->values, row->nulls);
}

/* The only row of a function with OUT parameters. */
static Datum
form_row(FunctionCallInfo fcinfo, Row *row)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	Assert(row->n == desc->natts);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row->values, row->nulls));
}

/* ---- types ---- */

/* what is copied of a GqType while its mutex is held */
typedef struct TypeCounters
{
	bool		counted;
	bool		delays_lost;
	int64		counts[GQ_STATUSES];
	int64		totals[GQ_TOTALS];
	TimestampTz last_fetch_at;
	int64		max_payload;
} TypeCounters;

/* what a row of type_counters() is made from */
typedef struct TypeList
{
	ReturnSetInfo *rsinfo;
	TimestampTz moment;
	GqDelay    *delays;
	int			ndelays;
} TypeList;

static TypeCounters
read_counters(GqType *entry)
{
	TypeCounters c;

	SpinLockAcquire(&entry->mutex);
	c.counted = entry->counted;
	c.delays_lost = entry->delays_lost;
	memcpy(c.counts, entry->counts, sizeof(c.counts));
	memcpy(c.totals, entry->totals, sizeof(c.totals));
	c.last_fetch_at = entry->last_fetch_at;
	c.max_payload = entry->max_payload;
	SpinLockRelease(&entry->mutex);
	return c;
}

/* A type that was named in transactions that came to nothing, and never else. */
static bool
never_used(const TypeCounters *c)
{
	static const TypeCounters zero;

	return memcmp(c->counts, zero.counts, sizeof(c->counts)) == 0 &&
		memcmp(c->totals, zero.totals, sizeof(c->totals)) == 0 && c->last_fetch_at == 0;
}

static int
compare_delay(const void *type, const void *delay)
{
	return *(const int *) type - ((const GqDelay *) delay)->span.type;
}

/* How many wait until when, as far as it is known without an index. */
static void
put_scheduled(Row *row, GqType *entry, const TypeCounters *c, const TypeList *list)
{
	int			type = gq_type_number(entry);
	GqDelay    *end = list->delays + list->ndelays;
	GqDelay    *first = bsearch(&type, list->delays, list->ndelays, sizeof(GqDelay), compare_delay);
	GqDelay    *last;
	TimestampTz until = DT_NOEND;
	int64		beyond = 0;

	while (first != NULL && first > list->delays && first[-1].span.type == type)
		first--;
	for (last = first; last != NULL && last < end && last->span.type == type;)
		last++;
	if (c->counted && !c->delays_lost)
		beyond = gq_delays_beyond(first, last - first, list->moment, &until);
	put(row, Int64GetDatum(Max(beyond, 0)), false);
	put(row, TimestampTzGetDatum(until), false);
}

static void
emit_type(GqType *entry, void *arg)
{
	TypeList   *list = arg;
	Row			row = {0};
	char		name[GQ_MAX_TYPE_BYTES + 1];
	TypeCounters c;

	memcpy(name, entry->name, sizeof(name));
	c = read_counters(entry);
	gq_count_add_own(entry, c.counts, c.totals);
	if (never_used(&c) || gq_type_of(name) != entry)
		return;					/* or given to somebody else meanwhile */

	put_text(&row, name);
	put(&row, BoolGetDatum(c.counted), false);
	for (int status = GQ_NEW; status <= GQ_CANCELED; status++)
	{
		/* pending stands second, as in the enum */
		put(&row, Int64GetDatum(Max(c.counts[status], 0)), false);
	}
	for (int i = 0; i < GQ_TOTALS; i++)
		put(&row, Int64GetDatum(c.totals[i]), false);
	put_time(&row, c.last_fetch_at);
	put(&row, Int64GetDatum(c.max_payload), false);
	put_scheduled(&row, entry, &c, list);
	emit(list->rsinfo, &row);
}

/* goque.type_counters(moment): one row per type that shared memory knows in this
 * database; scheduled is what is due after `moment`. */
Datum
goque_type_counters(PG_FUNCTION_ARGS)
{
	TypeList	list = {.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo,.moment = PG_GETARG_TIMESTAMPTZ(0)};

	InitMaterializedSRF(fcinfo, 0);
	if (gq_shared != NULL)
	{
		list.delays = gq_delays_known(&list.ndelays);
		gq_each_type(emit_type, &list);
	}
	return (Datum) 0;
}

/* Names only, read off the indexes; see store/types_in_use.c. */
Datum
goque_types_in_use(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	  **names;
	int			n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	names = gq_type_names(&n);
	for (int i = 0; i < n; i++)
	{
		Row			row = {0};

		put_text(&row, names[i]);
		emit(rsinfo, &row);
	}
	return (Datum) 0;
}

/*
 * goque.frontier(type, generation, priority): no claimable entry of the ready
 * index has a smaller next_attempt_at, as far as shared memory knows.
 */
Datum
goque_frontier(PG_FUNCTION_ARGS)
{
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			generation = PG_GETARG_INT32(1);
	int			priority = PG_GETARG_INT32(2);
	GqFrontier	frontier[GQ_GENERATIONS];
	GqType	   *entry;

	if (gq_shared == NULL || generation < 0 || generation >= GQ_GENERATIONS ||
		strlen(type) > GQ_MAX_TYPE_BYTES ||
		(entry = gq_type_of(type)) == NULL)
		PG_RETURN_TIMESTAMPTZ(DT_NOBEGIN);

	gq_frontier_read(entry, frontier);
	for (int i = 0; i < frontier[generation].ncells; i++)
	{
		GqCell	   *cell = &frontier[generation].cells[i];

		if (cell->priority == priority)
			PG_RETURN_TIMESTAMPTZ(cell->frontier.at);
	}
	PG_RETURN_TIMESTAMPTZ(DT_NOBEGIN);
}

static void
put_limit(Row *row, int32 limit)
{
	put(row, Int32GetDatum(limit), limit == 0);
}

static void
put_backoff(Row *row, const GqBackoff *backoff)
{
	Datum	   *steps = (Datum *) palloc(Max(backoff->nsteps, 1) * sizeof(Datum));
	ArrayType  *array;

	for (int i = 0; i < backoff->nsteps; i++)
		steps[i] = IntervalPGetDatum(gq_interval_make(backoff->steps[i]));
	array = construct_array(steps, backoff->nsteps, INTERVALOID, sizeof(Interval), false,
							TYPALIGN_DOUBLE);

	put_text(row, gq_backoff_words[backoff->kind]);
	put_span(row, backoff->base);
	put(row, IntervalPGetDatum(gq_interval_make(backoff->max)),
		backoff->max >= GQ_MAX_INTERVAL_USECS);
	put(row, Float8GetDatum(backoff->jitter), false);
	put(row, PointerGetDatum(array), backoff->nsteps == 0);
}

/* goque.settings_of(type): the settings in force, for goque.task_types */
Datum
goque_settings_of(PG_FUNCTION_ARGS)
{
	const GqSettings *s = gq_settings(gq_check_type(PG_GETARG_TEXT_PP(0)));
	int32		payload = GqMaxPayloadBytes();
	Row			row = {0};

	if (s->max_payload_size > 0)
		payload = Min(payload, s->max_payload_size);

	put(&row, Int32GetDatum(s->max_attempts), false);
	put_span(&row, s->timeout);
	put_backoff(&row, &s->backoff);
	put_span(&row, s->retention);
	put_span(&row, s->retention_failed);
	put(&row, Int32GetDatum(payload), false);
	put_limit(&row, s->max_running);
	put_limit(&row, s->rate_limit);
	put(&row, IntervalPGetDatum(gq_interval_make(s->rate_period)), s->rate_limit == 0);
	put(&row, BoolGetDatum(s->paused), false);
	PG_RETURN_DATUM(form_row(fcinfo, &row));
}

/* ---- leases and workers ---- */

/* The leases in flight of this database. */
Datum
goque_leases(PG_FUNCTION_ARGS)
{
	GqLease    *leases;
	int			n = 0;

	InitMaterializedSRF(fcinfo, 0);
	leases = gq_leases_here(&n);
	for (int i = 0; i < n; i++)
	{
		Row			row = {0};

		put(&row, Int64GetDatum(leases[i].id), false);
		put_time(&row, leases[i].lease_until);
		put_time(&row, leases[i].started_at);
		put_pid(&row, leases[i].pid);
		emit((ReturnSetInfo *) fcinfo->resultinfo, &row);
	}
	return (Datum) 0;
}

static void
emit_worker(ReturnSetInfo *rsinfo, const char *kind, int pid, Oid database, const char *what,
			TimestampTz since)
{
	Row			row = {0};

	put_text(&row, kind);
	put_pid(&row, pid);
	put_text(&row, OidIsValid(database) ? get_database_name(database) : NULL);
	put_text(&row, gq_detail(what));
	put_time(&row, since);
	emit(rsinfo, &row);
}

static void
emit_launcher_and_keepers(ReturnSetInfo *rsinfo)
{
	int			pid;
	TimestampTz since;
	TimestampTz last_run;
	GqDatabaseInfo *databases;
	int			n;

	if (gq_launcher_info(&pid, &since, &last_run))
		emit_worker(rsinfo, "launcher", pid, InvalidOid, "sees that each database has its keeper",
					since);

	databases = gq_databases(&n);
	for (int i = 0; i < n; i++)
	{
		GqDatabaseInfo *d = &databases[i];

		if (d->keeper_pid != 0)
			emit_worker(rsinfo, "keeper", d->keeper_pid, d->database,
						d->activity[0] ? d->activity : "starting",
						d->activity_since ? d->activity_since : d->keeper_since);
	}
}

/* Of another database only the process: its tasks are its own business. */
static void
emit_runners(ReturnSetInfo *rsinfo)
{
	int			n;
	GqRunnerInfo *runners = gq_runners(&n);

	for (int i = 0; i < n; i++)
	{
		GqRunnerInfo *r = &runners[i];
		const char *what = "runs a processor";

		if (r->database == MyDatabaseId)
			what = r->task == 0 ? psprintf("waits for %s", r->type) :
				psprintf("runs task " INT64_FORMAT " of %s", r->task, r->type);
		emit_worker(rsinfo, "processor", r->pid, r->database, what, r->since);
	}
}

/* Of this database only: what another one's sessions wait for is its business. */
static void
emit_waiters(ReturnSetInfo *rsinfo)
{
	int			n;
	GqWaiterInfo *waiters = gq_waiters(&n);

	for (int i = 0; i < n; i++)
	{
		/* runners wait and hold too, but have rows of their own */
		if (waiters[i].database == MyDatabaseId && !gq_is_runner(waiters[i].pid))
			emit_worker(rsinfo, "waiter", waiters[i].pid, MyDatabaseId,
						psprintf("waits for %s", waiters[i].what), waiters[i].since);
	}
}

static void
emit_awaiting(ReturnSetInfo *rsinfo)
{
	int			n;
	GqAwaiting *awaiting = gq_awaiting(&n);

	for (int i = 0; i < n; i++)
	{
		if (awaiting[i].database == MyDatabaseId)
			emit_worker(rsinfo, "waiter", awaiting[i].pid, MyDatabaseId,
						psprintf("waits for the end of task " INT64_FORMAT, awaiting[i].id),
						awaiting[i].since);
	}
}

static int
cmp_lease_pid(const void *a, const void *b)
{
	int			x = ((const GqLease *) a)->pid;
	int			y = ((const GqLease *) b)->pid;

	return (x > y) - (x < y);
}

/* One row per session that fetched what is leased now. */
static void
emit_holders(ReturnSetInfo *rsinfo)
{
	int			n;
	GqLease    *leases = gq_leases_here(&n);
	int			end;

	if (n > 1)
		qsort(leases, n, sizeof(GqLease), cmp_lease_pid);
	for (int begin = 0; begin < n; begin = end)
	{
		TimestampTz since = leases[begin].started_at;
		char	   *what;

		for (end = begin + 1; end < n && leases[end].pid == leases[begin].pid; end++)
			since = Min(since, leases[end].started_at);
		if (end - begin == 1)
			what = psprintf("holds task " INT64_FORMAT, leases[begin].id);
		else
			what = psprintf("holds %d tasks", end - begin);
		if (gq_is_runner(leases[begin].pid))
			continue;
		emit_worker(rsinfo, "holder", leases[begin].pid, MyDatabaseId, what, since);
	}
}

/* The rows of goque.workers that shared memory knows. */
Datum
goque_worker_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (gq_shared != NULL)
	{
		emit_launcher_and_keepers(rsinfo);
		emit_runners(rsinfo);
		emit_waiters(rsinfo);
		emit_awaiting(rsinfo);
		emit_holders(rsinfo);
	}
	return (Datum) 0;
}

/* ---- health ---- */

static int
count_waiters(void)
{
	int			n = 0;
	int			awaiting = 0;
	int			sessions = 0;

	if (gq_shared != NULL)
	{
		GqWaiterInfo *waiters = gq_waiters(&n);

		for (int i = 0; i < n; i++)
			sessions += !gq_is_runner(waiters[i].pid);
		(void) gq_awaiting(&awaiting);
	}
	return sessions + awaiting;
}

/* goque.server_state(): the facts that goque.health judges */
Datum
goque_server_state(PG_FUNCTION_ARGS)
{
	GqDatabaseInfo own = gq_database_own();
	int			launcher_pid = 0;
	TimestampTz launcher_since = 0;
	TimestampTz launcher_run = 0;
	Row			row = {0};

	if (gq_shared == NULL || !gq_launcher_info(&launcher_pid, &launcher_since, &launcher_run))
		launcher_pid = 0;

	put(&row, BoolGetDatum(gq_shared != NULL), false);
	put_text(&row, GQ_VERSION);
	put_time(&row, gq_shared ? gq_shared->started_at : 0);
	put_pid(&row, launcher_pid);
	put_time(&row, launcher_pid ? launcher_since : 0);
	put_time(&row, launcher_pid ? launcher_run : 0);
	put_pid(&row, own.keeper_pid);
	put_time(&row, own.last_heal_at);
	put_time(&row, own.last_clean_at);
	put_time(&row, own.due_at);
	put(&row, Int32GetDatum(own.failures), false);
	put_time(&row, own.failed_at);
	put_time(&row, own.no_slot_since);
	put_span(&row, gq_heal_interval * INT64CONST(1000));
	put(&row, Int32GetDatum(count_waiters()), false);
	put(&row, Int32GetDatum(MaxConnections), false);
	PG_RETURN_DATUM(form_row(fcinfo, &row));
}

/* ---- goque.tasks ---- */

/*
 * UPDATE and DELETE of goque.tasks.  Fires for the statement, so that it raises
 * whether or not a row matches, and stands as INSTEAD OF trigger, without which
 * the server would refuse the statement with an advice of its own.
 */
Datum
goque_tasks_refuse(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	bool		update;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "goque.tasks_refuse() is a trigger");

	update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 update ?
			 errmsg("cannot update goque.tasks") :
			 errmsg("cannot delete from goque.tasks"),
			 errdetail("The view \"goque.tasks\" takes INSERT and COPY only."),
			 update ?
			 errhint("Use goque_complete(), goque_fail(), goque_release(), goque_cancel(), goque_retry() or goque_reschedule_many().") :
			 errhint("Use goque_cancel() to stop a task and goque_purge() to erase a finished one.")));
}
