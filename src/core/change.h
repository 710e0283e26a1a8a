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
	GQ_UNGUARDED				/* not returned: only if all of it can be
								 * settled */
} GqOutcome;

/*
 * In an isolation level whose snapshot does not see the task's last version:
 * 40001.  With a search of the caller's (for many tasks in turn; NULL: none),
 * the caller calls gq_change_end when it is through.
 */
extern GqOutcome gq_change_task(GqSearch *search, int64 id, bool wait, GqDecide decide, void *arg);

/* The same, with wait, for a call that treats many: a pending task whose locks are not
 * held is refused (see core/under_locks.h). */
extern GqOutcome gq_change_one_of(GqSearch *search, int64 id, GqDecide decide, void *arg);

/* At the end of a call that changed tasks with a search of its own. */
extern void gq_change_end(void);

/*
 * The same for one row version that the caller has found: TM_Ok when it is
 * done.  Used where rows are not looked for by id.
 */
extern TM_Result gq_change_row(GqGeneration *generation, const GqTask *task,
							   const GqDecision *decision, bool wait, TupleTableSlot *new_slot);

/* Move the row as it is into the current generation, `to`, without waiting. */
extern TM_Result gq_relocate_row(GqGeneration *from, GqGeneration *to, const GqTask *task);

/* The entry in shared memory of a task's type, or NULL. */
extern GqType *gq_change_entry(const GqTask *task);

/* 40001 for the caller's transaction. */
extern void gq_err_serialization(void);

#endif							/* GOQUE_CORE_CHANGE_H */
