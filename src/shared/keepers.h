/*-------------------------------------------------------------------------
 *
 * keepers.h
 *	  The slots of databases.h, as the launcher and the keepers use them.
 *
 * The launcher: list the databases, start the keepers that are needed, sleep.
 * A keeper: enter, say what it found, look, sleep; leave when not needed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_KEEPERS_H
#define GOQUE_SHARED_KEEPERS_H

#include "shared/databases.h"

#define GQ_MAX_DATABASES 1024	/* remembered at a time; of more, in turn */

/* what a keeper does; the first ones are its duties, see core/maintain.h */
typedef enum GqActivity
{
	GQ_DUTY_SCHEDULE,			/* first: it is to be in time */
	GQ_DUTY_HEAL,
	GQ_DUTY_EXPIRE,
	GQ_DUTY_CLEAN,
	GQ_DUTY_CHECK,
	GQ_DUTY_PROCESS,
	GQ_DUTY_MAP,
	GQ_DUTIES,
	GQ_IDLE = GQ_DUTIES,
	GQ_STARTING,
	GQ_ACTIVITIES
} GqActivity;

extern const char *const gq_activity_names[GQ_ACTIVITIES];

/* ---- the launcher ---- */

extern void gq_launcher_enter(void);

/* Noted at each pass.  True: list the databases now. */
extern bool gq_launcher_pass(TimestampTz now);

/* a row of pg_database */
typedef struct GqDatabaseEntry
{
	Oid			database;
	bool		connectable;	/* worth a look: see list_databases() */
	bool		is_template;	/* keepers do their work there, and leave */
} GqDatabaseEntry;

/* Bring the slots up to date.  Fills `gone`, an array of GQ_MAX_DATABASES, with
 * databases that are no more; returns how many. */
extern int	gq_databases_list(const GqDatabaseEntry *entries, int n, TimestampTz now, Oid *gone);

/* a keeper to be started */
typedef struct GqKeeperStart
{
	int			slot;
	uint32		generation;		/* of the slot: an older keeper has no
								 * business there */
	Oid			database;
} GqKeeperStart;

/* Choose the database that needs a keeper most, and mark it as starting.  False:
 * none does now, or there are `most` keepers, by the slots or by the launcher's
 * count of their processes; *wake_at is when the launcher must look again. */
extern bool gq_keeper_next(TimestampTz now, int processes, int most, GqKeeperStart *start,
						   TimestampTz *wake_at);

typedef enum GqStartFailure
{
	GQ_START_NO_SLOT,			/* no background worker was to be had */
	GQ_START_FAILED				/* the postmaster could not start it */
} GqStartFailure;

/* That keeper never entered; nothing happens if it did.  True: there has been no
 * background worker for it for a while. */
extern bool gq_keeper_not_started(const GqKeeperStart *start, GqStartFailure why, TimestampTz now);

/* Is there a keeper that lacks a background worker? As of gq_keeper_next. */
extern bool gq_keepers_lack_place(void);

/* A background worker has ended: who lacked one need not wait any longer. */
extern void gq_keepers_place_free(TimestampTz now);

/* ---- a keeper ---- */

/* Take the slot before connecting, to be left at process exit.  InvalidOid:
 * not wanted any more. */
extern Oid	gq_keeper_enter(int slot, uint32 generation);

/* A number that differs once somebody announced this database: read it, look
 * for the extension, and tell gq_keeper_found what was read. */
extern uint32 gq_keeper_announced(void);

/* Tell the state of the database.  True: the first time for this version. */
extern bool gq_keeper_found(GqDatabaseState state, const char *version, uint32 announced);

/* Show what it does now. */
extern void gq_keeper_doing(GqActivity activity);

/* A duty is done; `well`: and none is failing. */
extern void gq_keeper_done(GqActivity duty, TimestampTz now, bool well);

/* A duty failed.  True: it is time for another line in the log. */
extern bool gq_keeper_failed(TimestampTz now);

/* The earliest gq_database_due since the last call; DT_NOEND: none. */
extern TimestampTz gq_keeper_asked(void);

/* About to sleep until `at`.  Returns the earlier time that somebody asked for
 * meanwhile, else `at`. */
extern TimestampTz gq_keeper_sleeps(TimestampTz at);

/* Does another database wait for a process? Is this one for a short visit? */
extern bool gq_keeper_in_a_hurry(void);

/* When a duty last ran, and when it wanted to run again. */
typedef struct GqDutyPlan
{
	TimestampTz ran_at;
	TimestampTz wants_at;		/* DT_NOEND: not before somebody asks */
	bool		unpaced;		/* then, whatever the interval of the duty */
} GqDutyPlan;

/* Exit is next, and no failure: nothing is to be done here before `at`.  The
 * plan, if any, is for the next keeper, which takes it by gq_keeper_resume. */
extern void gq_keeper_leaves(TimestampTz at, const GqDutyPlan *plan);
extern bool gq_keeper_resume(GqDutyPlan plan[GQ_DUTIES]);

/* When the server, or its promotion, let the first launcher start. */
extern TimestampTz gq_launcher_first_start(void);

#endif							/* GOQUE_SHARED_KEEPERS_H */
