/*-------------------------------------------------------------------------
 *
 * aftermath.h
 *	  What the end of a task means for those that were added after it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_AFTERMATH_H
#define GOQUE_CORE_AFTERMATH_H

#include "core/locks.h"
#include "goque.h"

typedef struct GqAftermath GqAftermath;

/* a child with an ordering key, to be canceled when its line is locked */
typedef struct GqDoomed
{
	int64		id;
	GqKeyLock	line;
	char	   *reason;
} GqDoomed;

extern GqAftermath *gq_aftermath_begin(void);

/* Look at this task; gone_as: how it ended if it is gone (0: not known, which is
 * 23503 for a child that was added just now); may_start: it may be pending, and
 * wait for nobody any more. */
extern void gq_aftermath_add(GqAftermath *aftermath, int64 id, GqStatus gone_as, bool may_start);

/* Do it, the tasks in the order of their ids, each under its lock.  Without wait,
 * false at the first lock that is not free. */
extern bool gq_aftermath_run(GqAftermath *aftermath, bool wait);

/* What is left to do under the lock of a line. */
extern const GqDoomed *gq_aftermath_doomed(const GqAftermath *aftermath, int *n);

#endif							/* GOQUE_CORE_AFTERMATH_H */
