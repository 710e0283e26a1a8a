/*-------------------------------------------------------------------------
 *
 * task_ids.h
 *	  Ids of tasks by what they are like, read from the tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_TASK_IDS_H
#define GOQUE_STORE_TASK_IDS_H

#include "goque.h"

/* Tasks of a type in a status whose error is like a pattern (NULL: any), the
 * smallest ids first, at most `max` (< 0: all); palloc'd. */
extern int64 *gq_task_ids(const char *type, GqStatus status, const char *error_like,
						  int64 max, int64 *n);

/* How many tasks of a type are in processing; or may be about to be, since some
 * transaction is changing them. */
extern int64 gq_tasks_processing(const char *type);

/* The open or prepared transaction that has added this task, which no snapshot sees yet;
 * 0: none. */
extern TransactionId gq_task_adder(int64 id);

/* Tasks in processing whose lease ended by `now`; type NULL: of every type. */
extern int64 *gq_task_ids_lease_over(const char *type, TimestampTz now, int64 *n);

typedef struct GqHeldTask
{
	int64		id;
	int64		token;
	TimestampTz lease_until;
} GqHeldTask;

/* All tasks in processing; palloc'd. */
extern GqHeldTask *gq_tasks_held(int64 *n);

/* Waiting tasks that expired by `now`, at most `max`; `next`: when the next one
 * will (DT_NOEND: none). */
extern int64 *gq_task_ids_expired(TimestampTz now, int64 max, int64 *n, TimestampTz *next);

/* For qsort: the smallest id first. */
extern int	gq_compare_ids(const void *a, const void *b);

#endif							/* GOQUE_STORE_TASK_IDS_H */
