/*-------------------------------------------------------------------------
 *
 * unsettled.h
 *	  Notes of what a transaction has to settle for those that wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_UNSETTLED_H
#define GOQUE_CORE_UNSETTLED_H

#include "core/locks.h"
#include "core/task.h"

typedef struct GqUnsettled
{
	GqKeyLock	line;			/* kind 0: of a task */
	int64		number;			/* the id; of a line: the place that was left */
	GqStatus	status;			/* how the task ended, if it is gone; 0:
								 * unknown */
	bool		deferred;		/* not before the commit */
	TransactionId settled_by;
} GqUnsettled;

/* This task's line may move: it ended, or left it. */
extern void gq_unsettled_line(const GqTask *task);

/* Others may wait for this task: it ended (as this, should it be gone), or it
 * waits for nobody any more.  Deferred: not before the commit. */
extern void gq_unsettled_task(int64 id, GqStatus gone_as, bool deferred);

/* How many notes there are, settled ones too: a mark; and one of them, until the
 * next is added. */
extern int64 gq_unsettled_mark(void);
extern const GqUnsettled *gq_unsettled_nth(int64 n);

/* Is there anything to be settled since a mark?  Without wait: now. */
extern bool gq_unsettled_any(int64 mark, bool wait);

/* Which notes, of tasks or of lines; palloc'd numbers for gq_unsettled_nth.  And
 * those are settled, as long as this (sub)transaction is not rolled back. */
extern int64 *gq_unsettled_gather(int64 mark, bool wait, bool lines, int64 *n);
extern void gq_unsettled_done(const int64 *which, int64 n);

/* Forget what was noted since a mark: the subtransaction that did is rolled back. */
extern void gq_unsettled_reset(int64 mark);

/* The mark at which the present call began; the next one begins here. */
extern int64 gq_unsettled_call(void);
extern void gq_unsettled_next_call(void);

/* The transaction has ended. */
extern void gq_unsettled_forget(void);

#endif							/* GOQUE_CORE_UNSETTLED_H */
