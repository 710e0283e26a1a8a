/*-------------------------------------------------------------------------
 *
 * settle.h
 *	  What other tasks' ends mean for those that wait for them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_SETTLE_H
#define GOQUE_CORE_SETTLE_H

#include "core/task.h"

/* This task's line may move: it ended, or left it. */
extern void gq_settle_note_line(const GqTask *task);

/* Others may wait for this task: it ended (as this, should it be gone), or it
 * waits for nobody any more.  Deferred: not before the commit. */
extern void gq_settle_note_task(int64 id, GqStatus gone_as, bool deferred);

/* Make a pending task new; its locks are held. */
extern bool gq_settle_start(int64 id);

/* At the end of a call that changed tasks: settle what it noted, as far as that
 * needs no waiting. */
extern void gq_settle_call(void);

/* Before the transaction commits or is prepared: settle the rest. */
extern void gq_settle_rest(void);

/* Is this pending task's turn, though nobody noticed?  Starts it if the locks are
 * free; returns whether it did. */
extern bool gq_settle_stranded(const GqTask *task);

/*
 * What was noted since a mark: is all of it settled?  Or forget it, since the
 * subtransaction that noted it is rolled back.
 */
extern int64 gq_settle_mark(void);
extern bool gq_settle_is_complete(int64 mark);
extern void gq_settle_reset(int64 mark);

/* The transaction has ended. */
extern void gq_settle_forget(void);

#endif							/* GOQUE_CORE_SETTLE_H */
