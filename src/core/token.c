/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Fencing tokens.
 *
 * A token must not come from anything that WAL takes back when it was not
 * flushed (a row, a sequence, an xid), for the claim that it was given out
 * with may be lost in a crash while its holder lives on.  So it is a count
 * from a start that is drawn at random among 2^53 once per server start; per
 * backend where there is no shared memory.  (Rule 2 of docs/design.md.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "goque.h"
#include "core/token.h"
#include "shared/shmem.h"

static uint64
next_of_backend(void)
{
	static uint64 next = 0;

	if (next == 0 && !pg_strong_random(&next, sizeof(next)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not draw a random number for the lease of a task")));
	return next++;
}

int64
gq_token_next(void)
{
	uint64		n = gq_shared != NULL ? pg_atomic_fetch_add_u64(&gq_shared->next_token, 1)
		: next_of_backend();

	return (int64) (n % GQ_MAX_TOKEN) + 1;
}
