/*-------------------------------------------------------------------------
 *
 * aftermath.c
 *	  What the end of a task means for those that were added after it.
 *
 * Each task that ended is looked at under its lock: its children are to be looked
 * at in turn.  A child whose parent is done loses the row of goque.dependencies
 * between them, and starts if that was the last; one whose parent ended otherwise
 * is canceled, and has ended itself.  Rows of a child go under the child's lock,
 * so of two parents that end together the second sees what the first has done.
 *
 * Tasks wait in a heap, the smallest id first: children are mostly younger than
 * their parents, so locks are taken in ascending order, whatever the shape of
 * the graph, and there is no recursion.  (A task that was replaced so that it
 * waits for a younger one is an exception.)
 *
 * A child with an ordering key is started when its line is settled, and canceled
 * then too, since that needs the line's lock; it keeps its rows until it is.  But
 * those that wait for it hear of it at once: all tasks are locked before any line.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/pairingheap.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "core/aftermath.h"
#include "core/dependency.h"
#include "core/line.h"
#include "core/pending.h"
#include "core/unsettled.h"
#include "store/dependencies.h"

typedef struct Look
{
	pairingheap_node node;
	int64		id;				/* the task to look at */
	int64		parent;			/* because this one ended; 0: itself may have */
	GqStatus	status;			/* how */
	bool		may_start;		/* it may wait for nobody any more */
} Look;

struct GqAftermath
{
	MemoryContext context;
	pairingheap *items;
	GqDoomed   *doomed;
	int			ndoomed;
	int			room;
};

/* ---- the heap ---- */

static int
compare_items(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const Look *x = pairingheap_const_container(Look, node, a);
	const Look *y = pairingheap_const_container(Look, node, b);

	/* the largest comes first: the smallest id, parents' news before its own */
	if (x->id != y->id)
		return x->id < y->id ? 1 : -1;
	return x->parent > y->parent ? 1 : x->parent < y->parent ? -1 : 0;
}

GqAftermath *
gq_aftermath_begin(void)
{
	GqAftermath *aftermath = palloc0(sizeof(GqAftermath));

	aftermath->context = CurrentMemoryContext;
	aftermath->items = pairingheap_allocate(compare_items, NULL);
	return aftermath;
}

static void
push(GqAftermath *aftermath, int64 id, int64 parent, GqStatus status, bool may_start)
{
	Look	   *item = MemoryContextAlloc(aftermath->context, sizeof(Look));

	item->id = id;
	item->parent = parent;
	item->status = status;
	item->may_start = may_start;
	pairingheap_add(aftermath->items, &item->node);
}

void
gq_aftermath_add(GqAftermath *aftermath, int64 id, GqStatus gone_as, bool may_start)
{
	push(aftermath, id, 0, gone_as, may_start);
}

/* ---- one task ---- */

/* It has ended: its children are to know, and it waits for nobody any more. */
static void
tell_children(GqAftermath *aftermath, int64 id, GqStatus status)
{
	int64		n;
	int64	   *children;

	gq_dependencies_delete_all(id);
	children = gq_dependencies_children(id, &n);
	if (n > 0 && status == 0)
		gq_err_no_parent(id);
	for (int64 i = 0; i < n; i++)
		push(aftermath, children[i], id, status, true);
	pfree(children);
}

/* It is pending: perhaps it waits for nobody. */
static void
start_if_free(const GqTask *task)
{
	if (gq_dependencies_any(task->id))
		return;
	if (task->place != 0)
		gq_unsettled_line(task);
	else
		(void) gq_pending_start(task->id);
}

/* Nobody else can change it, since we hold its lock; so its children are as good as
 * canceled, too. */
