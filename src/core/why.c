/*-------------------------------------------------------------------------
 *
 * why.c
 *	  Why a task is not running: the first thing that stands in its way, as the
 *	  tables, the settings and shared memory know it now.
 *
 * Read by tired people: each answer is a sentence of facts, and another one of
 * what to do, with the SQL for it.  The order of the questions is that in which a
 * task meets the obstacles: what has ended does not wait, what runs needs no
 * fetch, what is not due need not be fetched, and so on.  Nothing of a task is
 * shown but what goque.tasks shows to everybody who may read it; no payload.
 *
 * All of it changes while it is written down.  It is an answer for people; no
 * program should decide by it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "core/dependency.h"
#include "core/detail.h"
#include "core/installation.h"
#include "core/interval.h"
#include "core/limit.h"
#include "core/line.h"
#include "core/processing_map.h"
#include "core/processor.h"
#include "core/ready.h"
#include "core/task.h"
#include "core/why.h"
#include "guc.h"
#include "shared/databases.h"
#include "shared/leases.h"
#include "shared/shmem.h"
#include "shared/wait_lines.h"
#include "store/row_lock.h"
#include "store/settings.h"
#include "store/task_ids.h"

#define FETCHED_LATELY (60 * USECS_PER_SEC)
#define MAX_LISTED 10			/* tasks by their numbers */
#define MAX_COUNTED 1000		/* tasks that are ready before it */

static GqWhy
make(const char *reason, char *detail, char *hint)
{
	GqWhy		why = {reason, detail, hint};

	return why;
}

/* For a statement to be copied. */
static char *
quoted_type(const GqTask *task)
{
	return quote_literal_cstr(gq_detail(gq_task_type(task)));
}

static char *
interval_text(int64 usecs)
{
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(gq_interval_make(usecs))));
}

static char *
shown(const GqTask *task, int attr, const char *none)
{
	char	   *value = gq_task_text(task, attr);

	return value ? gq_detail(value) : pstrdup(none);
}

static char *
who(TransactionId xid, int pid)
{
	if (pid != 0)
		return psprintf("the open transaction of process %d", pid);
	if (RecoveryInProgress())
		return psprintf("transaction %u of the primary", xid);
	return psprintf("prepared transaction %u", xid);
}

/* What to do about a transaction that stays open. */
static char *
look_at_it(TransactionId xid, int pid)
{
	if (pid != 0)
		return psprintf("See what it does: SELECT * FROM pg_stat_activity WHERE pid = %d; if it sits idle in its transaction: SELECT pg_terminate_backend(%d);",
						pid, pid);
	if (RecoveryInProgress())
		return psprintf("Look there: SELECT * FROM pg_stat_activity WHERE backend_xid = '%u'; or SELECT * FROM pg_prepared_xacts;", xid);
	return psprintf("Find it: SELECT gid FROM pg_prepared_xacts WHERE transaction = '%u'; then COMMIT PREPARED or ROLLBACK PREPARED.",
					xid);
}

/* ---- what is not there, or has ended ---- */

static GqWhy
why_unknown(int64 id)
{
	TransactionId adder = gq_task_adder(id);

	if (TransactionIdIsValid(adder))
	{
		int			pid = BackendXidGetPid(adder);

		return make("uncommitted",
					psprintf("It is being added by %s, which has not committed.", who(adder, pid)),
					look_at_it(adder, pid));
	}
	return make("unknown",
				psprintf("There is no task " INT64_FORMAT " that this session can see.", id),
				pstrdup("It was never added, its adding transaction was rolled back, "
						"or it ended and was removed after the retention of its type (goque.task_types)."));
}

static GqWhy
why_done(const GqTask *task)
{
	return make("done",
				psprintf("It was completed at %s, in attempt %d, by worker \"%s\".",
						 timestamptz_to_str(task->finished_at), task->attempts,
						 shown(task, GQ_ATT_WORKER, "")),
				psprintf("Nothing is to be done. To run it again: SELECT goque_retry(" INT64_FORMAT ");",
						 task->id));
}

