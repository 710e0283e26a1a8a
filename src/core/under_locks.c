/*-------------------------------------------------------------------------
 *
 * under_locks.c
 *	  Tasks that are changed under locks of keys, not by whoever gets the row first.
 *
 * A task that is pending, or comes back to life, concerns others: those of its
 * line, those that it waits for, those that are canceled with it.  Whoever changes it
 * holds their locks, all taken at once, so that they are in order.  Others
 * may hold the row of a task that is not pending and wait for such a lock; so who
 * holds one must not wait for such a row.  Therefore a call that treats many tasks
 * does those first that need no locks.
 *
 * While a call waits for the locks, a task may come out of the state for which they
 * are needed: its turn has come.  Then they are given back, with the subtransaction
 * that took them, and the task is treated like the others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "core/dependency.h"
#include "core/line.h"
#include "core/status.h"
#include "core/subtransaction.h"
#include "core/under_locks.h"
#include "core/unsettled.h"
#include "store/dependencies.h"

static bool
is_in(GqStatus status, GqUnder state)
{
	return state == GQ_UNDER_ENDED ? GqStatusIsTerminal(status) : status == GQ_PENDING;
}

int
gq_under_locks_of(const GqTask *task, bool under_line, GqKeyLock locks[2])
{
	bool		has_no_parents;
	int			n = 0;

	(void) slot_getattr(task->slot, GQ_ATT_AFTER, &has_no_parents);
	if (!has_no_parents && !(under_line && task->place != 0))
		locks[n++] = gq_dependency_lock(task->id);
	if (gq_line_of(task, &locks[n]))
		n++;
	return n;
}

int64
gq_under_find(const int64 *ids, int64 n, GqUnder state, bool *which)
{
	GqSearch   *search = gq_search_begin(NULL);
	int64		count = 0;

	for (int64 i = 0; i < n; i++)
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		which[i] = false;
		if (!gq_task_find(search, ids[i], &task))
			continue;
		which[i] = is_in(task.status, state);
		count += which[i];
	}
	gq_search_end(search);
	return count;
}

/* ---- the locks ---- */

typedef struct Locks
{
	GqKeyLock  *items;
	int64		n;
	int64		room;
} Locks;

static void
append_lock(Locks *locks, GqKeyLock lock)
{
	if (locks->n == locks->room)
	{
		locks->room *= 2;
		locks->items = repalloc_huge(locks->items, sizeof(GqKeyLock) * locks->room);
	}
	locks->items[locks->n++] = lock;
}

static void
append_copies(Locks *locks, const GqTask *task)
{
	GqKeyLock	own[2];
	int			n = gq_under_locks_of(task, false, own);

	for (int i = 0; i < n; i++)
	{
		own[i].type = datumCopy(own[i].type, false, -1);
		own[i].key = datumCopy(own[i].key, false, -1);
		append_lock(locks, own[i]);
	}
}

static void
append_parents(Locks *locks, const GqTask *task)
{
	GqParents  *parents = gq_parents_of_task(task);

	for (int i = 0; parents != NULL && i < parents->n; i++)
		append_lock(locks, gq_dependency_lock(parents->ids[i]));
}

/* It ends, and with it those that wait for it, and for these, and so on. */
static void
append_descendants(Locks *locks, GqSearch *search, HTAB *visited, int64 id)
{
	List	   *todo = NIL;
	bool		found;

	for (;;)
	{
		int64		n;
		int64	   *children = gq_dependencies_children(id, &n);

		CHECK_FOR_INTERRUPTS();
		append_lock(locks, gq_dependency_lock(id));
		for (int64 i = 0; i < n; i++)
		{
			GqTask		task;
			int64	   *child = hash_search(visited, &children[i], HASH_ENTER, &found);

			if (found || !gq_task_find(search, *child, &task))
				continue;
			append_copies(locks, &task);
			todo = lappend(todo, child);
		}
		pfree(children);
		if (todo == NIL)
			return;
		id = *(int64 *) llast(todo);
		todo = list_delete_last(todo);
	}
}

/* What this call has left to settle: tasks that have ended, with those that end with
 * them, and lines. */
static void
append_unsettled(Locks *locks, GqSearch *search, HTAB *visited)
{
	int64		mark = gq_unsettled_call();
	int64		n;
	int64	   *which = gq_unsettled_gather(mark, false, false, &n);

	for (int64 i = 0; i < n; i++)
	{
		append_descendants(locks, search, visited, gq_unsettled_nth(which[i])->number);
	}
	pfree(which);
	which = gq_unsettled_gather(mark, false, true, &n);
	for (int64 i = 0; i < n; i++)
		append_lock(locks, gq_unsettled_nth(which[i])->line);
	pfree(which);
}

/* The locks of those, and what is to be locked with them.  How many are of those
 * themselves. */
