/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  Holding a lease for the rest of a transaction.
 *
 * goque_guard locks the task's row, and says no if the lease does not hold it
 * any more.  Whoever would end the lease has to change the row: cancel and
 * everything else that waits, waits for the guarding transaction; the healer and
 * the cleaner pass the row by.  So whatever that transaction writes is committed
 * under a lease that holds, or not at all.
 *
 * A lock meets a change in progress in either order.  Guard first: the change
 * waits, and then finds the task as the guarding transaction left it.  Change
 * first: the guard waits, looks again, and finds the lease ended, or the row
 * somewhere else.
 *
 * The lock must not keep the worker's own heartbeats, which come from another
 * session, from extending the lease: they would wait for the transaction that
 * they are to keep alive.  They find the row locked and leave it alone; the
 * longer lease is then in shared memory only (shared/leases.c), where the healer
 * looks.  A crash forgets it together with the transaction that it was for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/detail.h"
#include "core/guard.h"
#include "core/status.h"
#include "shared/databases.h"
#include "shared/leases.h"
#include "store/row_lock.h"

/* What is the case instead; task NULL: there is none. */
static char *
why_not_held(int64 id, const GqTask *task)
{
	char	   *worker;

	if (task == NULL)
		return psprintf("There is no task " INT64_FORMAT ".", id);
	if (task->status != GQ_PROCESSING)
		return psprintf("Task " INT64_FORMAT " has the status \"%s\".", id,
						gq_status_name(task->status));
	worker = gq_task_text(task, GQ_ATT_WORKER);
	return psprintf("Task " INT64_FORMAT " is held by another lease, of worker \"%s\" since %s.", id,
					worker ? gq_detail(worker) : "", timestamptz_to_str(task->started_at));
}

static void
refuse(int64 id, const GqTask *task)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the lease does not hold the task"),
			 errdetail_internal("%s", why_not_held(id, task)),
			 errhint("Roll back and stop working on the task: the lease was ended, or the token is that of another one.")));
}

/* True: it is locked.  False: somebody was faster, look again. */
static bool
try_guard(GqSearch *search, int64 id, int64 token)
{
	TupleTableSlot *slot;
	GqGeneration *generation = gq_search_find(search, id, &slot);
	GqTask		task;

	if (generation == NULL)
		refuse(id, NULL);
	gq_task_read(&task, slot);
	if (!gq_task_is_held(&task, token))
		refuse(id, &task);
	return gq_row_lock(generation, slot,
					   IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : InvalidSnapshot) == TM_Ok;
}

void
gq_guard(int64 id, int64 token)
{
	GqSearch   *search = gq_search_begin(NULL);

	while (!try_guard(search, id, token))
	{
		if (IsolationUsesXactSnapshot())
			gq_err_serialization();
		CHECK_FOR_INTERRUPTS();
		/* in case this very command changed it before */
		CommandCounterIncrement();
		gq_search_renew(search);
	}
	gq_search_end(search);
}

/* ---- heartbeats meanwhile ---- */

static void
warn_progress(int64 id)
{
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("progress of a guarded task was not saved"),
			 errdetail("A transaction guards task " INT64_FORMAT "; its lease was extended all the same.", id),
			 errhint("Save progress before goque_guard(), or in the transaction that guards the task.")));
}

TimestampTz
gq_guard_heartbeat(int64 id, int64 token, TimestampTz now, int64 lease, bool has_progress)
{
	GqSearch   *search = gq_search_begin(NULL);
	TupleTableSlot *slot;
	GqTask		task;
	TimestampTz until = 0;

	if (gq_search_find(search, id, &slot) != NULL)
	{
		gq_task_read(&task, slot);
		if (gq_task_is_held(&task, token) && gq_row_is_only_locked(slot) &&
			!gq_row_is_held(slot))
		{
			until = gq_time_add(now, lease > 0 ? lease : task.lease_until - task.updated_at);
			until = gq_lease_extend(gq_instance(), id, task.token, task.lease_until, until);
			gq_database_due(MyDatabaseId, until);
		}
	}
	gq_search_end(search);
	if (until != 0 && has_progress)
		warn_progress(id);
	return until;
}