static GqWhy
why_canceled(const GqTask *task)
{
	return make("canceled",
				psprintf("It was canceled at %s; reason: %s.", timestamptz_to_str(task->finished_at),
						 shown(task, GQ_ATT_ERROR, "none was given")),
				psprintf("To run it after all: SELECT goque_retry(" INT64_FORMAT ");", task->id));
}

static GqWhy
why_dead(const GqTask *task)
{
	return make("attempts_left",
				psprintf("It is a dead letter: no attempts are left, since attempt %d of %d failed for good at %s; error: %s.",
						 task->attempts, task->max_attempts, timestamptz_to_str(task->finished_at),
						 shown(task, GQ_ATT_ERROR, "none")),
				psprintf("Mend the cause (all failures: SELECT errors FROM goque.tasks WHERE id = " INT64_FORMAT
						 "), then: SELECT goque_retry(" INT64_FORMAT ");", task->id, task->id));
}

static GqWhy
why_ended(const GqTask *task)
{
	return task->status == GQ_DONE ? why_done(task) :
		task->status == GQ_CANCELED ? why_canceled(task) : why_dead(task);
}

/* ---- what somebody is at ---- */

static GqWhy
why_busy(const GqTask *task, TransactionId xid)
{
	int			pid = BackendXidGetPid(xid);

	return make("busy",
				psprintf("It is being fetched, ended or changed by %s, which has not committed.",
						 who(xid, pid)),
				look_at_it(xid, pid));
}

static GqWhy
why_running(const GqTask *task, TimestampTz until)
{
	return make("running",
				psprintf("Worker \"%s\" has held it since %s, attempt %d of %d; the lease is until %s.",
						 shown(task, GQ_ATT_WORKER, ""),
						 pstrdup(timestamptz_to_str(task->started_at)), task->attempts,
						 task->max_attempts, pstrdup(timestamptz_to_str(until))),
				psprintf("Wait for the worker. If it is gone, the task is tried again after the lease; at once: SELECT goque_release(" INT64_FORMAT ");",
						 task->id));
}

static GqWhy
why_guarded(const GqTask *task, TransactionId xid)
{
	int			pid = BackendXidGetPid(xid);

	return make("guarded",
				psprintf("The lease of worker \"%s\" was over at %s, but %s guards the task (goque_guard).",
						 shown(task, GQ_ATT_WORKER, ""), timestamptz_to_str(task->lease_until),
						 who(xid, pid)),
				pid != 0
				? psprintf("It ends with that transaction. If that one hangs: SELECT pg_terminate_backend(%d);", pid)
				: look_at_it(xid, 0));
}

/* What keeps the healer from coming; NULL: nothing that is known. */
static char *
healer_fault(char **hint)
{
	GqDatabaseInfo own = gq_database_own();
	int			pid;
	TimestampTz since;
	TimestampTz last_run;

	if (gq_shared == NULL)
	{
		*hint = "Take it back by hand: SELECT goque_heal(); for good: add goque to shared_preload_libraries in postgresql.conf and restart the server.";
		return "none runs without shared_preload_libraries";
	}
	if (own.no_slot_since != 0)
	{
		*hint = "Take it back by hand: SELECT goque_heal(); for good: raise max_worker_processes and restart the server.";
		return psprintf("no background worker could be started for it since %s",
						timestamptz_to_str(own.no_slot_since));
	}
	*hint = "Look for \"goque\" in the server log; until it comes back, by hand: SELECT goque_heal();";
	if (own.failures > 0)
		return psprintf("it failed %d times, the last time at %s", own.failures,
						timestamptz_to_str(own.failed_at));
	return gq_launcher_info(&pid, &since, &last_run) ? NULL : "no launcher is running";
}

