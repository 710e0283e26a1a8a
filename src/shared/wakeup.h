/*-------------------------------------------------------------------------
 *
 * wakeup.h
 *	  Who sleeps on which types, and waking as many as there is work for.
 *
 * A waiter registers first, looks second and sleeps third, so that what is
 * committed after its look sets its latch.  A waiter that was woken and leaves
 * without having looked again passes its wake-up on.
 *
 * For tasks that fall due later, one waiter of a type owns the type's timer:
 * it sleeps no longer than until the earliest of them.  When it leaves, it
 * wakes another, which looks and takes the timer over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_WAKEUP_H
#define GOQUE_SHARED_WAKEUP_H

#include "shared/types.h"

#define GQ_WAIT_TYPES 32		/* more types, or one without an entry: woken
								 * for every type */

/*
 * Sign up as a waiter for these types (ntypes 0: every type of this database;
 * NULL for a type that has no entry).  `what` is shown in goque.workers.  Signing
 * off happens at gq_wait_end, and by itself when the process ends or the
 * (sub)transaction aborts; a commit leaves it.
 *
 * The loop of a waiter, in this order:
 *
 *		gq_wait_begin
 *		for (;;)
 *			look, with a snapshot taken now; leave if there is work
 *			WaitLatch until gq_wait_timer(when the next one falls due)
 *			ResetLatch, CHECK_FOR_INTERRUPTS
 *			gq_wait_rearm, whether the latch or the time ended the sleep
 *		gq_wait_end
 */
extern void gq_wait_begin(GqType **types, int ntypes, const char *what);
extern void gq_wait_end(void);

/* Forget a wake-up that came before the look that follows. */
extern void gq_wait_rearm(void);

/* The look found that the next task falls due at `at` (DT_NOEND: none): take
 * the timer if nobody has an earlier one.  Returns the time until which this
 * process should sleep at most. */
extern TimestampTz gq_wait_timer(TimestampTz at);

/* Wake up to n waiters of this type (entry NULL: one without an entry). Never
 * raises, never allocates: for commit callbacks. */
extern void gq_wake(GqType *entry, int n);

/* A task of this type falls due at `at`: make sure somebody wakes by then. */
extern void gq_wake_at(GqType *entry, TimestampTz at);

/* Wake every waiter of this database: after a resume, a change of settings. */
extern void gq_wake_all(void);

/* For goque.workers and goque.health. */
typedef struct GqWaiterInfo
{
	int			pid;
	Oid			database;
	TimestampTz since;
	char		what[GQ_MAX_TYPE_BYTES + 1];
} GqWaiterInfo;

/* A palloc'd copy of all waiters. */
extern GqWaiterInfo *gq_waiters(int *n);

#endif							/* GOQUE_SHARED_WAKEUP_H */
