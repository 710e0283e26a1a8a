/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  Taking ready tasks for a worker.
 *
 * A claim is one update of the row that does not wait: if somebody else is at
 * the row, it is passed (SKIP LOCKED).  Nothing is locked that is not taken.
 *
 * In a transaction with a snapshot of its own (REPEATABLE READ, SERIALIZABLE)
 * a task that this snapshot does not see is left to others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/claim.h"
#include "core/claim_commit.h"
#include "core/counts.h"
#include "core/disconnect.h"
#include "core/installation.h"
#include "core/interval.h"
#include "core/ready.h"
#include "core/token.h"
#include "core/xact.h"
#include "guc.h"
#include "shared/databases.h"
#include "shared/leases.h"
#include "shared/runners.h"
#include "shared/shmem.h"
#include "shared/wakeup.h"

static int64
lease_of(const GqClaim *claim, const GqTask *task)
{
	int			att = GQ_ATT_TIMEOUT - 1;
	char	   *type;
	int64		timeout;

	if (claim->lease > 0)
		return claim->lease;
	if (!task->slot->tts_isnull[att])
		return gq_interval_usecs(DatumGetIntervalP(task->slot->tts_values[att]));
	type = gq_task_type(task);
	timeout = gq_settings(type)->timeout;
	pfree(type);
	return timeout;
}

static void
note_lease(int64 id, int64 token, TimestampTz lease_until)
{
	if (gq_shared == NULL)
		return;
	gq_xact_lease_begun(id, token, lease_until);
	if (!gq_lease_enter(gq_instance(), id, token, lease_until, MyProcPid))
		gq_xact_lease_unknown();
	gq_database_due(MyDatabaseId, lease_until);
	if (gq_release_on_disconnect)
		gq_disconnect_note(gq_instance(), id, token);
}

/* places of a type without a limit, taken and not used yet */
typedef struct Spare
{
	GqType	   *entry;
	int			n;
} Spare;

static void
give_back_spare(Spare *spare)
{
	if (spare->n > 0)
		gq_places_give_back(spare->entry, spare->n);
	spare->n = 0;
}

/* Take the place for a claim; of one type alone, the places for all. */
static void
take_place(const GqClaim *claim, GqType *entry, Spare *spare)
{
	if (entry == NULL)
		return;
	if (spare->n == 0 || spare->entry != entry)
	{
		int			n = claim->ntypes == 1 ? claim->max_tasks - claim->taken : 1;

		give_back_spare(spare);
		gq_places_take_any(entry, n);
		*spare = (Spare)
		{
			entry, n
		};
	}
}

/* What a place was taken for is done, or came to nothing. */
static void
settle_place(GqLimit *limit, const GqTask *task, Spare *spare, bool taken)
{
	if (limit != NULL && taken)
		gq_limit_taken(limit, task->id);
	else if (limit != NULL)
		gq_limit_keep(limit);
	else if (taken && spare->n > 0)
		spare->n--;
}

/* Returns whether it was taken; tells the scan if it is still to be had. */
static bool
take(GqClaim *claim, GqReadyScan *scan, GqGeneration *generation, GqType *entry,
	 const GqTask *task, TupleTableSlot *row, Spare *spare, TimestampTz now)
{
	int64		lease = lease_of(claim, task) + claim->grace;
	int64		token = gq_token_next();
	GqLimit    *limit = gq_ready_limit(scan);
	GqDecision	decision = {0};
	TM_Result	result;

	if (limit != NULL && !gq_limit_take(limit))
	{
		gq_ready_stop(scan);
		return false;
	}
	if (limit == NULL)
		take_place(claim, entry, spare);
	gq_task_claim(task, &decision.changes, now, lease, token, claim->worker);
	GqDecisionCount(&decision, GQ_TOTAL_FETCHED);
	result = gq_change_row(generation, task, &decision, false, row);
	settle_place(limit, task, spare, result == TM_Ok);
	if (result == TM_Ok)
	{
		note_lease(task->id, token, gq_time_add(now, lease));
		claim->emit(row, claim->arg);
	}
	else if (IsolationUsesXactSnapshot() && result != TM_BeingModified)
	{
		claim->unseen = true;
		gq_ready_keep(scan);
	}
	ExecClearTuple(row);
	return result == TM_Ok;
}

static void
note_fetch(GqType *entry, TimestampTz now)
{
	if (entry == NULL)
		return;
	SpinLockAcquire(&entry->mutex);
	entry->last_fetch_at = now;
	SpinLockRelease(&entry->mutex);
}

/* Every type that was asked for has somebody who fetches it. */
static void
note_fetches(const GqClaim *claim, TimestampTz now)
{
	if (gq_shared != NULL)
		for (int i = 0; i < claim->ntypes; i++)
			note_fetch(gq_type_of(claim->types[i]), now);
}

static void
end_limits(GqReadyScan *scan)
{
	ListCell   *lc;

	foreach(lc, gq_ready_limits(scan))
		gq_limit_end(lfirst(lc));
}

void
gq_claim(GqClaim *claim, bool with_more)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque claim",
												  ALLOCSET_DEFAULT_SIZES);
	TimestampTz now = GetCurrentTimestamp();
	TupleTableSlot *row = NULL;
	GqReadyScan *scan;
	GqGeneration *generation;
	GqType	   *entry;
	GqTask		task;
	Spare		spare = {0};

	claim->taken = 0;
	claim->unseen = false;
	gq_claims_begin();
	scan = gq_ready_begin(claim->types, claim->ntypes, now, true);
	note_fetches(claim, now);
	while (claim->taken < claim->max_tasks && gq_ready_next(scan, &task, &generation, &entry))
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (row == NULL)		/* all generations have the same columns */
			row = gq_row_virtual_slot(generation);
		old = MemoryContextSwitchTo(scratch);
		if (take(claim, scan, generation, entry, &task, row, &spare, now))
		{
			claim->taken++;
			if (claim->ntypes == 0)
				note_fetch(entry, now);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	if (with_more && claim->taken == claim->max_tasks &&
		gq_ready_next(scan, &task, &generation, &entry))
	{
		gq_ready_keep(scan);
		gq_runners_wake(entry, 1);
	}
	claim->next_due = gq_ready_next_due(scan);
	end_limits(scan);
	give_back_spare(&spare);
	gq_ready_end(scan);
	if (row != NULL)
		ExecDropSingleTupleTableSlot(row);
	gq_claims_end();
	if (claim->taken > 0)
		CommandCounterIncrement();
	MemoryContextDelete(scratch);
}

bool
gq_claim_would_find(char **types, int ntypes, TimestampTz *next_due)
{
	GqReadyScan *scan = gq_ready_begin(types, ntypes, GetCurrentTimestamp(), false);
	GqGeneration *generation;
	GqType	   *entry;
	GqTask		task;
	bool		found = gq_ready_next(scan, &task, &generation, &entry);

	if (found)
		gq_ready_keep(scan);
	*next_due = gq_ready_next_due(scan);
	gq_ready_end(scan);
	return found;
}
