/*-------------------------------------------------------------------------
 *
 * change.h
 *	  Changing one task by its id: find, decide, update, and look again if
 *	  somebody was faster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_CHANGE_H
#define GOQUE_CORE_CHANGE_H

#include "core/locks.h"
#include "core/task.h"
#include "shared/types.h"

/* what a decision says shall happen to the task */
typedef struct GqDecision
{
	GqChanges	changes;
	bool		remove;			/* delete the row instead */
	bool		relocate;		/* put the new version into the current
								 * generation: nothing comes to life in an old
								 * one */
	bool		under_line;		/* of a pending task with an ordering key: the
								 * lock of its line is enough */
	uint32		totals;			/* bit per GqTotal to count */
} GqDecision;

#define GqDecisionCount(decision, total) ((decision)->totals |= 1u << (total))

/*
 * Looks at the task and fills in the decision; false: leave it alone.  May be
 * called again for a newer version of the row.
 */
typedef bool (*GqDecide) (const GqTask *task, GqDecision *decision, void *arg);

typedef enum GqOutcome
{
	GQ_CHANGED,
	GQ_REFUSED,					/* decide said no */
	GQ_MISSING,					/* no such task */
	GQ_BUSY,					/* somebody is changing it (without wait) */
	GQ_STALE,					/* not returned: look again */
	GQ_UNGUARDED				/* without wait: only in a subtransaction,
								 * since all of it must be settled */
} GqOutcome;

/* How a task is changed. */
typedef struct GqManner
{
	bool		wait;
	bool		guarded;		/* in a subtransaction that can be rolled back */
	bool		one_of_many;	/* takes no locks: rows of others come after
								 * it; a pending task whose locks are not held
								 * is refused */
} GqManner;

/*
 * Find the task, decide, and change it; core/call.h has what a call does besides.
 * In an isolation level whose snapshot does not see the task's last version: 40001.
 */
extern GqOutcome gq_change_by_id(GqSearch *search, int64 id, GqManner manner, GqDecide decide, void *arg);

/*
 * The same for one row version that the caller has found: TM_Ok when it is
 * done.  Used where rows are not looked for by id.
 */
extern TM_Result gq_change_row(GqGeneration *generation, const GqTask *task,
							   const GqDecision *decision, bool wait, TupleTableSlot *new_slot);

/* Move the row as it is into the current generation, `to`, without waiting. */
extern TM_Result gq_relocate_row(GqGeneration *from, GqGeneration *to, const GqTask *task);

/* 40001 for the caller's transaction. */
extern void gq_err_serialization(void);

#endif							/* GOQUE_CORE_CHANGE_H */
