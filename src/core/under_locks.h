/*-------------------------------------------------------------------------
 *
 * under_locks.h
 *	  Tasks that are changed under locks of keys, not by whoever gets the row first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_UNDER_LOCKS_H
#define GOQUE_CORE_UNDER_LOCKS_H

#include "core/locks.h"
#include "core/task.h"

typedef enum GqUnder
{
	GQ_UNDER_PENDING,			/* those that wait: the locks of their lines
								 * and their own */
	GQ_UNDER_CANCEL,			/* those that wait, to be canceled: the locks
								 * of those that wait for them, too */
	GQ_UNDER_ENDED				/* those that a retry brings back to life: the
								 * locks of those that they wait for, too */
} GqUnder;

/* The locks of a task in such a state, two at most; under_line: the line's is
 * enough. */
extern int	gq_under_locks_of(const GqTask *task, bool under_line, GqKeyLock locks[2]);

/* Which of these tasks are in that state; returns how many. */
extern int64 gq_under_find(const int64 *ids, int64 n, GqUnder state, bool *which);

/*
 * Take all locks of those, those for what the call has left to settle, and perhaps
 * more of the caller's.  False, and nothing is
 * held, if one of them was not in that state any more when they were granted.
 */
extern bool gq_under_take(const int64 *ids, int64 n, GqUnder state, const bool *which,
						  const GqKeyLock *more, int64 nmore);

/* Treats those of them that are marked; false: not all could be. */
typedef bool (*GqRound) (const bool *which, void *arg);

/* Treat each task, those that need no locks first; the others when these are held. */
extern void gq_under_rounds(const int64 *ids, int64 n, GqUnder state, GqRound round, void *arg);

#endif							/* GOQUE_CORE_UNDER_LOCKS_H */
