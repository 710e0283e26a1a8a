/*-------------------------------------------------------------------------
 *
 * maintain.h
 *	  The duties of the keeper, which goque_heal() and goque_clean() do by hand.
 *
 * A duty does one bounded batch in the caller's transaction, never waits for a
 * lock, and returns when it is next due (DT_NOEND: not before something
 * happens).  Where a full batch leaves more to do now, that time is `now`.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_MAINTAIN_H
#define GOQUE_CORE_MAINTAIN_H

#include "goque.h"

/* End expired leases: the ones that shared memory knows. */
extern TimestampTz gq_duty_heal(TimestampTz now);

/* Cancel waiting tasks whose expires_at has passed. */
extern TimestampTz gq_duty_expire(TimestampTz now);

/* Apply retention: delete what is past it where that is little; make the next
 * generation current when it is time; move the rest out of old generations and
 * truncate them. */
extern TimestampTz gq_duty_clean(TimestampTz now);

/* Compare shared memory with the tables: frontiers, leases, counts. */
extern TimestampTz gq_duty_check(TimestampTz now);

/* Add the tasks of the schedules that are due. */
extern TimestampTz gq_duty_schedule(TimestampTz now);

/* See which processors may run, and whether there is work for them. */
extern TimestampTz gq_duty_process(TimestampTz now);

/* Find out where in the tables nothing is in processing any more. */
extern TimestampTz gq_duty_map(TimestampTz now);

/* The same over all tables at once, by hand.  type NULL: every type. */
extern int64 gq_heal_all(const char *type, TimestampTz now);
extern int64 gq_clean_all(const char *type, TimestampTz now);

#endif							/* GOQUE_CORE_MAINTAIN_H */
