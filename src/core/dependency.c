/*-------------------------------------------------------------------------
 *
 * dependency.c
 *	  Tasks that are added after others: their parents.
 *
 * A child waits for each parent that had not ended when it was added: a row of
 * goque.dependencies each.  Who ends a task looks for such rows, under the
 * task's lock (core/aftermath.c).  Who adds a child takes that lock only before
 * its commit, and looks at the parent again: so either sees the other.
 *
 * To end a task that nobody waits for must cost nothing, so shared memory knows
 * which types have, or had, children.  An adder says so before it looks at the
 * parent.  Who began to change the parent before that may not know, and is
 * waited for; who got its transaction id later does know.  Where there is no
 * shared memory, the table of dependencies itself is the sign: if it has no
 * page, nobody waits for anybody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "core/change.h"
#include "core/dependency.h"
#include "core/installation.h"
#include "core/status.h"
#include "store/dependencies.h"
#include "store/prepared.h"
#include "store/row_lock.h"
#include "store/task_ids.h"

#define PARENTS_SURVEYED 1000000	/* some seconds, once after a start */

/* ---- the sign ---- */

/* Children of before the start may not be committed yet. */
static bool
may_be_prepared(void)
{
	static bool none = false;	/* there will be no others */

	if (!none)
		none = !gq_prepared_pending();
	return !none;
}

/*
 * While it is not known of a type, nobody has made the sign since the start: what
 * children there are have been committed, or are prepared.
 */
bool
gq_dependency_has_children(GqType *entry, int64 id)
{
	uint64		known = entry == NULL ? GQ_CHILDREN_UNKNOWN : pg_atomic_read_u64(&entry->children);

	if (known == GQ_CHILDREN_NONE)
		return false;
	if (known != GQ_CHILDREN_UNKNOWN)
		return true;
	if (!gq_dependencies_are_void())
		return entry == NULL || gq_dependencies_any_child(id) || may_be_prepared();
	/* if it is still unknown */
	return entry != NULL &&
		!pg_atomic_compare_exchange_u64(&entry->children, &known, GQ_CHILDREN_NONE) &&
		known != GQ_CHILDREN_NONE;
}

/* Make the sign.  Returns since when everybody knows, as far as is known. */
static FullTransactionId
announce(GqType *entry, bool *newly)
{
	uint64		known = entry == NULL ? GQ_CHILDREN_SOME : pg_atomic_read_u64(&entry->children);
	FullTransactionId next;

	*newly = false;
	while (known < GQ_CHILDREN_SOME)
		if (pg_atomic_compare_exchange_u64(&entry->children, &known, GQ_CHILDREN_SOME))
		{
			*newly = true;
			known = GQ_CHILDREN_SOME;
		}
	if (known != GQ_CHILDREN_SOME)
		return FullTransactionIdFromU64(known);
	pg_memory_barrier();
	next = ReadNextFullTransactionId();
	if (entry != NULL)
		(void) pg_atomic_compare_exchange_u64(&entry->children, &known, U64FromFullTransactionId(next));
	return next;
}

static bool
may_not_know(TransactionId xid, FullTransactionId since)
{
	uint64		age = U64FromFullTransactionId(ReadNextFullTransactionId()) - U64FromFullTransactionId(since);

	return age < PG_INT32_MAX / 2 && TransactionIdPrecedes(xid, XidFromFullTransactionId(since));
}

static void
note_unknown(GqType *entry, void *arg)
{
	if (pg_atomic_read_u64(&entry->children) == GQ_CHILDREN_UNKNOWN)
		*(bool *) arg = true;
}

static void
know_none(GqType *entry, void *arg)
{
	uint64		known = GQ_CHILDREN_UNKNOWN;

	(void) pg_atomic_compare_exchange_u64(&entry->children, &known, GQ_CHILDREN_NONE);
}

typedef struct Survey
{
	GqSearch   *search;
	int			n;
} Survey;

static bool
survey_parent(int64 id, void *arg)
{
	Survey	   *survey = arg;
	GqTask		task;
	bool		newly;

	if (survey->n++ == PARENTS_SURVEYED)
		return false;
	if (!gq_task_find(survey->search, id, &task))
		return true;
	(void) announce(gq_type_of_task(&task), &newly);
	return true;
}

/* Whoever adds a child meanwhile makes the sign itself. */
void
gq_dependency_survey(void)
{
	bool		unknown = false;
	Survey		survey = {0};

	gq_each_type(note_unknown, &unknown);
	if (!unknown || gq_prepared_pending())
		return;
	survey.search = gq_search_begin(NULL);
	if (gq_dependencies_each_parent(survey_parent, &survey))
		gq_each_type(know_none, NULL);
	gq_search_end(survey.search);
}

/* ---- what was asked for ---- */

GqParents *
gq_parents_of(Datum array)
{
	GqParents  *parents = palloc0(sizeof(GqParents));
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &n);
	parents->array = array;
	parents->ids = palloc(sizeof(int64) * Max(n, 1));
	parents->live = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
		parents->ids[i] = nulls[i] ? 0 : DatumGetInt64(elements[i]);
	qsort(parents->ids, n, sizeof(int64), gq_compare_ids);
	for (int i = 0; i < n; i++)
		if (i == 0 || parents->ids[i] != parents->ids[parents->n - 1])
			parents->ids[parents->n++] = parents->ids[i];
	return parents;
}

GqParents *
gq_parents_of_task(const GqTask *task)
{
	bool		isnull;
	Datum		after = slot_getattr(task->slot, GQ_ATT_AFTER, &isnull);

	return isnull ? NULL : gq_parents_of(after);
}

