/*-------------------------------------------------------------------------
 *
 * runners.h
 *	  Which types have a processor that may run, and the background workers
 *	  (runners) that run them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_RUNNERS_H
#define GOQUE_SHARED_RUNNERS_H

#include "shared/keepers.h"
#include "shared/types.h"

#define GQ_MAX_PROCESSORS 512	/* all databases together */
#define GQ_MAX_RUNNERS 1024		/* goque.max_processor_workers */

extern Size gq_runners_shmem_size(void);
extern void gq_runners_shmem_init(void);

/* ---- the keeper says what may run in its database ---- */

/* Between the two: gq_processor_enter for each processor that may run.  Those
 * that were not entered are forgotten, and their runners stopped. */
extern void gq_processors_begin(Oid database);
extern void gq_processors_end(Oid database);

/* entry: the type's, or NULL.  False: no room. */
extern bool gq_processor_enter(Oid database, const char *type, GqType *entry, Oid role,
							   int workers);

/* Its type has work that nobody is about to take. */
extern void gq_processor_wanted(Oid database, const char *type);

/* ---- anybody; none of these raises or allocates ---- */

/* As gq_wake and gq_wake_at; and if nobody waits, see that a runner is started. */
extern void gq_runners_wake(GqType *entry, int n);
extern void gq_runners_wake_at(GqType *entry, TimestampTz at);

/* Who was woken for a type of this line has not looked, and goes; NULL: any type. */
extern void gq_runners_passed_on(GqLine *line);

/* As gq_lease_remove; and whoever runs its task stops. */
extern void gq_runners_lease_over(Oid instance, int64 id, int64 token);

/* Roles or functions may have changed: keepers are to look what may run. */
extern void gq_processors_recheck(void);

/* Stop the runners of a database; false: there are none. */
extern bool gq_runners_stop(Oid database);
extern bool gq_runners_present(Oid database);

/* ---- the launcher ---- */

typedef struct GqRunnerStart
{
	int			slot;
	uint32		generation;
	Oid			database;
} GqRunnerStart;

/* Choose what needs a runner most, and mark its slot as starting.  False: nothing
 * does now, or there are `most`; *wake_at is when to look again. */
extern bool gq_runner_next(TimestampTz now, int most, GqRunnerStart *start, TimestampTz *wake_at);

/* A keeper lacks a background worker: see that a runner leaves, when its task is
 * done.  Returns when to look again. */
extern TimestampTz gq_runners_make_room(TimestampTz now);

/* As gq_keepers_place_free. */
extern void gq_runners_place_free(TimestampTz now);

/* That runner never entered, or has gone; nothing happens if it gave its slot
 * back.  True: there has been no background worker for it for a while. */
extern bool gq_runner_not_started(const GqRunnerStart *start, GqStartFailure why, TimestampTz now);

/* ---- a runner ---- */

typedef struct GqRunnerJob
{
	Oid			database;
	Oid			role;
	char		type[GQ_MAX_TYPE_BYTES + 1];
} GqRunnerJob;

/* Take the slot before connecting, to be left at process exit.  False: not wanted
 * any more. */
extern bool gq_runner_enter(int slot, uint32 generation, GqRunnerJob *job);

/* What it runs now; token 0: nothing.  A cancel that comes after is for this. */
extern void gq_runner_runs(int64 id, int64 token);

/* Has the lease of what it runs been ended by somebody else? */
extern bool gq_runner_is_canceled(void);

/* Does another type, or a keeper, need this process? Ask between two tasks. */
extern bool gq_runner_must_leave(void);

/* From here on work that comes is for another runner; look once more, and go. */
extern void gq_runner_about_to_leave(void);

/* There is more work than this runner takes. */
extern void gq_runner_has_more(void);

/* A task was done: earlier failures of processes are forgotten. */
extern void gq_runner_succeeded(void);

/* ---- for the views ---- */

typedef struct GqRunnerInfo
{
	Oid			database;
	char		type[GQ_MAX_TYPE_BYTES + 1];
	int			pid;
	int64		task;			/* 0: none */
	TimestampTz since;			/* of the task, or of being idle */
} GqRunnerInfo;

/* A palloc'd copy of those that are there. */
extern GqRunnerInfo *gq_runners(int *n);

/* Is this the process of a runner? */
extern bool gq_is_runner(int pid);

typedef struct GqProcessorInfo
{
	int			running;
	int			failures;		/* of its processes, in a row */
	TimestampTz no_slot_since;	/* no background worker was to be had */
	bool		waiting;		/* for goque.max_processor_workers */
	bool		no_room;		/* GQ_MAX_PROCESSORS others may run */
} GqProcessorInfo;

/* False: the keeper has not said yet that it may run. */
extern bool gq_processor_info(Oid database, const char *type, GqProcessorInfo *info);

#endif							/* GOQUE_SHARED_RUNNERS_H */
