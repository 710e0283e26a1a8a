/*-------------------------------------------------------------------------
 *
 * finish.c
 *	  What a lease's holder, and people, do to a task that was added.
 *
 * Each is a decision for gq_call_change: may it be done to this version of the
 * row, and what changes then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/call.h"
#include "core/change.h"
#include "core/dependency.h"
#include "core/ending.h"
#include "core/finish.h"
#include "core/guard.h"
#include "core/line.h"
#include "core/running.h"
#include "core/size.h"
#include "core/under_locks.h"
#include "core/unique.h"
#include "guc.h"
#include "shared/leases.h"
#include "store/dependencies.h"
#include "store/row_lock.h"

/* what the decisions need to know, and what they found */
typedef struct Request
{
	TimestampTz now;
	const char *type;			/* NULL: any */
	int64		token;
	bool		has_value;		/* a result, a progress, a priority */
	Datum		value;
	const char *message;
	int64		span;			/* a delay or a lease, microseconds */
	bool		retry;
	TimestampTz run_at;
	GqParents  *parents;		/* out: of a task that comes back to life */
	GqStatus	status;			/* out */
	TimestampTz until;			/* out */
} Request;

static GqSettings
settings_of(const GqTask *task)
{
	return *gq_settings(gq_task_type(task));
}

static void
change_value(const GqTask *task, GqDecision *decision, int attr, const char *arg, Datum value)
{
	GqSettings	settings = settings_of(task);

	gq_check_size(arg, value, gq_size_limit(&settings));
	gq_change(&decision->changes, attr, value);
}

/* ---- the holder ---- */

static bool
decide_complete(const GqTask *task, GqDecision *decision, void *arg)
{
	const Request *request = arg;

	if (!gq_task_is_held(task, request->token))
		return false;
	gq_task_complete(task, &decision->changes, request->now);
	if (request->has_value)
		change_value(task, decision, GQ_ATT_RESULT, "result", request->value);
	GqDecisionCount(decision, GQ_TOTAL_COMPLETED);
	gq_ending_remove_if_not_kept(task, GQ_DONE, decision);
	return true;
}

bool
gq_complete(GqSearch *search, int64 id, int64 token, bool has_result, Datum result)
{
	Request		request = {.now = GetCurrentTimestamp(),.token = token,
	.has_value = has_result,.value = result};

	return gq_call_change(search, id, true, decide_complete, &request) == GQ_CHANGED;
}

static int64
retry_delay(const GqTask *task, int64 retry_in)
{
	GqSettings	settings;

	if (retry_in >= 0)
		return retry_in;
	settings = settings_of(task);
	return gq_backoff_delay(&settings.backoff, task->attempts, pg_prng_double(&pg_global_prng_state));
}

static void
fail(const GqTask *task, GqDecision *decision, Request *request)
{
	request->status = gq_task_fail(task, &decision->changes, request->now, request->message,
								   request->retry, retry_delay(task, request->span));
	if (request->status == GQ_ATTEMPTS_LEFT)
		GqDecisionCount(decision, GQ_TOTAL_EXHAUSTED);
	gq_ending_remove_if_not_kept(task, request->status, decision);
}

static bool
decide_fail(const GqTask *task, GqDecision *decision, void *arg)
{
	Request    *request = arg;

	if (!gq_task_is_held(task, request->token))
		return false;
	fail(task, decision, request);
	GqDecisionCount(decision, GQ_TOTAL_FAILED);
	return true;
}

int
gq_fail(GqSearch *search, int64 id, int64 token, const char *message, int64 retry_in, bool retry)
{
	Request		request = {.now = GetCurrentTimestamp(),.token = token,
	.message = message,.span = retry_in,.retry = retry};

	if (gq_call_change(search, id, true, decide_fail, &request) != GQ_CHANGED)
		return 0;
	return request.status;
}

static bool
decide_release(const GqTask *task, GqDecision *decision, void *arg)
{
	const Request *request = arg;

	if (!gq_task_is_held(task, request->token))
		return false;
	gq_task_release(task, &decision->changes, request->now, request->span);
	GqDecisionCount(decision, GQ_TOTAL_RELEASED);
	return true;
}

bool
gq_release(GqSearch *search, int64 id, int64 token, int64 delay)
{
	Request		request = {.now = GetCurrentTimestamp(),.token = token,.span = delay};

	return gq_call_change(search, id, true, decide_release, &request) == GQ_CHANGED;
}

