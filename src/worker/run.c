/*-------------------------------------------------------------------------
 *
 * run.c
 *	  A runner's tasks: claim some, run the handler for each, write down what
 *	  became of it.
 *
 * Transactions
 * ------------
 * The claim is one, flushed before anything of a user's runs: a handler that
 * takes the server down has had its attempt counted.  Then each task has its own:
 * the handler's work and the completion commit together or not at all.  A failure
 * is written in a third, when the handler's is rolled back.  A procedure may commit
 * as it goes; the completion is in its last transaction.
 *
 * Of a batch, the functions share one transaction, and so one flush.  Should any of
 * them fail, nothing of the batch has happened, and each task is run again, alone.
 * What one leaves in the session is taken away before the next; where that cannot
 * be, the transaction is ended there, and the others go on in another.
 *
 * Time
 * ----
 * A lease is GQ_RUNNER_GRACE longer than the task's timeout, so that the handler has
 * all of its time and the process is left some to write down what became of it.
 * Before each task, the leases of those that wait behind it are extended if need be.
 *
 * A timer cancels the handler at the deadline, as SIGINT does when somebody else
 * ended the lease (goque_cancel), and SIGTERM, which gives the attempt back.  A
 * handler that will not hear is cancelled every second; after five times the process
 * ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "core/claim.h"
#include "core/detail.h"
#include "core/finish.h"
#include "core/output.h"
#include "core/running.h"
#include "core/sleep.h"
#include "shared/runners.h"
#include "worker/handler.h"
#include "worker/run.h"
#include "worker/session.h"
#include "worker/worker.h"

#define PUSH_EVERY_MS 1000		/* a handler that should stop */
#define MAX_PUSHES 5
#define OWN_LOCK_TIMEOUT "1s"

typedef struct Task
{
	int64		id;
	int64		token;
	int64		timeout;
	TimestampTz lease_until;
	Datum		argument;
	bool		over;			/* not to be run (again) */
} Task;

volatile sig_atomic_t gq_run_stopping = false;

static char *my_type;
static char *shown_type;		/* fit for a view */
static GqHandlerRow *row;		/* in batch_context, as all that follows */
static GqHandler handler;
static MemoryContext batch_context;
static Task *tasks;
static int	ntasks;
static int	current;			/* the one that is run */
static bool session_used;		/* since it was cleaned */

static TimeoutId push_timeout;
static volatile sig_atomic_t in_handler = false;
static volatile sig_atomic_t timed_out = false;
static volatile sig_atomic_t pushes;

/* ---- signals ---- */

static void
cancel_handler(void)
{
	if (in_handler)
	{
		InterruptPending = true;
		QueryCancelPending = true;
	}
	SetLatch(MyLatch);
}

static void
on_terminate(SIGNAL_ARGS)
{
	int			save_errno = errno;

	gq_run_stopping = true;
	cancel_handler();
	errno = save_errno;
}

static void
on_cancel(SIGNAL_ARGS)
{
	int			save_errno = errno;

	cancel_handler();
	errno = save_errno;
}

static void
on_push(void)
{
	if (!in_handler)
		return;
	if (GetCurrentTimestamp() >= gq_running.deadline)
		timed_out = true;
	if (!timed_out && !gq_run_stopping)
		return;
	if (++pushes > MAX_PUSHES)
		ProcDiePending = true;
	cancel_handler();
}

void
gq_run_signals(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, on_terminate);
	pqsignal(SIGINT, on_cancel);
}

void
gq_run_init(const char *type)
{
	my_type = MemoryContextStrdup(TopMemoryContext, type);
	shown_type = MemoryContextStrdup(TopMemoryContext, gq_detail(type));
	push_timeout = RegisterTimeout(USER_TIMEOUT, on_push);
	batch_context = AllocSetContextCreate(TopMemoryContext, "goque batch", ALLOCSET_DEFAULT_SIZES);
}

/* ---- our own transactions ---- */

static void
begin_own(const char *activity)
{
	pgstat_report_activity(STATE_RUNNING, activity);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (session_used)
		gq_session_clean();
	session_used = false;
	(void) set_config_option("lock_timeout", OWN_LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	gq_worker_own();
}

/* ---- claiming ---- */

static void
copy_task(TupleTableSlot *slot, void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(batch_context);
	Task	   *task = &tasks[ntasks++];
	Datum		values[GQ_OUTPUT_NATTS];
	bool		nulls[GQ_OUTPUT_NATTS];
	TimestampTz now = DatumGetTimestampTz(slot->tts_values[GQ_ATT_UPDATED_AT - 1]);

	task->id = DatumGetInt64(slot->tts_values[GQ_ATT_ID - 1]);
	task->token = DatumGetInt64(slot->tts_values[GQ_ATT_TOKEN - 1]);
	task->lease_until = DatumGetTimestampTz(slot->tts_values[GQ_ATT_LEASE_UNTIL - 1]);
	task->over = false;
	task->timeout = task->lease_until - now - GQ_RUNNER_GRACE;
	if (handler.argument == JSONBOID)
		task->argument = PointerGetDatum(PG_DETOAST_DATUM_COPY(slot->tts_values[GQ_ATT_PAYLOAD - 1]));
	else
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(handler.argument, -1);

		gq_output_task(slot, values, nulls);
		task->argument = heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
		ReleaseTupleDesc(desc);
	}
	MemoryContextSwitchTo(old);
}

