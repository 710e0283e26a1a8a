/*-------------------------------------------------------------------------
 *
 * change.c
 *	  Changing one task by its id: find, decide, update, and look again if
 *	  somebody was faster.
 *
 * The search uses the latest snapshot at every isolation level, since the
 * state of a task is what it is now; a transaction with an older snapshot may
 * only change what that one sees too, and gets 40001 otherwise.
 *
 * Everything that changes a task goes through gq_change_row, which notes for
 * the end of the transaction what its commit makes ready, what its abort makes
 * ready again, and which numbers change.  A row that is being changed looks
 * taken to a fetch, which passes it for good: so each such change of a ready
 * task must be noted, also one that leaves it ready.
 *
 * A pending task is changed under the lock of its line alone (core/settle.c).
 * Many tasks are therefore changed in two rounds: first those that are not
 * pending, then, with all the locks, those that are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/await.h"
#include "core/change.h"
#include "core/delays.h"
#include "core/installation.h"
#include "core/line.h"
#include "core/settle.h"
#include "core/xact.h"
#include "shared/databases.h"
#include "shared/leases.h"
#include "shared/shmem.h"

void
gq_err_serialization(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access to a task due to concurrent update"),
			 errdetail("The snapshot of this transaction does not see the task's last change."),
			 errhint("Run the transaction again.")));
}

GqType *
gq_change_entry(const GqTask *task)
{
	char	   *name;
	GqType	   *entry;

	if (gq_shared == NULL)
		return NULL;
	name = gq_task_type(task);
	entry = gq_type_of(name);
	pfree(name);
	return entry;
}

static bool
is_changed(const GqChanges *changes, int attr)
{
	return (changes->set & (1u << (attr - 1))) != 0;
}

static void
note_totals(GqType *entry, uint32 totals)
{
	for (int t = 0; totals != 0 && t < GQ_TOTALS; t++)
		if (totals & (1u << t))
			gq_xact_total(entry, (GqTotal) t);
}

/* A heartbeat may shorten a lease: the healer must come earlier.  (If it
 * lengthens it, the healer finds out when it comes.) */
static void
note_lease_end(const GqTask *task, TimestampTz until)
{
	if (gq_shared == NULL || task->status != GQ_PROCESSING || until >= task->lease_until)
		return;
	gq_lease_enter(gq_instance(), task->id, task->token, until, 0);
	gq_database_due(MyDatabaseId, until);
}

/* Does the task leave its place in a line? */
static bool
leaves_line(const GqTask *task, const GqDecision *decision, GqStatus status)
{
	return task->place != 0 && !GqStatusIsTerminal(task->status) &&
		(decision->remove || GqStatusIsTerminal(status) ||
		 is_changed(&decision->changes, GQ_ATT_ORDERING_KEY));
}

static GqStatus
status_after(const GqTask *task, const GqDecision *decision)
{
	return is_changed(&decision->changes, GQ_ATT_STATUS)
		? DatumGetInt16(decision->changes.values[GQ_ATT_STATUS - 1]) : task->status;
}

/* When was it last told when to run? */
static TimestampTz
told_after(const GqTask *task, const GqChanges *changes)
{
	return is_changed(changes, GQ_ATT_UPDATED_AT)
		? DatumGetTimestampTz(changes->values[GQ_ATT_UPDATED_AT - 1]) : task->updated_at;
}

/* The row stood in generation `from`; its new version stands in `to`. */
static void
note_change(int from, int to, const GqTask *task, const GqDecision *decision)
{
	const GqChanges *changes = &decision->changes;
	GqType	   *entry = gq_change_entry(task);
	GqStatus	status = status_after(task, decision);
	int16		priority = task->priority;
	GqKey		key = {task->next_attempt_at, task->id};

	if (GqStatusIsClaimable(task->status))
	{
		gq_xact_taken(entry, from, priority, key);
		gq_delays_note(entry, key.at, task->updated_at, -1);
	}
	if (!decision->remove)
	{
		if (is_changed(changes, GQ_ATT_PRIORITY))
			priority = DatumGetInt16(changes->values[GQ_ATT_PRIORITY - 1]);
		if (is_changed(changes, GQ_ATT_NEXT_ATTEMPT_AT))
			key.at = DatumGetTimestampTz(changes->values[GQ_ATT_NEXT_ATTEMPT_AT - 1]);
		if (GqStatusIsClaimable(status))
		{
			gq_xact_ready(entry, to, priority, key);
			gq_delays_note(entry, key.at, told_after(task, changes), 1);
		}
	}
	gq_xact_moved(entry, task->status, decision->remove ? 0 : status, 1);
	if (task->status == GQ_PROCESSING && (decision->remove || status != GQ_PROCESSING))
		gq_xact_lease_over(task->id, task->token);
	else if (is_changed(changes, GQ_ATT_LEASE_UNTIL))
		note_lease_end(task, DatumGetTimestampTz(changes->values[GQ_ATT_LEASE_UNTIL - 1]));
	if (decision->remove || (GqStatusIsTerminal(status) && status != task->status))
		gq_await_note(task->id);
	note_totals(entry, decision->totals);
	if (leaves_line(task, decision, status))
		gq_settle_note_line(task);
}

static Snapshot
crosscheck_snapshot(void)
{
	return IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : InvalidSnapshot;
}