static GqWhy
why_lease_over(const GqTask *task)
{
	char	   *over = pstrdup(timestamptz_to_str(task->lease_until));
	char	   *hint;
	char	   *fault = healer_fault(&hint);

	return make("lease_over",
				psprintf("The lease of worker \"%s\" was over at %s, and the healer has not taken the task back yet%s%s.",
						 shown(task, GQ_ATT_WORKER, ""), over, fault ? ": " : "",
						 fault ? fault : ""),
				fault != NULL ? hint
				: psprintf("It comes every %d ms. If it stays away, see goque.health; by hand: SELECT goque_heal();",
						   gq_heal_interval));
}

static GqWhy
why_processing(const GqTask *task, TimestampTz now)
{
	TimestampTz until = Max(task->lease_until,
							gq_lease_extended(gq_instance(), task->id, task->token));
	TransactionId locker;

	if (until > now)
		return why_running(task, until);
	locker = gq_row_locked_by(task->slot);
	return TransactionIdIsValid(locker) ? why_guarded(task, locker) : why_lease_over(task);
}

/* ---- what waits ---- */

static GqWhy
why_expired(const GqTask *task)
{
	return make("expired",
				psprintf("It was to be fetched by %s, and was not; the healer is about to cancel it.",
						 timestamptz_to_str(task->expires_at)),
				psprintf("To run it all the same, cancel and revive it: SELECT goque_cancel(" INT64_FORMAT
						 "), goque_retry(" INT64_FORMAT ");", task->id, task->id));
}

static char *
list_ids(const int64 *ids, int64 n)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int64 i = 0; i < Min(n, MAX_LISTED); i++)
		appendStringInfo(&list, "%s" INT64_FORMAT, i > 0 ? ", " : "", ids[i]);
	if (n > MAX_LISTED)
		appendStringInfo(&list, " and " INT64_FORMAT " more", n - MAX_LISTED);
	return list.data;
}

/* Those of them that have not ended; perhaps others ended just now. */
static int64
keep_unfinished(int64 *ids, int64 n)
{
	GqSearch   *search = gq_search_begin(NULL);
	int64		kept = 0;

	for (int64 i = 0; i < n; i++)
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		if (gq_task_find(search, ids[i], &task) && !GqStatusIsTerminal(task.status))
			ids[kept++] = ids[i];
	}
	gq_search_end(search);
	return kept;
}

static GqWhy
why_dependent(const GqTask *task, int64 *ids, int64 n)
{
	char	   *list = list_ids(ids, n);

	return make("dependencies",
				psprintf("It was added after other tasks, of which these have not ended: %s.", list),
				psprintf("See why the first is not done: SELECT * FROM goque_why(" INT64_FORMAT "); if one of them is canceled, this one is too.",
						 ids[0]));
}

static GqWhy
why_pending(const GqTask *task)
{
	int64		n;
	int64	   *ids = gq_dependencies_unfinished(task->id, &n);
	int64		ahead;

	qsort(ids, n, sizeof(int64), gq_compare_ids);
	n = keep_unfinished(ids, n);
	if (n > 0)
		return why_dependent(task, ids, n);
	ahead = gq_line_ahead_of(task);
	if (ahead != 0)
		return make("line",
					psprintf("It stands in line behind task " INT64_FORMAT " of its type and ordering key \"%s\".",
							 ahead, shown(task, GQ_ATT_ORDERING_KEY, "")),
					psprintf("See why that one is not done: SELECT * FROM goque_why(" INT64_FORMAT "); to give it up: SELECT goque_cancel(" INT64_FORMAT ");",
							 ahead, ahead));
	return make("pending",
				pstrdup("It waits for other tasks; the last of them has ended, or is about to."),
				pstrdup("Ask again in a moment; the check that runs each minute starts what was overlooked."));
}

static GqWhy
why_scheduled(const GqTask *task)
{
	return make("scheduled",
				task->status == GQ_ERROR
				? psprintf("Attempt %d of %d failed; the next is not due before %s; error: %s.",
						   task->attempts, task->max_attempts,
						   timestamptz_to_str(task->next_attempt_at),
						   shown(task, GQ_ATT_ERROR, "none"))
				: psprintf("It is not to run before %s.", timestamptz_to_str(task->next_attempt_at)),
				psprintf("Wait, or run it now: SELECT goque_reschedule_many(ARRAY[" INT64_FORMAT "], run_at => now());",
						 task->id));
}

