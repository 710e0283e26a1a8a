/*-------------------------------------------------------------------------
 *
 * await.h
 *	  Waiting for the end of one task, and telling those who do.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_AWAIT_H
#define GOQUE_CORE_AWAIT_H

#include "datatype/timestamp.h"

#include "goque.h"

/* how a task ended */
typedef struct GqEnd
{
	int			status;			/* 0: there is no such task (any more) */
	bool		has_result;
	Datum		result;			/* jsonb, palloc'd */
	char	   *error;			/* or NULL */
} GqEnd;

/* Wait until the task has ended, or the deadline.  False: time is up.  55000 for
 * a task that cannot end before this transaction does. */
extern bool gq_await(int64 id, int64 deadline, GqEnd *end);

/* ---- who ends tasks ---- */

/* If this transaction commits, the task has ended. */
extern void gq_await_note(int64 id);

/* After the commit: wake who waits for what was noted.  Then, or at another end
 * of the transaction: forget it. */
extern void gq_await_tell(void);
extern void gq_await_forget(void);

#endif							/* GOQUE_CORE_AWAIT_H */
