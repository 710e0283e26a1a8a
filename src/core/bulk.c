/*-------------------------------------------------------------------------
 *
 * bulk.c
 *	  Deciding about all tasks of a type at once.
 *
 * The ids are read first; each task is then treated as by its own call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/bulk.h"
#include "core/call.h"
#include "core/finish.h"
#include "core/under_locks.h"
#include "store/task_ids.h"

/* what is done to each of them, and to how many it was */
typedef struct Bulk
{
	const int64 *ids;
	int64		n;
	bool		(*step) (GqSearch *search, int64 id);
	int64		count;
} Bulk;

static bool
bulk_round(const bool *which, void *arg)
{
	Bulk	   *bulk = arg;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque for each task",
												  ALLOCSET_DEFAULT_SIZES);
	GqSearch   *search = gq_search_begin(NULL);
	bool		all = true;

	for (int64 i = 0; i < bulk->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		if (which[i] && bulk->step(search, bulk->ids[i]))
			bulk->count++;
		else
			all &= !which[i];
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	gq_search_end(search);
	MemoryContextDelete(scratch);
	return all;
}

static int64
for_each(const int64 *ids, int64 n, GqUnder state, bool (*step) (GqSearch *search, int64 id))
{
	Bulk		bulk = {.ids = ids,.n = n,.step = step};

	gq_under_rounds(ids, n, state, bulk_round, &bulk);
	gq_call_end();
	return bulk.count;
}

int64
gq_cancel_all(const char *type, GqStatus status, int64 max)
{
	int64		n;
	int64	   *ids = gq_task_ids(type, status, NULL, max, &n);

	return for_each(ids, n, GQ_UNDER_CANCEL, gq_cancel);
}

static bool
retry_now(GqSearch *search, int64 id)
{
	return gq_retry(search, id, 0);
}

int64
gq_retry_all(const char *type, GqStatus status, const char *error_like, int64 max)
{
	int64		n;
	int64	   *ids = gq_task_ids(type, status, error_like, max, &n);

	gq_retry_prepare(ids, n);
	return for_each(ids, n, GQ_UNDER_ENDED, retry_now);
}
