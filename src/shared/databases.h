/*-------------------------------------------------------------------------
 *
 * databases.h
 *	  Which databases have goque, and what the launcher and the keepers do.
 *
 * This is the side of everybody else; the launcher's and the keepers' own is
 * keepers.h.  All of it does nothing, and finds nothing, without shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_DATABASES_H
#define GOQUE_SHARED_DATABASES_H

#include "goque.h"

#define GQ_MAX_VERSION_BYTES 32 /* of an extension's version, as shown */
#define GQ_MAX_ACTIVITY_BYTES 16

typedef enum GqDatabaseState
{
	GQ_DATABASE_UNKNOWN,		/* nobody has looked yet */
	GQ_DATABASE_WITHOUT,		/* it has no goque */
	GQ_DATABASE_WITH,			/* it has */
	GQ_DATABASE_MISMATCH		/* it has goque of another version: left alone */
} GqDatabaseState;

extern Size gq_databases_shmem_size(void);
extern void gq_databases_shmem_init(void);

/* goque may have come, gone or changed in this database: somebody should look.
 * Never raises: for commit callbacks. */
extern void gq_database_announce(Oid database);

/* for gq_database_due: a lease is over before its time */
#define GQ_DUE_AT_ONCE ((TimestampTz) 1)

/* Something in this database will be due at `at`: a keeper must look by then.
 * Two reads when one will anyway; for commit callbacks; never raises. */
extern void gq_database_due(Oid database, TimestampTz at);

/* Databases were created, dropped or altered: the launcher should list them
 * anew.  Never raises. */
extern void gq_databases_changed(void);

/* Keep keepers out of a database until gq_databases_unblock, which ends all
 * blocks of this process; waits a few seconds for the one that is there. */
extern void gq_database_block(Oid database);
extern void gq_databases_unblock(void);

/* For goque.workers and goque.health.  Times are 0 where it never happened. */
typedef struct GqDatabaseInfo
{
	Oid			database;
	GqDatabaseState state;
	char		version[GQ_MAX_VERSION_BYTES];	/* of the extension; ''
												 * unknown */
	int			keeper_pid;		/* 0: none, which is well while nothing is due */
	TimestampTz keeper_since;
	char		activity[GQ_MAX_ACTIVITY_BYTES];	/* a duty's name, 'idle',
													 * or '' */
	TimestampTz activity_since;
	TimestampTz last_heal_at;
	TimestampTz last_clean_at;
	TimestampTz due_at;			/* when the keeper will look again; DT_NOEND */
	int			failures;		/* of duties or starts, since the last success */
	TimestampTz failed_at;		/* the last of them */
	TimestampTz no_slot_since;	/* no background worker was to be had */
	int			blocked_by;		/* pid of a DROP DATABASE or the like, or 0 */
} GqDatabaseInfo;

/* A palloc'd copy for every database known, with goque or not. */
extern GqDatabaseInfo *gq_databases(int *n);

/* This database's; all zero: nobody has looked yet. */
extern GqDatabaseInfo gq_database_own(void);

/* False: no launcher is running. */
extern bool gq_launcher_info(int *pid, TimestampTz *since, TimestampTz *last_run);

#endif							/* GOQUE_SHARED_DATABASES_H */
