/*-------------------------------------------------------------------------
 *
 * running.h
 *	  The task that this process runs a handler for, if it is a runner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_RUNNING_H
#define GOQUE_CORE_RUNNING_H

#include "goque.h"

/* Its lease is so much longer than the handler has: time to write down what
 * became of it. */
#define GQ_RUNNER_GRACE (5 * USECS_PER_SEC)

typedef struct GqRunning
{
	int64		id;
	int64		token;			/* 0: none */
	volatile TimestampTz deadline;	/* then its handler is cancelled */
} GqRunning;

extern GqRunning gq_running;

/* A heartbeat extended this lease. */
extern void gq_running_extended(int64 id, int64 token, TimestampTz until);

#endif							/* GOQUE_CORE_RUNNING_H */
