/*-------------------------------------------------------------------------
 *
 * ready.h
 *	  Choosing what is ready: a scan of the best ready tasks of some types,
 *	  over all generations, best first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_READY_H
#define GOQUE_CORE_READY_H

#include "core/limit.h"
#include "core/task.h"
#include "shared/types.h"

typedef struct GqReadyScan GqReadyScan;

/*
 * Begin a scan over the ready tasks of these types as of `now`.  ntypes 0:
 * every type that has tasks.  Paused types have none, nor those that have reached
 * a limit.  claiming: to take what is found, not just to look.
 */
extern GqReadyScan *gq_ready_begin(char **types, int ntypes, TimestampTz now, bool claiming);

/*
 * The best task that was not returned yet; false: there is none.  It stays
 * valid until the next call.  The caller takes it, or finds that somebody else
 * does; else it must say with gq_ready_keep that it is still to be had, for
 * otherwise no later scan will look at it.
 */
extern bool gq_ready_next(GqReadyScan *scan, GqTask *task, GqGeneration **generation,
						  GqType **entry);
extern void gq_ready_keep(GqReadyScan *scan);

/* The limit of the type of the task returned last; NULL: none.  When it is
 * reached: keep the task, and look at no other one of this kind. */
extern GqLimit *gq_ready_limit(const GqReadyScan *scan);
extern void gq_ready_stop(GqReadyScan *scan);

/* The limits (GqLimit) of all types that take part. */
extern List *gq_ready_limits(const GqReadyScan *scan);

/* When the next task that is not ready yet falls due, as far as the scan saw. */
extern TimestampTz gq_ready_next_due(const GqReadyScan *scan);

/* End it, and publish how far the frontiers have moved. */
extern void gq_ready_end(GqReadyScan *scan);

/*
 * Walk a type whatever its frontiers say, and lower those that hide a ready task;
 * returns how many did.  From the beginning, but (unless `all`) not in more than a
 * hundredth of the time; and each time from what a prepared transaction may have
 * left.
 */
extern int	gq_ready_check(const char *type, TimestampTz now, bool all);

#endif							/* GOQUE_CORE_READY_H */
