/*-------------------------------------------------------------------------
 *
 * types_in_use.c
 *	  The types that have tasks, read off the ready indexes.
 *
 * One index descent for each type and generation (a loose index scan), whatever
 * the number of tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store/ring.h"
#include "store/types_in_use.h"

/* The first type after `last` (NULL: at all); palloc'd, or NULL. */
static char *
next_type(GqGeneration *generation, const char *last, Snapshot snapshot)
{
	Relation	index = gq_generation_index(generation, GQ_PART_READY);
	int			nkeys = last != NULL ? 1 : 0;
	IndexScanDesc scan = gq_index_beginscan(generation->table, index, snapshot, nkeys);
	ScanKeyData key;
	char	   *type = NULL;

	if (last != NULL)
		ScanKeyEntryInitialize(&key, 0, 1, BTGreaterStrategyNumber, TEXTOID, C_COLLATION_OID,
							   F_TEXT_GT, CStringGetTextDatum(last));
	scan->xs_want_itup = true;
	index_rescan(scan, &key, nkeys, NULL, 0);
	if (index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		bool		isnull;

		type = TextDatumGetCString(index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &isnull));
	}
	index_endscan(scan);
	return type;
}

static List *
add_types_of(List *names, int number, Snapshot snapshot)
{
	GqGeneration *generation = gq_generation_open(number);
	char	   *type = NULL;

	while ((type = next_type(generation, type, snapshot)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		names = lappend(names, type);
	}
	gq_generation_close(generation);
	return names;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

char	  **
gq_types_in_use(int *n)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	List	   *names = NIL;
	char	  **types;
	ListCell   *lc;

	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (!gq_generation_is_void(g))
			names = add_types_of(names, g, snapshot);
	UnregisterSnapshot(snapshot);

	list_sort(names, compare_names);
	types = palloc(sizeof(char *) * Max(list_length(names), 1));
	*n = 0;
	foreach(lc, names)
		if (*n == 0 || strcmp(types[*n - 1], lfirst(lc)) != 0)
		types[(*n)++] = lfirst(lc);
	return types;
}
