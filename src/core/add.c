/*-------------------------------------------------------------------------
 *
 * add.c
 *	  Adding tasks.
 *
 * All keys of the call are locked before anything is added: external ids first,
 * then, when it is known what is added and what is replaced, ordering keys.
 *
 * Tasks without an external id go into the current generation in batches.
 * Those with one are added one after the other under the lock of their key, so
 * that a key repeated in a batch behaves as in successive calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/add.h"
#include "core/change.h"
#include "core/counts.h"
#include "core/delays.h"
#include "core/detail.h"
#include "core/installation.h"
#include "core/line.h"
#include "core/pending.h"
#include "core/replace.h"
#include "core/settle.h"
#include "core/under_locks.h"
#include "core/unique.h"
#include "core/unsettled.h"
#include "core/xact.h"
#include "shared/shmem.h"
#include "store/dependencies.h"

/* rows handed to the table at once, as COPY does */
#define BATCH_ROWS 1000
#define BATCH_BYTES 65536

/* ---- rows ---- */

static void
set_value(TupleTableSlot *slot, int attr, Datum value)
{
	slot->tts_values[attr - 1] = value;
	slot->tts_isnull[attr - 1] = false;
}

static GqStatus
status_of(const GqNewTask *task)
{
	return task->pending ? GQ_PENDING : GQ_NEW;
}

static void
form_row(const GqAddOptions *options, Datum type, const GqNewTask *task, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * GQ_TASK_NATTS);
	set_value(slot, GQ_ATT_ID, Int64GetDatum(task->id));
	set_value(slot, GQ_ATT_CREATED_AT, TimestampTzGetDatum(options->now));
	set_value(slot, GQ_ATT_NEXT_ATTEMPT_AT,
			  TimestampTzGetDatum(task->pending ? DT_NOEND : options->run_at));
	set_value(slot, GQ_ATT_MAX_ATTEMPTS, Int32GetDatum(options->max_attempts));
	set_value(slot, GQ_ATT_PRIORITY, Int16GetDatum(options->priority));
	set_value(slot, GQ_ATT_UNIQUE_WHILE, Int16GetDatum((int16) options->unique_while));
	set_value(slot, GQ_ATT_STATUS, Int16GetDatum(status_of(task)));
	set_value(slot, GQ_ATT_ATTEMPTS, Int32GetDatum(0));
	set_value(slot, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(options->now));
	set_value(slot, GQ_ATT_TYPE, type);
	set_value(slot, GQ_ATT_PAYLOAD, task->payload);
	if (options->expires_at != 0)
		set_value(slot, GQ_ATT_EXPIRES_AT, TimestampTzGetDatum(options->expires_at));
	if (options->timeout != NULL)
		set_value(slot, GQ_ATT_TIMEOUT, IntervalPGetDatum(options->timeout));
	if (task->pending)
		set_value(slot, GQ_ATT_RUN_AT, TimestampTzGetDatum(options->run_at));
	if (task->has_external_id)
		set_value(slot, GQ_ATT_EXTERNAL_ID, task->external_id);
	if (task->has_ordering_key)
	{
		set_value(slot, GQ_ATT_ORDERING_KEY, task->ordering_key);
		set_value(slot, GQ_ATT_PLACE, Int64GetDatum(task->id));
	}
	if (options->parents != NULL)
		set_value(slot, GQ_ATT_AFTER, options->parents->array);
	if (options->has_metadata)
		set_value(slot, GQ_ATT_METADATA, options->metadata);
	ExecStoreVirtualTuple(slot);
}

static void
note_added(const GqAddOptions *options, GqType *entry, int generation, const GqNewTask *task)
{
	GqKey		key = {options->run_at, task->id};

	if (!task->pending)
	{
		gq_xact_ready(entry, generation, options->priority, key);
		gq_delays_note(entry, options->run_at, options->now, 1);
	}
	gq_count_moved(entry, 0, status_of(task), 1);
	gq_count_total(entry, GQ_TOTAL_ADDED);
}

static void
note_payload(GqType *entry, int64 bytes)
{
	if (entry == NULL || bytes <= entry->max_payload)
		return;
	SpinLockAcquire(&entry->mutex);
	entry->max_payload = Max(entry->max_payload, bytes);
	SpinLockRelease(&entry->mutex);
}

/* How many of the tasks go into the next batch. */
static int
batch_size(const GqNewTask *tasks, int n)
{
	Size		bytes = 0;
	int			size;

	for (size = 0; size < n && size < BATCH_ROWS && bytes < BATCH_BYTES; size++)
		bytes += toast_datum_size(tasks[size].payload);
	return size;
}

