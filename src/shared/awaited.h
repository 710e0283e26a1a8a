/*-------------------------------------------------------------------------
 *
 * awaited.h
 *	  Who waits for the end of which task.
 *
 * A waiter signs up first, looks second and sleeps third; who ended a task reads
 * whether anybody is signed up after its commit.  So either the look sees the
 * end, or the waiter is seen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_AWAITED_H
#define GOQUE_SHARED_AWAITED_H

#include "goque.h"

extern Size gq_awaited_shmem_size(void);
extern void gq_awaited_shmem_init(void);

/* Sign up for the end of a task of this database; gq_await_end, or an error,
 * signs off.  gq_await_rearm: before each look. */
extern void gq_await_begin(Oid instance, int64 id);
extern void gq_await_rearm(void);
extern void gq_await_end(void);

/* Does anybody wait, in any database?  What the caller did must be visible. */
extern bool gq_await_any(void);

/* Wake all who wait for this task.  Never raises, never allocates. */
extern void gq_await_wake(Oid instance, int64 id);

/* For goque.workers and goque.health. */
typedef struct GqAwaiting
{
	int			pid;
	Oid			database;
	int64		id;				/* of the task */
	TimestampTz since;
} GqAwaiting;

/* A palloc'd copy of all who wait. */
extern GqAwaiting *gq_awaiting(int *n);

#endif							/* GOQUE_SHARED_AWAITED_H */
