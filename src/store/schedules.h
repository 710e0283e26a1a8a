/*-------------------------------------------------------------------------
 *
 * schedules.h
 *	  Rows of goque.schedule_settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_SCHEDULES_H
#define GOQUE_STORE_SCHEDULES_H

#include "goque.h"

/* times are 0 where the row has NULL, as is last_task */
typedef struct GqScheduleRow
{
	char	   *name;
	TimestampTz next_run_at;
	TimestampTz last_run_at;
	int64		last_task;
	TimestampTz retry_at;
	char	   *error;			/* NULL: none */
	bool		paused;
	bool		overlap;
	bool		run_on_start;
	int16		priority;
	char	   *catch_up;
	char	   *home;
	char	   *schedule;
	char	   *timezone;
	char	   *type;
	Datum		payload;
} GqScheduleRow;

/* May the current user add tasks? */
extern bool gq_schedules_may_add(void);

/* All that follows is palloc'd in the current context. */

/* The row of this name, locked until the end of the transaction; NULL: none, or,
 * without wait, somebody else has it locked. */
extern GqScheduleRow *gq_schedule_lock(const char *name, bool wait);

/* Rows that are on and due by `now`, at most `max`, the earliest first, locked;
 * rows that somebody else has locked are left out. */
extern GqScheduleRow *gq_schedules_due(const char *home, TimestampTz now, int max, int *n);

/* Rows that are on and not due, not locked. */
extern GqScheduleRow *gq_schedules_waiting(const char *home, TimestampTz now, int *n);

/* When the first one that is on is due; DT_NOEND: none ever. */
extern TimestampTz gq_schedules_next(const char *home);

/* False: there is one of this name. */
extern bool gq_schedule_insert(const GqScheduleRow *row);

/* Write the whole row anew; or its times, last_task, error and pause alone. */
extern void gq_schedule_replace(const GqScheduleRow *row);
extern void gq_schedule_update(const GqScheduleRow *row);

extern bool gq_schedule_delete(const char *name);

/* Write this home into all rows that have another. */
extern void gq_schedules_take_over(const char *home);

#endif							/* GOQUE_STORE_SCHEDULES_H */