/* Delete the row here, and insert what it becomes there. */
static TM_Result
relocate(GqGeneration *from, GqGeneration *to, const GqTask *task, const GqDecision *decision,
		 bool wait)
{
	TupleTableSlot *slot;
	TM_Result	result = gq_row_delete(from, task->slot, crosscheck_snapshot(), wait);

	if (result != TM_Ok)
		return result;
	slot = gq_row_virtual_slot(to);
	gq_row_form_version(task->slot, &decision->changes, slot);
	gq_row_insert(to, &slot, 1);
	ExecDropSingleTupleTableSlot(slot);
	note_change(from->number, to->number, task, decision);
	return TM_Ok;
}

TM_Result
gq_relocate_row(GqGeneration *from, GqGeneration *to, const GqTask *task)
{
	GqDecision	decision = {0};

	return relocate(from, to, task, &decision, false);
}

TM_Result
gq_change_row(GqGeneration *generation, const GqTask *task, const GqDecision *decision,
			  bool wait, TupleTableSlot *new_slot)
{
	TM_Result	result;

	if (decision->relocate && generation->number != gq_ring_current())
	{
		GqGeneration *current = gq_generation_open_current();

		result = relocate(generation, current, task, decision, wait);
		gq_generation_close(current);
		return result;
	}
	if (decision->remove)
		result = gq_row_delete(generation, task->slot, crosscheck_snapshot(), wait);
	else
		result = gq_row_update(generation, task->slot, &decision->changes, crosscheck_snapshot(),
							   wait, new_slot);
	if (result == TM_Ok)
		note_change(generation->number, generation->number, task, decision);
	return result;
}

/*
 * May it be changed so without the lock of its line?  If not: without wait, it
 * must be free, and is taken; a pending task is changed under it alone.
 */
static bool
holds_line(const GqTask *task, const GqDecision *decision, bool wait)
{
	GqKeyLock	line;

	if (task->status == GQ_PENDING)
		return !gq_line_of(task, &line) || gq_locks_hold(&line);
	if (wait || !leaves_line(task, decision, status_after(task, decision)))
		return true;			/* it is settled later */
	return !gq_line_of(task, &line) || gq_locks_try(&line);
}

static bool
take_line(const GqTask *task, bool wait)
{
	GqKeyLock	line;

	(void) gq_line_of(task, &line);
	if (!wait)
		return gq_locks_try(&line);
	gq_locks_take(&line, 1);
	return true;
}

/* One look at the task; GQ_BUSY: it is being changed, or was since. */
static GqOutcome
try_change(GqSearch *search, int64 id, bool wait, GqDecide decide, void *arg)
{
	TupleTableSlot *slot;
	GqGeneration *generation = gq_search_find(search, id, &slot);
	GqDecision	decision = {0};
	GqTask		task;

	if (generation == NULL)
		return GQ_MISSING;
	gq_task_read(&task, slot);
	if (!decide(&task, &decision, arg))
		return GQ_REFUSED;
	if (!holds_line(&task, &decision, wait))
		return task.status == GQ_PENDING && take_line(&task, wait) ? GQ_STALE : GQ_BUSY;
	return gq_change_row(generation, &task, &decision, wait, NULL) == TM_Ok
		? GQ_CHANGED : GQ_BUSY;
}

static GqOutcome
change_found(GqSearch *search, int64 id, bool wait, GqDecide decide, void *arg)
{
	for (;;)
	{
		GqOutcome	outcome = try_change(search, id, wait, decide, arg);

		if (outcome != GQ_STALE && (outcome != GQ_BUSY || !wait))
			return outcome;
		if (outcome == GQ_BUSY && IsolationUsesXactSnapshot())
			gq_err_serialization();
		CHECK_FOR_INTERRUPTS();
		/* in case this very command changed it before */
		CommandCounterIncrement();
		gq_search_renew(search);
	}
}

GqOutcome
gq_change_task(GqSearch *search, int64 id, bool wait, GqDecide decide, void *arg)
{
	GqSearch   *own = search == NULL ? gq_search_begin(NULL) : NULL;
	GqOutcome	outcome = change_found(own ? own : search, id, wait, decide, arg);

	if (own != NULL)
		gq_search_end(own);
	if (own != NULL && outcome == GQ_CHANGED)
		gq_change_end();
	return outcome;
}

void
gq_change_end(void)
{
	CommandCounterIncrement();
	gq_settle_call();
}

/* ---- tasks of one call that are pending ---- */

int64
gq_change_pending(const int64 *ids, int64 n, bool *pending)
{
	GqSearch   *search = gq_search_begin(NULL);
	int64		count = 0;

	for (int64 i = 0; i < n; i++)
	{
		TupleTableSlot *slot;
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		pending[i] = false;
		if (gq_search_find(search, ids[i], &slot) == NULL)
			continue;
		gq_task_read(&task, slot);
		pending[i] = task.status == GQ_PENDING;
		count += pending[i];
	}
	gq_search_end(search);
	return count;
}

int64
gq_change_lines(const int64 *ids, int64 n, const bool *which, GqKeyLock *lines)
{
	GqSearch   *search = gq_search_begin(NULL);
	int64		count = 0;

	for (int64 i = 0; i < n; i++)
	{
		TupleTableSlot *slot;
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		if (!which[i] || gq_search_find(search, ids[i], &slot) == NULL)
			continue;
		gq_task_read(&task, slot);
		if (!gq_line_of(&task, &lines[count]))
			continue;
		lines[count].type = datumCopy(lines[count].type, false, -1);
		lines[count].key = datumCopy(lines[count].key, false, -1);
		count++;
	}
	gq_search_end(search);
	return count;
}

void
gq_change_lock_lines(const int64 *ids, int64 n, const bool *which)
{
	GqKeyLock  *lines = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * Max(n, 1));

	gq_locks_take(lines, gq_change_lines(ids, n, which, lines));
	pfree(lines);
}