static void
doom(GqAftermath *aftermath, const GqTask *task, const char *reason)
{
	MemoryContext old = MemoryContextSwitchTo(aftermath->context);
	GqDoomed   *doomed;
	int64	   *children;
	int64		n;

	if (aftermath->ndoomed == aftermath->room)
	{
		aftermath->room = Max(16, aftermath->room * 2);
		aftermath->doomed = aftermath->doomed == NULL ? palloc(sizeof(GqDoomed) * aftermath->room)
			: repalloc_huge(aftermath->doomed, sizeof(GqDoomed) * aftermath->room);
	}
	doomed = &aftermath->doomed[aftermath->ndoomed++];
	doomed->id = task->id;
	(void) gq_line_of(task, &doomed->line);
	doomed->line.type = datumCopy(doomed->line.type, false, -1);
	doomed->line.key = datumCopy(doomed->line.key, false, -1);
	doomed->reason = pstrdup(reason);
	MemoryContextSwitchTo(old);
	children = gq_dependencies_children(task->id, &n);
	for (int64 i = 0; i < n; i++)
		push(aftermath, children[i], task->id, GQ_CANCELED, true);
	pfree(children);
}

/* By another parent's end?  (All news of a task come together.) */
static bool
is_doomed(const GqAftermath *aftermath, int64 id)
{
	return aftermath->ndoomed > 0 && aftermath->doomed[aftermath->ndoomed - 1].id == id;
}

/* A parent of it ended. */
static void
hear_of_parent(GqAftermath *aftermath, const Look *item, const GqTask *task)
{
	char	   *reason;

	if (!gq_dependencies_exist(item->parent, item->id))
		return;					/* somebody else has seen to it */
	if (item->status == GQ_DONE || task->status != GQ_PENDING)
	{
		gq_dependencies_delete(item->parent, item->id);
		return;
	}
	if (is_doomed(aftermath, item->id))
		return;
	reason = gq_parents_reason(item->parent, item->status);
	if (task->place != 0)
		doom(aftermath, task, reason);
	else
		(void) gq_pending_cancel(item->id, reason);
}

/* Under its lock. */
static void
look_at(GqAftermath *aftermath, const Look *item)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqTask		task;
	bool		found = gq_task_find(search, item->id, &task);

	if (item->parent != 0 && found)
		hear_of_parent(aftermath, item, &task);
	else if (item->parent != 0)
		gq_dependencies_delete(item->parent, item->id);
	else if (!found)
		tell_children(aftermath, item->id, item->status);
	else if (GqStatusIsTerminal(task.status))
		tell_children(aftermath, item->id, task.status);
	else if (task.status == GQ_PENDING && item->may_start)
		start_if_free(&task);
	gq_search_end(search);
}

/* ---- all ---- */

static bool
lock_task(int64 id, bool wait)
{
	GqKeyLock	lock = gq_dependency_lock(id);

	if (!wait)
		return gq_locks_try(&lock);
	gq_locks_take(&lock, 1);
	return true;
}

/* All news of a task under one lock, then a look at what they have made of it. */
static bool
treat_next(GqAftermath *aftermath, bool wait)
{
	Look	   *item = pairingheap_container(Look, node, pairingheap_first(aftermath->items));
	int64		id = item->id;
	GqStatus	gone_as = 0;
	bool		may_start = false;
	Look		child = {.id = id};

	if (!lock_task(id, wait))
		return false;
	while (!pairingheap_is_empty(aftermath->items))
	{
		item = pairingheap_container(Look, node, pairingheap_first(aftermath->items));
		if (item->id != id)
			break;
		CHECK_FOR_INTERRUPTS();
		(void) pairingheap_remove_first(aftermath->items);
		if (item->parent != 0)
			look_at(aftermath, item);
		may_start |= item->may_start;
		/* if it is gone after that, it was canceled, and is not kept */
		gone_as = Max(gone_as, item->parent == 0 ? item->status :
					  item->status == GQ_DONE ? 0 : GQ_CANCELED);
	}
	child.status = gone_as;
	child.may_start = may_start;
	look_at(aftermath, &child);
	return true;
}

bool
gq_aftermath_run(GqAftermath *aftermath, bool wait)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque aftermath",
												  ALLOCSET_DEFAULT_SIZES);
	bool		all = true;

	while (all && !pairingheap_is_empty(aftermath->items))
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		all = treat_next(aftermath, wait);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return all;
}

const GqDoomed *
gq_aftermath_doomed(const GqAftermath *aftermath, int *n)
{
	*n = aftermath->ndoomed;
	return aftermath->doomed;
}