GqKeyLock
gq_dependency_lock(int64 id)
{
	GqKeyLock	lock;

	lock.kind = GQ_LOCK_TASK;
	lock.type = CStringGetTextDatum("");
	/* texts sort as the numbers do: the older task first */
	lock.key = CStringGetTextDatum(psprintf("%020lld", (long long) id));
	return lock;
}

void
gq_err_no_parent(int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("argument \"after\" names a task that does not exist"),
			 errdetail("There is no task %lld.", (long long) id),
			 errhint("Leave out tasks that have ended and are not kept, or keep them for a while with goque_configure(type, retention => ...).")));
}

static void
announce_one(GqSearch *search, int64 id, bool missing_ok)
{
	for (;;)
	{
		TupleTableSlot *slot;
		FullTransactionId since;
		TransactionId updater;
		GqTask		task;
		bool		newly;

		CHECK_FOR_INTERRUPTS();
		if (gq_search_find(search, id, &slot) == NULL)
		{
			if (!missing_ok)
				gq_err_no_parent(id);
			return;
		}
		gq_task_read(&task, slot);
		since = announce(gq_type_of_task(&task), &newly);
		if (!newly)
		{
			updater = gq_row_updater(slot);
			if (!TransactionIdIsValid(updater) || !may_not_know(updater, since))
				return;
			XactLockTableWait(updater, NULL, NULL, XLTW_None);
		}
		gq_search_renew(search);
	}
}

void
gq_parents_announce(const GqParents *parents, bool missing_ok)
{
	GqSearch   *search;

	if (parents->n == 0)
		return;
	if (gq_dependencies_are_void())
		gq_dependencies_fill();
	search = gq_search_begin(NULL);
	for (int i = 0; i < parents->n; i++)
		announce_one(search, parents->ids[i], missing_ok);
	gq_search_end(search);
}

/* ---- how they are ---- */

void
gq_parents_look(GqParents *parents, bool missing_ok)
{
	GqSearch   *search = gq_search_begin(NULL);

	parents->nlive = 0;
	parents->ended = 0;
	for (int i = 0; i < parents->n; i++)
	{
		TupleTableSlot *slot;
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		if (gq_search_find(search, parents->ids[i], &slot) == NULL)
		{
			if (!missing_ok)
				gq_err_no_parent(parents->ids[i]);
			continue;
		}
		gq_task_read(&task, slot);
		if (!GqStatusIsTerminal(task.status))
			parents->live[parents->nlive++] = task.id;
		else if (task.status != GQ_DONE && parents->ended == 0)
		{
			parents->ended = task.id;
			parents->ended_as = task.status;
		}
	}
	gq_search_end(search);
}

char *
gq_parents_reason(int64 parent, GqStatus status)
{
	return psprintf("task %lld, which had to be done first, ended as %s",
					(long long) parent, gq_status_name(status));
}

int64 *
gq_dependencies_unfinished(int64 id, int64 *n)
{
	return gq_dependencies_parents(id, -1, n);
}

/* ---- cycles ---- */

typedef struct Visited
{
	int64		id;				/* the hash key */
	int64		child;			/* that waits for it */
} Visited;

#define CYCLE_SHOWN 10			/* tasks in the detail */

/* `last` waits for the child, and the child would, over others, wait for it. */
static void
raise_cycle(HTAB *visited, int64 last, int64 child)
{
	int64		path[CYCLE_SHOWN];
	int			n = 0;
	StringInfoData detail;

	for (int64 id = last; id != child && n < CYCLE_SHOWN; n++)
	{
		path[n] = id;
		id = ((const Visited *) hash_search(visited, &id, HASH_FIND, NULL))->child;
	}
	initStringInfo(&detail);
	appendStringInfo(&detail, "Task %lld would wait for ", (long long) child);
	while (--n >= 0)
		appendStringInfo(&detail, "task %lld, which waits for ", (long long) path[n]);
	appendStringInfo(&detail, last == child ? "itself." : "task %lld.", (long long) child);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"after\" closes a cycle"),
			 errdetail_internal("%s", detail.data),
			 errhint("Leave out the task itself, and those that wait for it.")));
}

/* Whom they wait for, whom those wait for, and so on, is not the child. */
void
gq_parents_check_cycle(const GqParents *parents, int64 child)
{
	HASHCTL		ctl = {.keysize = sizeof(int64),.entrysize = sizeof(Visited),.hcxt = CurrentMemoryContext};
	HTAB	   *visited = hash_create("goque cycle", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	List	   *todo = NIL;
	bool		found;

	for (int i = 0; i < parents->nlive; i++)
	{
		Visited    *start = hash_search(visited, &parents->live[i], HASH_ENTER, &found);

		start->child = child;
		todo = lappend(todo, start);
		if (start->id == child)
			raise_cycle(visited, child, child);
	}
	while (todo != NIL)
	{
		Visited    *visit = llast(todo);
		int64		n;
		int64	   *ids = gq_dependencies_parents(visit->id, -1, &n);

		CHECK_FOR_INTERRUPTS();
		todo = list_delete_last(todo);
		for (int64 i = 0; i < n; i++)
		{
			Visited    *next;

			if (ids[i] == child)
				raise_cycle(visited, visit->id, child);
			next = hash_search(visited, &ids[i], HASH_ENTER, &found);
			if (found)
				continue;
			next->child = visit->id;
			todo = lappend(todo, next);
		}
		pfree(ids);
	}
	hash_destroy(visited);
}