/* Give the tasks their ids and insert them. */
static void
insert_tasks(const GqAddOptions *options, GqNewTask *tasks, int n)
{
	GqGeneration *generation = gq_generation_open_current();
	GqType	   *entry = gq_type_of(options->type);
	Datum		type = CStringGetTextDatum(options->type);
	TupleTableSlot *slots[BATCH_ROWS];
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque add",
												  ALLOCSET_DEFAULT_SIZES);
	int64		largest = 0;
	int			nslots = 0;

	for (int done = 0, size; done < n; done += size)
	{
		GqNewTask  *batch = &tasks[done];
		MemoryContext old;

		size = batch_size(batch, n - done);
		while (nslots < size)
			slots[nslots++] = gq_row_virtual_slot(generation);
		old = MemoryContextSwitchTo(scratch);
		for (int i = 0; i < size; i++)
		{
			batch[i].id = gq_row_next_id();
			form_row(options, type, &batch[i], slots[i]);
			largest = Max(largest, (int64) toast_raw_datum_size(batch[i].payload));
		}
		gq_row_insert(generation, slots, size);
		for (int i = 0; i < size; i++)
			note_added(options, entry, generation->number, &batch[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	note_payload(entry, largest);
	for (int i = 0; i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	MemoryContextDelete(scratch);
	gq_generation_close(generation);
	CommandCounterIncrement();
}

/* ---- external ids ---- */

static void
raise_clash(const GqAddOptions *options, const GqNewTask *task, int64 existing)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("a task with this external_id exists already"),
			 errdetail("Task %lld of type \"%s\" has the external_id \"%s\".",
					   (long long) existing, gq_detail(options->type),
					   gq_detail(TextDatumGetCString(task->external_id))),
			 errhint("Pass on_conflict => 'ignore', 'skip' or 'replace' if that is expected, or another external_id.")));
}

/* Under a snapshot of its own, the caller must not be told of what it cannot see. */
static void
check_visible(int64 id)
{
	GqSearch   *search;
	TupleTableSlot *slot;

	if (!IsolationUsesXactSnapshot())
		return;
	search = gq_search_begin(GetTransactionSnapshot());
	if (gq_search_find(search, id, &slot) == NULL)
		gq_err_serialization();
	gq_search_end(search);
}

/* What becomes of a task whose key is taken by `existing`; false: look again. */
static bool
resolve_clash(const GqAddOptions *options, GqNewTask *task, int64 existing)
{
	GqUniqueKey key = {CStringGetTextDatum(options->type), task->external_id};

	switch (options->on_conflict)
	{
		case GQ_CONFLICT_ERROR:
			raise_clash(options, task, existing);
			break;
		case GQ_CONFLICT_SKIP:
			task->id = 0;
			break;
		case GQ_CONFLICT_IGNORE:
			check_visible(existing);
			task->id = existing;
			break;
		case GQ_CONFLICT_REPLACE:
			check_visible(existing);
			task->id = existing;
			if (gq_replace(options, task, true))
			{
				gq_replace_finish(options, task);
				break;
			}
			/* it was begun, or finished: is it still in the way? */
			return gq_unique_find(key, options->unique_while, 0) == existing;
	}
	return true;
}

static GqKeyLock
line_of(Datum type, const GqNewTask *task)
{
	GqKeyLock	line = {GQ_LOCK_LINE, type, task->ordering_key};

	return line;
}

/* Must every task of the call wait for others, or be canceled? */
static bool
has_parents(const GqAddOptions *options)
{
	return options->parents != NULL && (options->parents->nlive > 0 || options->parents->ended != 0);
}

/* New tasks are there: now what they wait for. */
static void
link_to_parents(const GqAddOptions *options, const GqNewTask *tasks, int n)
{
	const GqParents *parents = options->parents;
	int64	   *ids;

	if (!has_parents(options))
		return;
	if (parents->ended != 0)
	{
		char	   *reason = gq_parents_reason(parents->ended, parents->ended_as);

		for (int i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			(void) gq_pending_cancel(tasks[i].id, reason);
		}
		return;
	}
	ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * n);
	for (int i = 0; i < n; i++)
		ids[i] = tasks[i].id;
	gq_dependencies_insert(parents->live, parents->nlive, ids, n);
	pfree(ids);
	/* whoever ended one just now may not have seen us */
	for (int i = 0; i < parents->nlive; i++)
		gq_unsettled_task(parents->live[i], 0, true);
}