static bool
decide_heartbeat(const GqTask *task, GqDecision *decision, void *arg)
{
	Request    *request = arg;
	int64		lease = request->span > 0 ? request->span : task->lease_until - task->updated_at;

	if (!gq_task_is_held(task, request->token))
		return false;
	request->until = gq_time_add(request->now, lease);
	gq_change(&decision->changes, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(request->now));
	gq_change(&decision->changes, GQ_ATT_LEASE_UNTIL, TimestampTzGetDatum(request->until));
	if (request->has_value)
		change_value(task, decision, GQ_ATT_PROGRESS, "progress", request->value);
	return true;
}

TimestampTz
gq_heartbeat(GqSearch *search, int64 id, int64 token, int64 lease, bool has_progress, Datum progress)
{
	Request		request = {.now = GetCurrentTimestamp(),.token = token,.span = lease,
	.has_value = has_progress,.value = progress};

	GqOutcome	outcome = gq_call_change(search, id, false, decide_heartbeat, &request);

	if (outcome == GQ_BUSY)
	{
		TimestampTz until = gq_guard_heartbeat(id, token, request.now, lease, has_progress);

		if (until != 0)
			return until;
		if (search != NULL)
			gq_search_renew(search);
		outcome = gq_call_change(search, id, true, decide_heartbeat, &request);
	}
	if (outcome != GQ_CHANGED)
		return 0;
	gq_running_extended(id, token, request.until);
	return request.until;
}

/* ---- anybody ---- */

static bool
decide_cancel(const GqTask *task, GqDecision *decision, void *arg)
{
	const Request *request = arg;

	return gq_ending_cancel(task, decision, request->now, request->message);
}

bool
gq_cancel(GqSearch *search, int64 id)
{
	Request		request = {.now = GetCurrentTimestamp()};

	return gq_call_change_one_of(search, id, decide_cancel, &request) == GQ_CHANGED;
}

/*
 * What comes back to life goes last in its line, and waits again for those of its
 * parents that live; others hold it back no more.
 */
static bool
revive(const GqTask *task, GqDecision *decision, Request *request)
{
	GqKeyLock	line;
	GqKeyLock	own;
	bool		keyed = gq_line_of(task, &line);

	request->parents = gq_parents_of_task(task);
	if (request->parents != NULL)
		own = gq_dependency_lock(task->id);
	if ((keyed && !gq_locks_hold(&line)) || (request->parents != NULL && !gq_locks_hold(&own)))
		return false;			/* it had not ended when the call began */
	if (keyed)
		gq_line_join(&line, &decision->changes, request->run_at);
	if (request->parents == NULL)
		return true;
	gq_parents_look(request->parents, true);
	if (request->parents->nlive > 0)
		gq_task_block(&decision->changes, request->run_at);
	return true;
}

static bool
decide_retry(const GqTask *task, GqDecision *decision, void *arg)
{
	Request    *request = arg;

	if (task->status == GQ_PENDING || task->status == GQ_PROCESSING)
		return false;
	gq_task_retry(task, &decision->changes, request->now, request->run_at);
	decision->relocate = GqStatusIsTerminal(task->status);
	return !decision->relocate || revive(task, decision, request);
}

/* The external id of a task that a retry would bring back to life. */
static bool
read_key(GqSearch *search, int64 id, GqTask *task, GqUniqueKey *key)
{
	char	   *external_id;

	if (!gq_task_find(search, id, task))
		return false;
	external_id = gq_task_text(task, GQ_ATT_EXTERNAL_ID);
	if (external_id == NULL || task->status == GQ_NEW)
		return false;
	key->type = CStringGetTextDatum(gq_task_type(task));
	key->external_id = CStringGetTextDatum(external_id);
	return true;
}

void
gq_retry_prepare(const int64 *ids, int64 n)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqKeyLock  *locks = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * Max(n, 1));
	List	   *all_parents = NIL;
	int64		nlocks = 0;
	ListCell   *lc;

	for (int64 i = 0; i < n; i++)
	{
		GqUniqueKey key;
		GqTask		task = {0};
		GqParents  *parents;

		CHECK_FOR_INTERRUPTS();
		if (read_key(search, ids[i], &task, &key))
			locks[nlocks++] = gq_unique_lock(key);
		parents = task.id != 0 && GqStatusIsTerminal(task.status) ? gq_parents_of_task(&task) : NULL;
		if (parents != NULL)
			all_parents = lappend(all_parents, parents);
	}
	gq_search_end(search);
	foreach(lc, all_parents)
		gq_parents_announce(lfirst(lc), true);
	gq_locks_take(locks, nlocks);
	pfree(locks);
}

void
gq_retry_lock(int64 id)
{
	bool		ended;

	while (gq_under_find(&id, 1, GQ_UNDER_ENDED, &ended) > 0 &&
		   !gq_under_take(&id, 1, GQ_UNDER_ENDED, &ended, NULL, 0))
		CHECK_FOR_INTERRUPTS();
}

