/*-------------------------------------------------------------------------
 *
 * change.c
 *	  Changing one task by its id: find, decide, update, and look again if
 *	  somebody was faster (rule 7 of docs/design.md).
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
 * A pending task is changed under its locks alone (core/under_locks.c).
 * Many tasks are therefore changed in two rounds: first those that are not
 * pending, then, with all the locks, those that are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/await.h"
#include "core/change.h"
#include "core/counts.h"
#include "core/delays.h"
#include "core/dependency.h"
#include "core/installation.h"
#include "core/line.h"
#include "core/processing_map.h"
#include "core/under_locks.h"
#include "core/unsettled.h"
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
			gq_count_total(entry, (GqTotal) t);
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

static bool
has_parents(const GqTask *task)
{
	bool		isnull;

	(void) slot_getattr(task->slot, GQ_ATT_AFTER, &isnull);
	return !isnull;
}

/* Does it end, and may others wait for that, or does it for them? */
static bool
ends_for_others(const GqTask *task, const GqDecision *decision, GqStatus status, GqType *entry)
{
	if (GqStatusIsTerminal(task->status) || (!decision->remove && !GqStatusIsTerminal(status)))
		return false;
	return gq_dependency_has_children(entry, task->id) || (task->status == GQ_PENDING && has_parents(task));
}

static GqStatus
status_after(const GqTask *task, const GqDecision *decision)
{
	return is_changed(&decision->changes, GQ_ATT_STATUS)
		? (GqStatus) DatumGetInt16(decision->changes.values[GQ_ATT_STATUS - 1]) : task->status;
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
	GqType	   *entry = gq_type_of_task(task);
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
	gq_count_moved(entry, task->status, decision->remove ? 0 : status, 1);
	if (task->status == GQ_PROCESSING && (decision->remove || status != GQ_PROCESSING))
		gq_xact_lease_over(task->id, task->token);
	else if (is_changed(changes, GQ_ATT_LEASE_UNTIL))
		note_lease_end(task, DatumGetTimestampTz(changes->values[GQ_ATT_LEASE_UNTIL - 1]));
	if (decision->remove || (GqStatusIsTerminal(status) && status != task->status))
		gq_await_note(task->id);
	note_totals(entry, decision->totals);
	if (leaves_line(task, decision, status))
		gq_unsettled_line(task);
	if (ends_for_others(task, decision, status, entry))
		gq_unsettled_task(task->id, status, false);
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
	if (status_after(task, decision) == GQ_PROCESSING)
		gq_processing_note(to, &slot->tts_tid);
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

/* One that is in processing afterwards, by a claim or a heartbeat, is easy to find. */
static TM_Result
update(GqGeneration *generation, const GqTask *task, const GqDecision *decision, bool wait,
	   TupleTableSlot *new_slot)
{
	bool		processing = status_after(task, decision) == GQ_PROCESSING;
	TupleTableSlot *next = processing && new_slot == NULL ? gq_row_virtual_slot(generation) : new_slot;
	TM_Result	result = gq_row_update(generation, task->slot, &decision->changes,
									   crosscheck_snapshot(), wait, next);

	if (result == TM_Ok && processing)
		gq_processing_note(generation, &next->tts_tid);
	if (next != new_slot)
		ExecDropSingleTupleTableSlot(next);
	return result;
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
		result = update(generation, task, decision, wait, new_slot);
	if (result == TM_Ok)
		note_change(generation->number, generation->number, task, decision);
	return result;
}

/*
 * May it be changed so without waiting for the lock of a line, or of a task?  A
 * pending task is changed under its locks alone; without wait, those that will be
 * needed when it has ended must be free, too, and are taken.
 */
static bool
holds_locks(const GqTask *task, const GqDecision *decision, bool wait)
{
	GqKeyLock	locks[2];
	int			n;

	if (task->status == GQ_PENDING)
	{
		n = gq_under_locks_of(task, decision->under_line, locks);
		return (n == 0 || gq_locks_hold(&locks[0])) && (n < 2 || gq_locks_hold(&locks[1]));
	}
	if (wait || !leaves_line(task, decision, status_after(task, decision)))
		return true;			/* it is settled later */
	return !gq_line_of(task, &locks[0]) || gq_locks_try(&locks[0]);
}

/* Whether they are held now or not: the task is to be looked at again. */
static bool
take_locks(const GqTask *task, const GqDecision *decision, bool wait)
{
	const bool	which = true;
	GqKeyLock	locks[2];
	int			n;

	if (wait)
	{
		bool		ends = decision->remove || GqStatusIsTerminal(status_after(task, decision));

		(void) gq_under_take(&task->id, 1, ends ? GQ_UNDER_CANCEL : GQ_UNDER_PENDING, &which, NULL, 0);
		return true;
	}
	n = gq_under_locks_of(task, decision->under_line, locks);
	for (int i = 0; i < n; i++)
		if (!gq_locks_try(&locks[i]))
			return false;
	return true;
}

/* One look at the task; GQ_BUSY: it is being changed, or was since. */
static GqOutcome
try_change(GqSearch *search, int64 id, GqManner manner, GqDecide decide, void *arg)
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
	if (!manner.wait && !manner.guarded &&
		ends_for_others(&task, &decision, status_after(&task, &decision), gq_type_of_task(&task)))
		return GQ_UNGUARDED;
	if (!holds_locks(&task, &decision, manner.wait))
		return manner.one_of_many ? GQ_REFUSED :
			task.status == GQ_PENDING && take_locks(&task, &decision, manner.wait)
			? GQ_STALE : GQ_BUSY;
	return gq_change_row(generation, &task, &decision, manner.wait, NULL) == TM_Ok
		? GQ_CHANGED : GQ_BUSY;
}

GqOutcome
gq_change_by_id(GqSearch *search, int64 id, GqManner manner, GqDecide decide, void *arg)
{
	for (;;)
	{
		GqOutcome	outcome = try_change(search, id, manner, decide, arg);

		if (outcome != GQ_STALE && (outcome != GQ_BUSY || !manner.wait))
			return outcome;
		if (outcome == GQ_BUSY && IsolationUsesXactSnapshot())
			gq_err_serialization();
		CHECK_FOR_INTERRUPTS();
		/* in case this very command changed it before */
		CommandCounterIncrement();
		gq_search_renew(search);
	}
}
