/*-------------------------------------------------------------------------
 *
 * branch.h
 *	  The ready tasks of one type in one generation: a branch of a scan of what
 *	  is ready (core/ready.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_BRANCH_H
#define GOQUE_CORE_BRANCH_H

#include "lib/pairingheap.h"

#include "core/ready.h"
#include "core/ready_index.h"

/* where a branch stands: of its current task, or below it */
typedef struct GqPosition
{
	int			priority;		/* an int, to go beyond the largest smallint */
	GqKey		key;
} GqPosition;

typedef struct GqBranch
{
	pairingheap_node node;
	struct GqReadyScan *scan;
	Datum		type;			/* text */
	GqType	   *entry;
	GqLimit    *limit;			/* NULL: none */
	bool		stopped;		/* ... and it is reached */
	int			number;			/* of the generation */
	uint64		since;			/* events seen before the snapshot */
	GqFrontier	frontier;

	GqGeneration *generation;	/* once it is open; the scan's */
	GqReadyWalk walk;			/* of the current priority */
	TupleTableSlot *slot;		/* while it is open */
	bool		at_task;		/* position is that of a ready task, in slot */
	int			passed;			/* entries since the frontier was last
								 * published */
	bool		partial;		/* it begins anywhere: publish nothing */
	bool		kept;			/* one of this priority is still to be had: */
	GqKey		kept_key;		/* the frontier stays here */
	GqPosition	position;
	GqTask		task;
} GqBranch;

struct GqReadyScan
{
	MemoryContext context;
	bool		checking;		/* the frontiers, and so not led by them */
	TimestampTz now;
	TimestampTz next_due;
	Snapshot	snapshot;
	pairingheap *branches;		/* best first */
	GqGeneration *generations[GQ_GENERATIONS];	/* those that branches opened */
	List	   *opened;
	GqBranch   *current;		/* whose task was returned last */
	List	   *limits;			/* of the types that have one */
};

extern const GqKey gq_first_key;	/* before every task */

static inline GqPosition
gq_position(int priority, GqKey key)
{
	GqPosition	position = {priority, key};

	return position;
}

/* Open it; finds its priorities, if they are not known.  Close it: of many that have
 * nothing, none must be kept open. */
extern void gq_branch_open(GqBranch *branch);
extern void gq_branch_close(GqBranch *branch);

/* The next priority to walk, from `from` on, and where its walk begins. */
extern bool gq_branch_next_start(GqBranch *branch, int from, GqPosition *start);

/* Begin to walk a priority; go to its next ready task, false: no more, and it is
 * ended; end it, having seen that nothing is to be had below `frontier`. */
extern void gq_branch_begin(GqBranch *branch, GqPosition start);
extern bool gq_branch_walk(GqBranch *branch);
extern void gq_branch_end(GqBranch *branch, GqKey frontier);

/* Go to its next ready task, of any priority; false: it has no more. */
extern bool gq_branch_advance(GqBranch *branch);

#endif							/* GOQUE_CORE_BRANCH_H */
