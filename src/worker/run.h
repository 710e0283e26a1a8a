/*-------------------------------------------------------------------------
 *
 * run.h
 *	  A runner's tasks: claim some, run the handler for each, write down what
 *	  became of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_WORKER_RUN_H
#define GOQUE_WORKER_RUN_H

#include <signal.h>

#include "core/processor.h"

/* Told to end (SIGTERM): what is running is given back. */
extern volatile sig_atomic_t gq_run_stopping;

/* Signal handlers and timeouts; connected, before the first task. */
extern void gq_run_init(const char *type);

/* Signal handlers, before the connection. */
extern void gq_run_signals(void);

typedef enum GqRunOutcome
{
	GQ_RUN_NOTHING,				/* no task was ready */
	GQ_RUN_DONE,				/* some were run */
	GQ_RUN_OVER					/* this processor may not run (any more) */
} GqRunOutcome;

/* *next_due: when a task falls due, as far as was seen; sign_up: before it looks,
 * as a waiter, which stays so if there was nothing. */
extern GqRunOutcome gq_run_batch(bool sign_up, TimestampTz *next_due, int64 *idle_timeout);

#endif							/* GOQUE_WORKER_RUN_H */
