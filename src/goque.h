/*-------------------------------------------------------------------------
 *
 * goque.h
 *	  Limits, statuses and names that every part of goque shares.
 *
 * Include after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_H
#define GOQUE_H

#include "datatype/timestamp.h"

/* the schema that the extension script creates, and the ring in it */
#define GQ_SCHEMA "goque"
#define GQ_GENERATIONS 8		/* goque.tasks_0 to goque.tasks_7 */
#define GQ_FILLFACTOR 30		/* of a page, by new tasks:
								 * sql/parts/tables.sql */

/* limits that users meet; documented in docs/reference.md */
#define GQ_MAX_TYPE_BYTES 128
#define GQ_MAX_KEY_BYTES 1024	/* external_id, ordering_key */
#define GQ_MAX_WORKER_BYTES 128
#define GQ_MAX_NAME_BYTES 128	/* of a schedule */
#define GQ_MAX_NEXT_RUNS 10000	/* of goque_next_runs */
#define GQ_MAX_BATCH 100000		/* max_tasks of a fetch */
#define GQ_MAX_WAIT_USECS (60 * USECS_PER_SEC)	/* wait of a fetch */
#define GQ_MAX_INTERVAL_USECS (INT64CONST(100) * 366 * USECS_PER_DAY)
#define GQ_MAX_ERROR_BYTES 4096 /* goque.tasks.error */
#define GQ_MAX_ERRORS_BYTES 16384	/* goque.tasks.errors */
#define GQ_DETAIL_CHARS 100		/* of an offending value, in error details */
#define GQ_MAX_TOKEN ((INT64CONST(1) << 53) - 1)

/* defaults of a type that nobody configured */
#define GQ_DEFAULT_MAX_ATTEMPTS 5
#define GQ_DEFAULT_TIMEOUT (30 * USECS_PER_SEC)
#define GQ_DEFAULT_BACKOFF_BASE (10 * USECS_PER_SEC)
#define GQ_DEFAULT_BACKOFF_MAX (3600 * USECS_PER_SEC)
#define GQ_DEFAULT_BACKOFF_JITTER 0.1
#define GQ_DEFAULT_RETENTION (3 * 3600 * USECS_PER_SEC)
#define GQ_DEFAULT_RETENTION_FAILED (7 * USECS_PER_DAY)

/*
 * Status of a task, as stored.  core/status.c gives the words; the
 * numbers are on disk and never change.
 */
typedef enum GqStatus
{
	GQ_NEW = 1,					/* no attempt counted; ready in its time */
	GQ_PENDING = 2,				/* waits for other tasks */
	GQ_PROCESSING = 3,			/* fetched, leased */
	GQ_ERROR = 4,				/* an attempt failed; ready in its time */
	GQ_DONE = 5,				/* completed */
	GQ_ATTEMPTS_LEFT = 6,		/* failed for good: a dead letter */
	GQ_CANCELED = 7				/* canceled */
} GqStatus;

#define GQ_STATUSES 8			/* array size, for indexing by status */

#define GqStatusIsTerminal(s) ((s) >= GQ_DONE)
#define GqStatusIsClaimable(s) ((s) == GQ_NEW || (s) == GQ_ERROR)

/* as long as what may another task with the same external_id not be added */
typedef enum GqUniqueWhile
{
	GQ_WHILE_KEPT = 0,			/* until it is cleaned */
	GQ_WHILE_LIVE = 1,			/* until it is finished */
	GQ_WHILE_WAITING = 2		/* until it is fetched */
} GqUniqueWhile;

/* attribute numbers of goque.tasks_N, in the order of sql/parts/tables.sql */
enum GqTaskAttr
{
	GQ_ATT_ID = 1,
	GQ_ATT_CREATED_AT,
	GQ_ATT_NEXT_ATTEMPT_AT,
	GQ_ATT_MAX_ATTEMPTS,
	GQ_ATT_PRIORITY,
	GQ_ATT_UNIQUE_WHILE,
	GQ_ATT_STATUS,
	GQ_ATT_ATTEMPTS,
	GQ_ATT_UPDATED_AT,
	GQ_ATT_LEASE_UNTIL,
	GQ_ATT_TOKEN,
	GQ_ATT_STARTED_AT,
	GQ_ATT_FINISHED_AT,
	GQ_ATT_EXPIRES_AT,
	GQ_ATT_RUN_AT,
	GQ_ATT_PLACE,
	GQ_ATT_TIMEOUT,
	GQ_ATT_TYPE,
	GQ_ATT_WORKER,
	GQ_ATT_ERROR,
	GQ_ATT_ERRORS,
	GQ_ATT_PROGRESS,
	GQ_ATT_RESULT,
	GQ_ATT_EXTERNAL_ID,
	GQ_ATT_ORDERING_KEY,
	GQ_ATT_AFTER,
	GQ_ATT_METADATA,
	GQ_ATT_PAYLOAD
};

#define GQ_TASK_NATTS GQ_ATT_PAYLOAD

#endif							/* GOQUE_H */
