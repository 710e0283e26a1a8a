/*-------------------------------------------------------------------------
 *
 * finish.h
 *	  What a lease's holder, and people, do to a task that was added.
 *
 * search: of a caller that has many tasks to treat, or NULL.  token 0: whoever
 * holds it.  None of these raises because the task is gone,
 * finished or held by somebody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_FINISH_H
#define GOQUE_CORE_FINISH_H

#include "store/task_row.h"

/* ---- the holder ---- */

/* result: jsonb, or has_result false */
extern bool gq_complete(GqSearch *search, int64 id, int64 token, bool has_result, Datum result);

/* retry_in < 0: the type's backoff.  Returns the new status, 0: not held. */
extern int	gq_fail(GqSearch *search, int64 id, int64 token, const char *message, int64 retry_in, bool retry);

extern bool gq_release(GqSearch *search, int64 id, int64 token, int64 delay);

/* lease 0: as long as the last one.  Returns the new end, 0: not held. */
extern TimestampTz gq_heartbeat(GqSearch *search, int64 id, int64 token, int64 lease, bool has_progress, Datum progress);

/* ---- anybody ---- */

extern bool gq_cancel(GqSearch *search, int64 id);

/*
 * To be called for all tasks that are about to be retried, before the first:
 * locks their external ids, so that none is taken meanwhile.  Those that have ended
 * need other locks as well (GQ_UNDER_ENDED), which the second takes for one task.
 */
extern void gq_retry_prepare(const int64 *ids, int64 n);
extern void gq_retry_lock(int64 id);

/* run_at 0: now */
extern bool gq_retry(GqSearch *search, int64 id, TimestampTz run_at);

/* run_at 0, has_priority false: as it is */
extern bool gq_reschedule(GqSearch *search, int64 id, TimestampTz run_at, bool has_priority, int16 priority);

/* Delete a finished task. */
extern bool gq_purge(GqSearch *search, int64 id);

/* ---- the healer ---- */

/* End the lease if it is over at `now`, or is of this token (0: of none) whose
 * session has ended; without waiting.  Returns the time at
 * which it ends if it is not over, DT_NOEND if it needs no healing (any more),
 * and `now` if it could not be had or was just healed.  With a type, tasks of
 * others need no healing. */
extern TimestampTz gq_heal_task(const char *type, int64 id, int64 ended_token, TimestampTz now,
								bool *healed);

/* Cancel it if it has expired, without waiting. */
extern bool gq_expire_task(GqSearch *search, int64 id, TimestampTz now);

#endif							/* GOQUE_CORE_FINISH_H */