static bool
database_is_paused(void)
{
	GqSettingsRow row;

	return gq_settings_row_read("", &row) && !row.nulls[GQ_SET_PAUSED] &&
		DatumGetBool(row.values[GQ_SET_PAUSED]);
}

static GqWhy
why_paused(const GqTask *task)
{
	if (database_is_paused())
		return make("paused", pstrdup("All types of this database are paused."),
					pstrdup("To go on: SELECT goque_resume();"));
	return make("paused", psprintf("Its type \"%s\" is paused.", gq_detail(gq_task_type(task))),
				psprintf("To go on: SELECT goque_resume(%s);", quoted_type(task)));
}

/* When somebody last fetched the type; DT_NOEND: somebody waits for it now. */
static TimestampTz
last_fetch(GqType *entry)
{
	TimestampTz at;

	if (pg_atomic_read_u32(&entry->line.idle) > 0 || gq_lines_idle(MyDatabaseId))
		return DT_NOEND;
	SpinLockAcquire(&entry->mutex);
	at = entry->last_fetch_at;
	SpinLockRelease(&entry->mutex);
	return at;
}

/* What keeps the processor of its type from fetching it; detail NULL: nothing, or
 * there is none. */
static GqProcessorFault
processor_fault(const GqTask *task)
{
	List	   *rows = gq_processor_rows(gq_task_type(task));
	GqProcessorFault fault = {0};
	GqProcessorInfo info;

	if (rows == NIL)
		return fault;
	(void) gq_processor_info(MyDatabaseId, gq_task_type(task), &info);
	fault = gq_processor_fault(linitial(rows), &info);
	if (fault.detail == NULL && info.waiting)
	{
		fault.detail = "it waits for one of goque.max_processor_workers background workers, which all run";
		fault.hint = "Wait, or raise goque.max_processor_workers and reload the settings; see who has them: SELECT * FROM goque.workers WHERE kind = 'processor';";
	}
	return fault;
}

static GqWhy
why_unprocessed(const GqTask *task, const GqProcessorFault *fault)
{
	return make("processor",
				psprintf("It is ready, but the processor of its type \"%s\" does not come to it: %s.",
						 gq_detail(gq_task_type(task)), fault->detail),
				pstrdup(fault->hint));
}

static GqWhy
why_unfetched(const GqTask *task, TimestampTz at)
{
	return make("unfetched",
				at == 0
				? psprintf("It is ready, but nobody has fetched the type \"%s\" since the server started.",
						   gq_detail(gq_task_type(task)))
				: psprintf("It is ready, but nobody has fetched the type \"%s\" since %s.",
						   gq_detail(gq_task_type(task)), timestamptz_to_str(at)),
				psprintf("Start a worker for the type, or look whether the one there is has stopped: it is to call SELECT * FROM goque_fetch(%s);",
						 quoted_type(task)));
}

