/*-------------------------------------------------------------------------
 *
 * call.h
 *	  A call that changes tasks, from the first row to what its end means for
 *	  others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_CALL_H
#define GOQUE_CORE_CALL_H

#include "core/change.h"

/*
 * In an isolation level whose snapshot does not see the task's last version:
 * 40001.  With a search of the caller's (for many tasks in turn; NULL: none),
 * the caller calls gq_call_end when it is through.
 */
extern GqOutcome gq_call_change(GqSearch *search, int64 id, bool wait, GqDecide decide, void *arg);

/* The same, with wait, for a call that treats many: a pending task whose locks are not
 * held is refused (see core/under_locks.h). */
extern GqOutcome gq_call_change_one_of(GqSearch *search, int64 id, GqDecide decide, void *arg);

/* At the end of a call that changed tasks with a search of its own. */
extern void gq_call_end(void);

#endif							/* GOQUE_CORE_CALL_H */