/* Has nobody else taken the key since? */
static bool
key_is_free(int64 id)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqUniqueKey key;
	GqTask		task;
	bool		is_free;

	is_free = !read_key(search, id, &task, &key) ||
		gq_unique_find(key, task.unique_while, id) == 0;
	gq_search_end(search);
	return is_free;
}

bool
gq_retry(GqSearch *search, int64 id, TimestampTz run_at)
{
	Request		request = {.now = GetCurrentTimestamp()};

	request.run_at = run_at != 0 ? run_at : request.now;
	/* what this call revived a moment ago must be seen */
	CommandCounterIncrement();
	if (!key_is_free(id) || gq_call_change(search, id, true, decide_retry, &request) != GQ_CHANGED)
		return false;
	if (request.parents != NULL && request.parents->nlive > 0)
		gq_dependencies_insert(request.parents->live, request.parents->nlive, &id, 1);
	return true;
}

static bool
decide_reschedule(const GqTask *task, GqDecision *decision, void *arg)
{
	const Request *request = arg;

	if (!GqStatusIsClaimable(task->status) && task->status != GQ_PENDING)
		return false;
	gq_change(&decision->changes, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(request->now));
	if (request->run_at != 0)
		gq_change(&decision->changes,
				  task->status == GQ_PENDING ? GQ_ATT_RUN_AT : GQ_ATT_NEXT_ATTEMPT_AT,
				  TimestampTzGetDatum(request->run_at));
	if (request->has_value)
		gq_change(&decision->changes, GQ_ATT_PRIORITY, request->value);
	return true;
}

bool
gq_reschedule(GqSearch *search, int64 id, TimestampTz run_at, bool has_priority, int16 priority)
{
	Request		request = {.now = GetCurrentTimestamp(),.run_at = run_at,
	.has_value = has_priority,.value = Int16GetDatum(priority)};

	return gq_call_change_one_of(search, id, decide_reschedule, &request) == GQ_CHANGED;
}

static bool
decide_purge(const GqTask *task, GqDecision *decision, void *arg)
{
	decision->remove = true;
	return GqStatusIsTerminal(task->status);
}

bool
gq_purge(GqSearch *search, int64 id)
{
	return gq_call_change(search, id, true, decide_purge, NULL) == GQ_CHANGED;
}

/* ---- the healer ---- */

static bool
decide_heal(const GqTask *task, GqDecision *decision, void *arg)
{
	Request    *request = arg;

	if (request->type != NULL && !gq_task_is_of_type(task, request->type))
		request->until = DT_NOEND;
	else if (task->status == GQ_PROCESSING && task->token == request->token)
	{
		request->message = "the session that held it ended";
		request->until = request->now;
	}
	else if (task->status == GQ_PROCESSING)
		request->until = Max(task->lease_until,
							 gq_lease_extended(gq_instance(), task->id, task->token));
	else if (GqStatusIsTerminal(task->status))
		request->until = DT_NOEND;
	else if (gq_row_may_be_changed(task->slot)) /* claimed right now, perhaps */
		request->until = gq_time_add(request->now, gq_heal_interval * INT64CONST(1000));
	else						/* the claim was prepared, and rolled back */
		request->until = DT_NOEND;
	if (request->until > request->now)
		return false;
	if (request->message == NULL)
		request->message = psprintf("lease expired at %s", timestamptz_to_str(task->lease_until));
	request->until = request->now;
	fail(task, decision, request);
	GqDecisionCount(decision, GQ_TOTAL_HEALED);
	return true;
}

TimestampTz
gq_heal_task(const char *type, int64 id, int64 ended_token, TimestampTz now, bool *healed)
{
	Request		request = {.now = now,.type = type,.token = ended_token,.span = -1,.retry = true,.until = DT_NOEND};
	GqOutcome	outcome = gq_call_change(NULL, id, false, decide_heal, &request);

	*healed = outcome == GQ_CHANGED;
	return request.until;
}

static bool
decide_expire(const GqTask *task, GqDecision *decision, void *arg)
{
	Request    *request = arg;

	if (!gq_task_is_expired(task, request->now))
		return false;
	request->message = psprintf("expired at %s before it was fetched",
								timestamptz_to_str(task->expires_at));
	return decide_cancel(task, decision, request);
}

bool
gq_expire_task(GqSearch *search, int64 id, TimestampTz now)
{
	Request		request = {.now = now};

	return gq_call_change(search, id, false, decide_expire, &request) == GQ_CHANGED;
}
