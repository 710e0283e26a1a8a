/*-------------------------------------------------------------------------
 *
 * line.h
 *	  Lines: the tasks of a type with one ordering key, which run one at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_LINE_H
#define GOQUE_CORE_LINE_H

#include "core/locks.h"
#include "core/task.h"

/* The lock of a task's line; false: it has no ordering key.  Points into the
 * task's row. */
extern bool gq_line_of(const GqTask *task, GqKeyLock *line);

/* Must a task that joins it now wait?  Under its lock. */
extern bool gq_line_is_busy(const GqKeyLock *line);

/* Give a task the last place, and the status that goes with it; it wants to
 * start at `run_at`.  Under its lock. */
extern void gq_line_join(const GqKeyLock *line, GqChanges *changes, TimestampTz run_at);

/*
 * The pending task of this line whose turn it is, if it stands at `place` or
 * behind; 0: none, or not its turn.  Under the line's lock.
 */
extern int64 gq_line_next(const GqKeyLock *line, int64 place);

/* Id of the live task at the head of a pending task's line; 0: it is not behind
 * any.  */
extern int64 gq_line_ahead_of(const GqTask *task);

#endif							/* GOQUE_CORE_LINE_H */