static int64
collect_locks(const int64 *ids, int64 n, GqUnder state, const bool *which, Locks *locks)
{
	GqSearch   *search = gq_search_begin(NULL);
	HASHCTL		ctl = {.keysize = sizeof(int64),.entrysize = sizeof(int64),.hcxt = CurrentMemoryContext};
	HTAB	   *visited = hash_create("goque descendants", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	int64		others;

	append_unsettled(locks, search, visited);
	others = locks->n;
	for (int64 i = 0; i < n; i++)
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		if (!which[i] || !gq_task_find(search, ids[i], &task))
			continue;
		append_copies(locks, &task);
		if (state == GQ_UNDER_ENDED)
			append_parents(locks, &task);
		else if (state == GQ_UNDER_CANCEL)
			append_descendants(locks, search, visited, ids[i]);
	}
	hash_destroy(visited);
	gq_search_end(search);
	return locks->n - others;
}

static bool
all_held(const Locks *locks)
{
	for (int64 i = 0; i < locks->n; i++)
		if (!gq_locks_hold(&locks->items[i]))
			return false;
	return true;
}

/* Are those that were in that state in it still? */
static bool
are_still(const int64 *ids, int64 n, GqUnder state, const bool *which)
{
	bool	   *now = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * Max(n, 1));
	bool		all = true;

	(void) gq_under_find(ids, n, state, now);
	for (int64 i = 0; i < n && all; i++)
		all = now[i] || !which[i];
	pfree(now);
	return all;
}

/* what is locked, for whom */
typedef struct Taking
{
	Locks		locks;
	const int64 *ids;
	int64		n;
	GqUnder		state;
	const bool *which;
} Taking;

/* Others may have come to wait for a task before it was locked. */
static bool
take_if_still(void *arg)
{
	Taking	   *taking = arg;
	Locks		anew = {.room = 16};

	gq_locks_take(taking->locks.items, taking->locks.n);
	if (!are_still(taking->ids, taking->n, taking->state, taking->which))
		return false;
	if (taking->state != GQ_UNDER_CANCEL)
		return true;
	anew.items = palloc(sizeof(GqKeyLock) * anew.room);
	(void) collect_locks(taking->ids, taking->n, taking->state, taking->which, &anew);
	return all_held(&anew);
}

bool
gq_under_take(const int64 *ids, int64 n, GqUnder state, const bool *which,
			  const GqKeyLock *more, int64 nmore)
{
	Taking		taking = {.locks = {.room = nmore + 16},.ids = ids,.n = n,.state = state,.which = which};
	Locks	   *locks = &taking.locks;
	bool		good = true;

	locks->items = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * locks->room);
	for (int64 i = 0; i < nmore; i++)
		append_lock(locks, more[i]);
	collect_locks(ids, n, state, which, locks);

	/*
	 * without tasks that can change meanwhile, or what is held anyway, there
	 * is no need
	 */
	if (locks->n == nmore)
		gq_locks_take(locks->items, nmore);
	else if (!all_held(locks))
		good = gq_in_subtransaction(take_if_still, &taking);
	pfree(locks->items);
	return good;
}

/* ---- many ---- */

/* Of those that are to do, which are free, and which are in the state?  These are left. */
static int64
divide(const int64 *ids, int64 n, GqUnder state, bool *todo, bool *free)
{
	bool	   *under = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * Max(n, 1));
	int64		left = 0;

	(void) gq_under_find(ids, n, state, under);
	for (int64 i = 0; i < n; i++)
	{
		free[i] = todo[i] && !under[i];
		todo[i] &= under[i];
		left += todo[i];
	}
	pfree(under);
	return left;
}

/* Those that came into the state after the look, and so were refused, are to do. */
static int64
add_late(const int64 *ids, int64 n, GqUnder state, const bool *free, bool *todo)
{
	bool	   *under = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * Max(n, 1));
	int64		count = 0;

	(void) gq_under_find(ids, n, state, under);
	for (int64 i = 0; i < n; i++)
		if (free[i] && under[i])
		{
			todo[i] = true;
			count++;
		}
	pfree(under);
	return count;
}

void
gq_under_rounds(const int64 *ids, int64 n, GqUnder state, GqRound round, void *arg)
{
	bool	   *todo = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * Max(n, 1));
	bool	   *free = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * Max(n, 1));

	memset(todo, true, sizeof(bool) * n);
	for (;;)
	{
		int64		left = divide(ids, n, state, todo, free);

		CHECK_FOR_INTERRUPTS();
		if (!round(free, arg) && state != GQ_UNDER_ENDED &&
			add_late(ids, n, state, free, todo) > 0)
			continue;
		if (left == 0)
			break;
		if (gq_under_take(ids, n, state, todo, NULL, 0))
		{
			(void) round(todo, arg);
			break;
		}
	}
	pfree(todo);
	pfree(free);
}
