/*-------------------------------------------------------------------------
 *
 * await.c
 *	  Waiting for the end of one task, and telling those who do.
 *
 * The waiter looks with the latest snapshot, whatever its transaction's own is:
 * the end of a task that others do is never in a snapshot taken before it.
 *
 * It is woken by the commit that ended the task.  COMMIT PREPARED wakes nobody,
 * nor does the replay of a commit on a standby, nor anything without shared
 * memory: so it also looks by itself, now and then.
 *
 * Who ends a task notes its id.  A note may stand for too much (it stays when a
 * savepoint is rolled back), since it costs no more than a look.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/await.h"
#include "core/notes.h"
#include "core/sleep.h"
#include "core/task.h"
#include "shared/awaited.h"
#include "shared/shmem.h"
#include "store/relations.h"
#include "store/row_lock.h"

#define LOOK_INTERVAL (3 * USECS_PER_SEC)
#define POLL_INTERVAL (1 * USECS_PER_SEC)

/* ---- the waiter ---- */

static void
refuse_own(int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot wait for a task that this transaction has added or changed"),
			 errdetail("Task " INT64_FORMAT " cannot end before this transaction does.", id),
			 errhint("Commit first, and call goque_wait_for() in the next transaction.")));
}

/* True: it has ended, and how. */
static bool
read_end(const GqTask *task, GqEnd *end)
{
	bool		isnull;
	Datum		result;

	if (!GqStatusIsTerminal(task->status))
	{
		if (gq_row_is_own(task->slot) || gq_row_is_held(task->slot))
			refuse_own(task->id);
		return false;
	}
	end->status = task->status;
	result = slot_getattr(task->slot, GQ_ATT_RESULT, &isnull);
	end->has_result = !isnull;
	if (!isnull)
		end->result = PointerGetDatum(PG_DETOAST_DATUM_COPY(result));
	end->error = gq_task_text(task, GQ_ATT_ERROR);
	return true;
}

static bool
look(int64 id, GqEnd *end)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqTask		task;
	bool		ended = true;

	memset(end, 0, sizeof(GqEnd));
	if (gq_task_find(search, id, &task))
		ended = read_end(&task, end);
	gq_search_end(search);
	return ended;
}

static int64
look_interval(void)
{
	return gq_shared != NULL && !RecoveryInProgress() ? LOOK_INTERVAL : POLL_INTERVAL;
}

bool
gq_await(int64 id, int64 deadline, GqEnd *end)
{
	bool		ended;

	gq_await_begin(gq_instance(), id);
	for (;;)
	{
		gq_sleep_rearm();
		gq_await_rearm();
		ended = look(id, end);
		if (ended || gq_sleep_is_over(deadline))
			break;
		gq_sleep(deadline, GetCurrentTimestamp() + look_interval());
	}
	gq_await_end();
	return ended;
}

/* ---- who ends tasks ---- */

static int64 *ended;			/* in TopTransactionContext */
static int	nended;
static int64 room;
static Oid	noted_instance;

void
gq_await_note(int64 id)
{
	if (gq_shared == NULL)
		return;
	if (nended == room)
		ended = gq_notes_grow(ended, &room, sizeof(int64));
	ended[nended++] = id;
	noted_instance = gq_instance();
}

void
gq_await_tell(void)
{
	if (nended == 0 || !gq_await_any())
		return;
	for (int i = 0; i < nended; i++)
		gq_await_wake(noted_instance, ended[i]);
}

/* The memory goes with the transaction. */
void
gq_await_forget(void)
{
	ended = NULL;
	nended = room = 0;
}