static void
insert_task(const GqAddOptions *options, Datum type, GqNewTask *task)
{
	task->pending = has_parents(options);
	if (task->has_ordering_key)
	{
		GqKeyLock	line = line_of(type, task);

		gq_locks_take(&line, 1);	/* held already, but for a rare race */
		task->pending |= gq_line_is_busy(&line);
	}
	insert_tasks(options, task, 1);
	link_to_parents(options, task, 1);
}

static void
add_with_external_id(const GqAddOptions *options, Datum type, GqNewTask *task)
{
	GqUniqueKey key = {type, task->external_id};

	for (;;)
	{
		int64		existing = gq_unique_find(key, options->unique_while, 0);

		CHECK_FOR_INTERRUPTS();
		if (existing == 0)
		{
			insert_task(options, type, task);
			return;
		}
		if (resolve_clash(options, task, existing))
			return;
	}
}

static int
lock_external_ids(Datum type, const GqNewTask *tasks, int n)
{
	GqKeyLock  *locks = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * n);
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (tasks[i].has_external_id)
			locks[count++] = (GqKeyLock)
		{
			GQ_LOCK_EXTERNAL_ID, type, tasks[i].external_id
		};
	gq_locks_take(locks, count);
	pfree(locks);
	return count;
}

/* a task of the batch, and the one that has its external id (0: none) */
typedef struct Turn
{
	int64		existing;
	int			task;
	bool		replaced;		/* already */
	bool		pending;		/* it is pending now */
} Turn;

static int
compare_turns(const void *a, const void *b)
{
	const Turn *x = a;
	const Turn *y = b;

	/* replacements first, in the order in which others lock rows */
	if (x->existing != y->existing)
		return (uint64) x->existing - 1 < (uint64) y->existing - 1 ? -1 : 1;
	return x->task < y->task ? -1 : 1;
}

/* In which order to add the tasks of a batch: theirs, but for replacements. */
static Turn *
order_turns(const GqAddOptions *options, Datum type, const GqNewTask *tasks, int n)
{
	Turn	   *turns = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Turn) * n);
	bool		replace = options->on_conflict == GQ_CONFLICT_REPLACE;

	for (int i = 0; i < n; i++)
	{
		turns[i] = (Turn)
		{
			0, i, false, false
		};
		if (tasks[i].has_external_id && (replace || tasks[i].has_ordering_key))
		{
			GqUniqueKey key = {type, tasks[i].external_id};

			CHECK_FOR_INTERRUPTS();
			turns[i].existing = gq_unique_find(key, options->unique_while, 0);
		}
	}
	if (replace)
		qsort(turns, n, sizeof(Turn), compare_turns);
	return turns;
}

/* Replace what is not pending, before any line is locked: see core/under_locks.c. */
static void
replace_first(const GqAddOptions *options, GqNewTask *tasks, Turn *turns, int n)
{
	for (int i = 0; i < n; i++)
	{
		GqNewTask  *task = &tasks[turns[i].task];

		CHECK_FOR_INTERRUPTS();
		if (turns[i].existing == 0 || turns[i].replaced)
			continue;
		check_visible(turns[i].existing);
		task->id = turns[i].existing;
		turns[i].replaced = gq_replace(options, task, false);
		(void) gq_under_find(&task->id, 1, GQ_UNDER_PENDING, &turns[i].pending);
	}
}

/* ---- ordering keys ---- */

static bool
any_ordering_key(const GqNewTask *tasks, int n)
{
	for (int i = 0; i < n; i++)
		if (tasks[i].has_ordering_key)
			return true;
	return false;
}

/* The tasks that all of the call wait for, if they are not to be locked later:
 * who will hold a line, or replaces, has to lock them first. */
static int64
parents_to_lock(const GqAddOptions *options, bool replace, const GqNewTask *tasks, int n,
				GqKeyLock *locks)
{
	const GqParents *parents = options->parents;
	int64		count = 0;

	if (parents == NULL || parents->n == 0 || !(replace || any_ordering_key(tasks, n)))
		return 0;
	if (replace)				/* two together may close a cycle */
		locks[count++] = (GqKeyLock)
	{
		GQ_LOCK_AFTER, CStringGetTextDatum(""), CStringGetTextDatum("")
	};
	for (int i = 0; i < parents->n; i++)
		locks[count++] = gq_dependency_lock(parents->ids[i]);
	return count;
}

/* All but external ids: parents, the lines that the tasks of a batch join or have left,
 * and the locks of those that are replaced.  False, and nothing is held: one of these is
 * not pending any more. */
