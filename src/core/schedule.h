/*-------------------------------------------------------------------------
 *
 * schedule.h
 *	  Schedules: setting, removing, pausing and running them.
 *
 * What the keeper does with them is gq_duty_schedule in maintain.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_SCHEDULE_H
#define GOQUE_CORE_SCHEDULE_H

#include "core/timetable.h"
#include "store/schedules.h"

/* of those missed while nobody could add, the newest are caught up with */
#define GQ_MAX_CATCH_UP 1000

/* the words of catch_up, in this order; ends with NULL */
typedef enum GqCatchUp
{
	GQ_CATCH_UP_NONE,
	GQ_CATCH_UP_ONE,
	GQ_CATCH_UP_ALL
} GqCatchUp;

extern const char *const gq_catch_up_words[];

/* May the current user add tasks? */
extern bool gq_schedules_caller_may_add(void);

/* Make a schedule or change the one of this name.  The caller has checked all;
 * times, last_task, error, paused and home do not count. */
extern void gq_schedule_set(const GqScheduleRow *wanted, const GqTimetable *timetable);

/* False: there is none of this name; to pause: or it is so already. */
extern bool gq_schedule_remove(const char *name);
extern bool gq_schedule_pause(const char *name, bool paused);

/* Add its task now; 0: no such schedule. */
extern int64 gq_schedule_run(const char *name);

/* The timetable of a row; raises what is wrong with it by now: it
 * was restored, or the server does not know the zone any more. */
extern void gq_schedule_timetable(const GqScheduleRow *row, GqTimetable *timetable);

/* Raises if this is no time, which somebody must have written to the table. */
extern void gq_schedule_check_time(TimestampTz at);

/* Add the task of an occurrence, once only; or of a run beside the times. */
extern int64 gq_schedule_add(const GqScheduleRow *row, TimestampTz at, bool beside);

#endif							/* GOQUE_CORE_SCHEDULE_H */
