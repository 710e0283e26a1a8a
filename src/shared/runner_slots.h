/*-------------------------------------------------------------------------
 *
 * runner_slots.h
 *	  The layout of processors and runners in shared memory: for processors.c
 *	  and runners.c alone.
 *
 * All of it is guarded by runners_lock, but for the atomics, GqProcessor.entry
 * and a runner's token and leave, and to_leave, which may be read without.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_RUNNER_SLOTS_H
#define GOQUE_SHARED_RUNNER_SLOTS_H

#include "shared/database_slots.h"
#include "shared/runners.h"

typedef struct GqProcessor
{
	Oid			database;		/* InvalidOid: free */
	char		type[GQ_MAX_TYPE_BYTES + 1];
	GqType	   *entry;			/* NULL: the keeper alone sees its work */
	Oid			role;
	int			workers;
	bool		entered;		/* since gq_processors_begin */
	pg_atomic_uint32 work;
	int			running;		/* slots that are not free */
	TimestampTz started_at;		/* the last of them */
	int			failures;
	TimestampTz next_start_at;
	int			no_slot_tries;
	TimestampTz no_slot_since;
} GqProcessor;

typedef enum GqRunnerState
{
	GQ_RUNNER_FREE, GQ_RUNNER_STARTING, GQ_RUNNER_PRESENT
} GqRunnerState;

typedef struct GqRunner
{
	GqRunnerState state;
	uint32		generation;
	int			processor;
	Oid			database;
	TimestampTz since;			/* start, or of what it does */
	int			pid;
	PGPROC	   *proc;
	int64		task;
	volatile int64 token;		/* of the task; 0: it is idle */
	bool		canceled;
	bool		leave;
} GqRunner;

typedef struct GqRunnerSlots
{
	pg_atomic_uint32 nprocessors;	/* those below this may be in use */
	pg_atomic_uint32 nrunners;
	TimestampTz asked_at;		/* a runner to leave */
	int			to_leave;		/* so many, when their task is done */
	int			leave_from;		/* ... of types with at least so many */
	GqProcessor processors[GQ_MAX_PROCESSORS];
	GqRunner	runners[GQ_MAX_RUNNERS];
} GqRunnerSlots;

extern GqRunnerSlots *gq_runner_slots;

/* this process's slot, if it is a runner */
extern GqRunner *gq_my_runner;

/* The caller holds runners_lock. */
extern GqProcessor *gq_processor_find(Oid database, const char *type);

static inline int
gq_runner_slots_used(void)
{
	return pg_atomic_read_u32(&gq_runner_slots->nrunners);
}

static inline void
gq_runner_wake_launcher(void)
{
	gq_slot_wake(gq_slots->launcher);
}

static inline GqProcessor *
gq_runner_processor_of(const GqRunner *runner)
{
	return &gq_runner_slots->processors[runner->processor];
}

#endif							/* GOQUE_SHARED_RUNNER_SLOTS_H */