static bool
lock_rest(const GqAddOptions *options, Datum type, const GqNewTask *tasks, const Turn *turns, int n)
{
	int			nparents = options->parents != NULL ? options->parents->n : 0;
	GqKeyLock  *locks = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(GqKeyLock) * ((int64) n * 2 + nparents + 1));
	int64	   *ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * n);
	bool	   *pending = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * n);
	bool		replace = turns != NULL && options->on_conflict == GQ_CONFLICT_REPLACE;

	/* one that is to wait for what has ended otherwise is canceled */
	GqUnder		under = nparents > 0 ? GQ_UNDER_CANCEL : GQ_UNDER_PENDING;
	int64		count = parents_to_lock(options, replace, tasks, n, locks);
	bool		held;

	for (int i = 0; i < n; i++)
	{
		const GqNewTask *task = &tasks[turns != NULL ? turns[i].task : i];
		int64		existing = turns != NULL ? turns[i].existing : 0;

		ids[i] = existing;
		pending[i] = replace && turns[i].pending && (!turns[i].replaced || nparents > 0);
		if (task->has_ordering_key && (existing == 0 || replace))
			locks[count++] = line_of(type, task);
		if (replace && turns[i].pending)	/* perhaps it waits for nobody any
											 * more */
			locks[count++] = gq_dependency_lock(existing);
	}
	held = gq_under_take(ids, n, under, pending, locks, count);
	pfree(locks);
	pfree(ids);
	pfree(pending);
	return held;
}

static int
compare_lines(const void *a, const void *b, void *arg)
{
	const GqNewTask *tasks = arg;
	int			i = *(const int *) a;
	int			j = *(const int *) b;
	GqKeyLock	x = line_of((Datum) 0, &tasks[i]);
	GqKeyLock	y = line_of((Datum) 0, &tasks[j]);
	int			cmp;

	x.type = y.type = x.key;	/* it is the same for all */
	cmp = gq_locks_compare(&x, &y);
	return cmp != 0 ? cmp : i < j ? -1 : i > j ? 1 : 0;
}

/* Which of them must wait: all but the first of a line that nobody stands in. */
static void
choose_pending(Datum type, GqNewTask *tasks, int n)
{
	int		   *order = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * n);
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (tasks[i].has_ordering_key)
			order[count++] = i;
	qsort_arg(order, count, sizeof(int), compare_lines, tasks);
	for (int i = 0; i < count; i++)
	{
		GqKeyLock	line = line_of(type, &tasks[order[i]]);
		GqKeyLock	last = line_of(type, &tasks[order[Max(i - 1, 0)]]);

		CHECK_FOR_INTERRUPTS();
		tasks[order[i]].pending |= (i > 0 && gq_locks_compare(&line, &last) == 0) ||
			gq_line_is_busy(&line);
	}
	pfree(order);
}

/* ---- adding ---- */

static void
add_in_turn(const GqAddOptions *options, Datum type, GqNewTask *tasks, int n)
{
	Turn	   *turns = order_turns(options, type, tasks, n);

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (options->on_conflict == GQ_CONFLICT_REPLACE)
			replace_first(options, tasks, turns, n);
	} while (!lock_rest(options, type, tasks, turns, n));
	if (options->parents != NULL)
		gq_parents_look(options->parents, false);
	for (int i = 0; i < n; i++)
	{
		GqNewTask  *task = &tasks[turns[i].task];

		if (turns[i].replaced)
			gq_replace_finish(options, task);
		else if (turns[i].existing != 0 && options->on_conflict != GQ_CONFLICT_REPLACE)
			/* its line is not locked: it stays at that */
			(void) resolve_clash(options, task, turns[i].existing);
		else if (task->has_external_id)
			add_with_external_id(options, type, task);
		else
			insert_task(options, type, task);
	}
	pfree(turns);
}

static void
add_together(const GqAddOptions *options, Datum type, GqNewTask *tasks, int n)
{
	bool		in_lines = any_ordering_key(tasks, n);

	if (in_lines)
		(void) lock_rest(options, type, tasks, NULL, n);
	if (options->parents != NULL)
		gq_parents_look(options->parents, false);
	for (int i = 0; i < n && has_parents(options); i++)
		tasks[i].pending = true;
	if (in_lines)
		choose_pending(type, tasks, n);
	insert_tasks(options, tasks, n);
	link_to_parents(options, tasks, n);
}

void
gq_add(const GqAddOptions *options, GqNewTask *tasks, int n)
{
	Datum		type = CStringGetTextDatum(options->type);

	if (n == 0)
		return;
	if (options->parents != NULL)
		gq_parents_announce(options->parents, false);
	if (lock_external_ids(type, tasks, n) > 0)
		add_in_turn(options, type, tasks, n);
	else
		add_together(options, type, tasks, n);
	gq_settle_call();
}
