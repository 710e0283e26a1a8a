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

/* At the end of a call that changed tasks: settle what it noted, as far as that
 * needs no waiting. */
extern void gq_settle_call(void);

/* The rest is settled before the transaction commits or is prepared.  To be called
 * after gq_xact_init. */
extern void gq_settle_init(void);

/* Is this pending task's turn, though nobody noticed?  Starts it if the locks are
 * free; returns whether it did. */
extern bool gq_settle_stranded(const GqTask *task);

#endif							/* GOQUE_CORE_SETTLE_H */
