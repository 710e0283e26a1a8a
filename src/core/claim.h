/*-------------------------------------------------------------------------
 *
 * claim.h
 *	  Taking ready tasks for a worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_CLAIM_H
#define GOQUE_CORE_CLAIM_H

#include "core/task.h"

typedef struct GqClaim
{
	char	  **types;
	int			ntypes;			/* 0: every type */
	int			max_tasks;
	int64		lease;			/* microseconds; 0: the task's or its type's */
	int64		grace;			/* so much longer than that */
	Datum		worker;			/* text */

	/* called for each task taken, with its new row version */
	void		(*emit) (TupleTableSlot *row, void *arg);
	void	   *arg;

	/* what came of it */
	int			taken;
	bool		unseen;			/* there is work that this transaction's
								 * snapshot does not see */
	TimestampTz next_due;		/* when the next one falls due, DT_NOEND: none
								 * seen */
} GqClaim;

/* with_more: if the claim is full and there is more, wake a waiter for it */
extern void gq_claim(GqClaim *claim, bool with_more);

/* Is anything ready?  If not, next_due says when. */
extern bool gq_claim_would_find(char **types, int ntypes, TimestampTz *next_due);

#endif							/* GOQUE_CORE_CLAIM_H */
