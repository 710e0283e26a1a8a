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
#include "core/change.h"
#include "core/finish.h"
#include "store/task_ids.h"

/* Do it to each of them; how many it was done to. */
static int64
for_each(const int64 *ids, int64 n, bool (*step) (GqSearch *search, int64 id))
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque for each task",
												  ALLOCSET_DEFAULT_SIZES);
	GqSearch   *search = gq_search_begin(NULL);
	int64		count = 0;

	for (int64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		if (step(search, ids[i]))
			count++;
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	gq_search_end(search);
	MemoryContextDelete(scratch);
	gq_change_end();
	return count;
}

static void
take_locks_of_all(const int64 *ids, int64 n)
{
	bool	   *all = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * Max(n, 1));

	memset(all, true, sizeof(bool) * n);
	gq_change_take_locks(ids, n, all);
	pfree(all);
}

int64
gq_cancel_all(const char *type, GqStatus status, int64 max)
{
	int64		n;
	int64	   *ids = gq_task_ids(type, status, NULL, max, &n);

	if (status == GQ_PENDING)
		take_locks_of_all(ids, n);
	return for_each(ids, n, gq_cancel);
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
	return for_each(ids, n, retry_now);
}