static void
claim(TimestampTz *next_due)
{
	GqClaim		request = {.types = &my_type,.ntypes = 1,.max_tasks = row->batch_size,
	.grace = GQ_RUNNER_GRACE,.emit = copy_task};

	request.worker = CStringGetTextDatum(psprintf("goque processor %d", MyProcPid));
	gq_claim(&request, true);
	*next_due = request.next_due;
}

/* Read the processor anew: may this process run it? */
static bool
may_run(void)
{
	MemoryContext old = MemoryContextSwitchTo(batch_context);
	List	   *rows = gq_processor_rows(my_type);
	bool		result = false;

	if (rows != NIL)
	{
		row = linitial(rows);
		result = row->role == GetSessionUserId() &&
			gq_processor_check(row, &handler).detail == NULL;
	}
	MemoryContextSwitchTo(old);
	return result;
}

/* A claim may have skipped its flush, as the role's commits may. */
static void
commit_claim(void)
{
	gq_worker_commit();
	if (ntasks > 0)
		XLogFlush(XactLastCommitEnd);
}

static GqRunOutcome
take(bool sign_up, TimestampTz *next_due)
{
	bool		runs;

	MemoryContextReset(batch_context);
	ntasks = 0;
	begin_own("goque: fetch");
	runs = may_run();
	if (runs)
	{
		tasks = MemoryContextAllocHuge(batch_context, row->batch_size * sizeof(Task));
		if (sign_up)
			gq_sleep_begin(&my_type, 1);
		claim(next_due);
	}
	commit_claim();
	if (!runs)
		return GQ_RUN_OVER;
	return ntasks > 0 ? GQ_RUN_DONE : GQ_RUN_NOTHING;
}

/* ---- one handler ---- */

/* What pg_stat_activity shows; kept for the batch, not for the process. */
static char *
describe(const Task *task)
{
	MemoryContext old = MemoryContextSwitchTo(batch_context);
	char	   *text = psprintf("goque: task " INT64_FORMAT " of type %s", task->id, shown_type);

	MemoryContextSwitchTo(old);
	return text;
}

static void
start_task(const Task *task)
{
	TimestampTz now = GetCurrentTimestamp();

	gq_runner_runs(task->id, task->token);
	gq_running.id = task->id;
	gq_running.token = task->token;
	gq_running.deadline = now + task->timeout;
	timed_out = false;
	pushes = 0;
	session_used = true;
	enable_timeout_every(push_timeout, Min(gq_running.deadline, now + PUSH_EVERY_MS * INT64CONST(1000)),
						 PUSH_EVERY_MS);
	in_handler = true;
	if (gq_run_stopping)
		cancel_handler();
}

static void
stop_timer(void)
{
	in_handler = false;
	disable_timeout(push_timeout, false);
	QueryCancelPending = false;
	gq_running.token = 0;
}

static void
complete(const Task *task, bool has_result, Datum result)
{
	Oid			user;
	int			context;
	bool		held;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	held = gq_complete(NULL, task->id, task->token, has_result, result);
	SetUserIdAndSecContext(user, context);
	if (!held)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("task " INT64_FORMAT " is not held any more", task->id),
				 errdetail("Its lease was ended before the handler had returned."),
				 errhint("If nobody canceled the task, give its type a longer timeout with goque_configure(type, timeout => ...).")));
}

/* In a transaction, with a snapshot. */
static void
run_function(const Task *task)
{
	bool		isnull;
	Datum		result;

	start_task(task);
	result = gq_handler_call(&handler, task->argument, &isnull);
	complete(task, !isnull, result);
}

/* In a transaction of its own: what was left sets up the one that it begins in. */
static void
clean_session(void)
{
	StartTransactionCommand();
	gq_session_clean();
	CommitTransactionCommand();
	session_used = false;
}

static void
begin_handler(const Task *task)
{
	pgstat_report_activity(STATE_RUNNING, describe(task));
	SetCurrentStatementStartTimestamp();
	if (session_used)
		clean_session();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	gq_handler_prepare(&handler);
}

static void
commit_handler(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	stop_timer();
}

/* The error that is being handled, for the task's errors; palloc'd. */
static char *
take_error(void)
{
	StringInfoData text;
	ErrorData  *error;

	MemoryContextSwitchTo(batch_context);
	error = CopyErrorData();
	initStringInfo(&text);
	appendStringInfoString(&text, error->message ? error->message : "no message");
	if (error->detail)
		appendStringInfo(&text, "\nDETAIL:  %s", error->detail);
	if (error->context)
		appendStringInfo(&text, "\nCONTEXT:  %s", error->context);
	FreeErrorData(error);
	return text.data;
}