/* Ready tasks of its type that come before it, up to MAX_COUNTED. */
static int
count_before(const GqTask *task, TimestampTz now)
{
	char	   *type = gq_task_type(task);
	GqReadyScan *scan = gq_ready_begin(&type, 1, now, false);
	GqGeneration *generation;
	GqType	   *entry;
	GqTask		other;
	int			n = 0;

	while (n < MAX_COUNTED && gq_ready_next(scan, &other, &generation, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		gq_ready_keep(scan);
		if (other.id == task->id)
			break;
		n++;
	}
	gq_ready_end(scan);
	return n;
}

static GqWhy
why_ready(const GqTask *task, TimestampTz now)
{
	int			before = count_before(task, now);

	return make("ready",
				before == 0
				? pstrdup("It is ready, and the next of its type to be fetched.")
				: psprintf("It is ready; %s%d ready tasks of its type are fetched before it.",
						   before == MAX_COUNTED ? "at least " : "", before),
				before == 0
				? pstrdup("Its worker is about to fetch it; if not, see goque.workers and goque.health.")
				: psprintf("Wait, add workers, or let it overtake the others: SELECT goque_reschedule_many(ARRAY[" INT64_FORMAT "], priority => -100);",
						   task->id));
}

/* Those that are running, and claims that nobody sees yet. */
static char *
list_running(const int64 *ids, int64 n, int64 running)
{
	char	   *others = "";

	if (n < running)
		others = psprintf("%s" INT64_FORMAT " by transactions that have not committed", n > 0 ? ", and " : "", running - n);
	return psprintf("%s%s%s", n > 0 ? "tasks " : "", n > 0 ? list_ids(ids, n) : "", others);
}

static GqWhy
why_full(const GqTask *task, const GqLimitState *limit)
{
	int64		n;
	int64	   *ids = gq_processing_ids(gq_task_type(task), &n);

	return make("max_running",
				psprintf("The limit of its type is reached: " INT64_FORMAT " of at most %d tasks are running: %s.",
						 limit->running, limit->max_running, list_running(ids, n, limit->running)),
				psprintf("Wait until one ends, or see who has them: SELECT id, worker, started_at, lease_until FROM goque.tasks WHERE type = %s AND status = 'processing'; to raise the limit: SELECT goque_configure(%s, max_running => %d);",
						 quoted_type(task), quoted_type(task), limit->max_running * 2));
}

static GqWhy
why_too_fast(const GqTask *task, const GqLimitState *limit)
{
	return make("rate_limit",
				psprintf("The rate of its type is used up: it is %d tasks in %s; the next can be fetched at %s.",
						 limit->rate.limit, interval_text(limit->rate.period),
						 timestamptz_to_str(limit->rate_turns_at)),
				psprintf("Wait, or raise it: SELECT goque_configure(%s, rate_limit => %d);",
						 quoted_type(task), limit->rate.limit * 2));
}

static GqWhy
why_claimable(const GqTask *task, TimestampTz now)
{
	GqLimitState limit;
	GqType	   *entry = gq_type_of(gq_task_type(task));
	TimestampTz fetched = entry != NULL ? last_fetch(entry) : DT_NOEND;
	GqProcessorFault fault;

	if (task->next_attempt_at > now)
		return why_scheduled(task);
	if (gq_settings(gq_task_type(task))->paused)
		return why_paused(task);
	(void) gq_limit_state(gq_task_type(task), &limit);
	if (limit.is_full)
		return why_full(task, &limit);
	if (limit.rate_turns_at != DT_NOEND)
		return why_too_fast(task, &limit);
	fault = processor_fault(task);
	if (fault.detail != NULL && (entry == NULL || fetched != DT_NOEND))
		return why_unprocessed(task, &fault);
	if (fetched < now - FETCHED_LATELY)
		return why_unfetched(task, fetched);
	return why_ready(task, now);
}

/* ---- all of it ---- */

static GqWhy
why(const GqTask *task, TimestampTz now)
{
	TransactionId changer;

	if (GqStatusIsTerminal(task->status))
		return why_ended(task);
	changer = gq_row_changed_by(task->slot);
	if (TransactionIdIsValid(changer))
		return why_busy(task, changer);
	if (task->status == GQ_PROCESSING)
		return why_processing(task, now);
	if (gq_task_is_expired(task, now))
		return why_expired(task);
	return task->status == GQ_PENDING ? why_pending(task) : why_claimable(task, now);
}

GqWhy
gq_why(int64 id, TimestampTz now)
{
	GqSearch   *search = gq_search_begin(NULL);
	TupleTableSlot *slot;
	GqTask		task;
	GqWhy		result;

	if (gq_search_find(search, id, &slot) == NULL)
		result = why_unknown(id);
	else
	{
		gq_task_read(&task, slot);
		result = why(&task, now);
	}
	gq_search_end(search);
	return result;
}
