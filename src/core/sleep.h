/*-------------------------------------------------------------------------
 *
 * sleep.h
 *	  Sleeping until there may be work for a waiter.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_SLEEP_H
#define GOQUE_CORE_SLEEP_H

#include "goque.h"

/*
 * When a wait of this length ends, by the clock of monotonic.h: 100 ms before
 * the statement_timeout would.
 */
extern int64 gq_sleep_deadline(int64 wait);
extern bool gq_sleep_is_over(int64 deadline);

/* Sign up before the look that a sleep may follow; sign off (an error does it too). */
extern void gq_sleep_begin(char **types, int ntypes);
extern void gq_sleep_end(void);

/* Before each look: forget wake-ups so far, and make sure the client is there. */
extern void gq_sleep_rearm(void);

/* Sleep until something may be ready, or the deadline, or a task falls due. */
extern void gq_sleep(int64 deadline, TimestampTz next_due);

#endif							/* GOQUE_CORE_SLEEP_H */