/* In a PG_CATCH: roll back; returns the message. */
static char *
roll_back(void)
{
	char	   *message;

	HOLD_INTERRUPTS();
	stop_timer();
	message = take_error();
	FlushErrorState();
	AbortCurrentTransaction();
	PortalErrorCleanup();
	QueryCancelPending = false;
	RESUME_INTERRUPTS();
	MemoryContextSwitchTo(batch_context);
	return message;
}

/* ---- what became of a task ---- */

static void
fail(const Task *task, const char *message)
{
	begin_own("goque: fail");
	(void) gq_fail(NULL, task->id, task->token, message, -1, true);
	gq_worker_commit();
}

static void
give_back(int from)
{
	begin_own("goque: release");
	for (int i = from; i < ntasks; i++)
		(void) gq_release(NULL, tasks[i].id, tasks[i].token, 0);
	gq_worker_commit();
	ntasks = from;
}

/* The handler of this task failed: say so, unless others have decided. */
static void
failed(const Task *task, const char *message)
{
	if (gq_runner_is_canceled() || gq_run_stopping)
		return;					/* it is not ours; or it is given back */
	if (timed_out)
		message = psprintf("timeout: the handler was cancelled after " INT64_FORMAT " ms",
						   task->timeout / 1000);
	fail(task, message);
}

/* ---- leases of those that wait ---- */

/* Would a lease behind this task run out while it runs? */
static bool
must_extend(int i)
{
	TimestampTz end = GetCurrentTimestamp() + tasks[i].timeout + GQ_RUNNER_GRACE / 2;

	for (int k = i; k < ntasks; k++)
		if (tasks[k].lease_until < end)
			return true;
	return false;
}

static void
extend(int from)
{
	begin_own("goque: heartbeat");
	for (int i = from; i < ntasks; i++)
		tasks[i].lease_until = gq_heartbeat(NULL, tasks[i].id, tasks[i].token,
											tasks[from].timeout + (i > from ? tasks[i].timeout : 0) + GQ_RUNNER_GRACE,
											false, (Datum) 0);
	gq_worker_commit();
}

/* ---- running ---- */

static void
run_alone(int i)
{
	Task	   *task = &tasks[i];

	if (task->over)
		return;
	if (must_extend(i))
		extend(i);
	if (task->lease_until == 0)
		return;					/* it was taken away */
	PG_TRY();
	{
		begin_handler(task);
		if (handler.is_procedure)
		{
			PopActiveSnapshot();
			start_task(task);
			gq_handler_call_procedure(&handler, task->argument, describe(task));
			PushActiveSnapshot(GetTransactionSnapshot());
			complete(task, false, (Datum) 0);
		}
		else
			run_function(task);
		commit_handler();
		gq_runner_succeeded();
	}
	PG_CATCH();
	{
		failed(task, roll_back());
	}
	PG_END_TRY();
}

/* In one transaction, as far as it goes; returns how many. */
static int
run_some(int from)
{
	int			i = from;
	bool		more = true;

	begin_handler(&tasks[from]);
	while (i < ntasks && more && !gq_run_stopping && !must_extend(i))
	{
		int			level = gq_session_enter();

		current = i;
		run_function(&tasks[i++]);
		more = gq_session_leave(level);
	}
	commit_handler();
	return i - from;
}

/*
 * Returns how many were done, or failed, from there on; 0: each must be run alone.
 */
static int
run_together(int from)
{
	volatile int n = 0;

	PG_TRY();
	{
		n = run_some(from);
		gq_runner_succeeded();
	}
	PG_CATCH();
	{
		char	   *message = roll_back();

		/* its time is spent; of other errors another may be the cause */
		if (timed_out || gq_runner_is_canceled())
		{
			failed(&tasks[current], message);
			tasks[current].over = true;
		}
	}
	PG_END_TRY();
	return n;
}

static void
run_tasks(void)
{
	bool		together = !handler.is_procedure && ntasks > 1;
	int			i = 0;

	while (i < ntasks && !gq_run_stopping)
	{
		int			n = 0;

		CHECK_FOR_INTERRUPTS();
		if (together)
		{
			if (must_extend(i))
				extend(i);
			n = run_together(i);
			together = n > 0;
		}
		if (n == 0 && !gq_run_stopping)
		{
			run_alone(i);
			n = gq_run_stopping ? 0 : 1;
		}
		i += n;
	}
	gq_runner_runs(0, 0);
	if (i < ntasks)
		give_back(i);
}

GqRunOutcome
gq_run_batch(bool sign_up, TimestampTz *next_due, int64 *idle_timeout)
{
	GqRunOutcome outcome = take(sign_up, next_due);

	if (outcome != GQ_RUN_OVER)
		*idle_timeout = row->idle_timeout;
	if (outcome == GQ_RUN_DONE)
	{
		run_tasks();
		pgstat_report_stat(false);
	}
	return outcome;
}
