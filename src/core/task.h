/*-------------------------------------------------------------------------
 *
 * task.h
 *	  A task as a row holds it, and the moves that its status may make.
 *
 *	  new ──────────┬─fetch──▶ processing ──complete──▶ done
 *	  error ────────┘             │  │  └─fail, heal──▶ error | attempts_left
 *	     ▲   ▲                    │  └────release──────▶ new | error
 *	     │   └──retry── done, canceled, attempts_left
 *	  any but done, attempts_left, canceled ──cancel──▶ canceled
 *	  pending ──(nothing is ahead of it any more)──▶ new
 *
 * The functions here say what a move changes in the row; they read no clock
 * and, but for finding a task, touch no table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_TASK_H
#define GOQUE_CORE_TASK_H

#include "executor/tuptable.h"

#include "core/settings.h"
#include "store/task_row.h"

/* times are 0 where the row has NULL, as are token and place */
typedef struct GqTask
{
	int64		id;
	TimestampTz created_at;
	TimestampTz next_attempt_at;
	int32		max_attempts;
	int16		priority;
	GqUniqueWhile unique_while;
	GqStatus	status;
	int32		attempts;
	TimestampTz updated_at;
	TimestampTz lease_until;
	int64		token;
	TimestampTz started_at;
	TimestampTz finished_at;
	TimestampTz expires_at;
	TimestampTz run_at;			/* when it may start, while it is pending */
	int64		place;			/* in the line of its ordering key */
	Datum		type;			/* text */
	TupleTableSlot *slot;		/* the rest of it */
} GqTask;

/* Find it, by the snapshot of the search, and read it.  False: there is none. */
extern bool gq_task_find(GqSearch *search, int64 id, GqTask *task);
extern void gq_task_read(GqTask *task, TupleTableSlot *slot);

/* Palloc'd, NUL-terminated. */
extern char *gq_task_type(const GqTask *task);

/* Without a copy: for loops over many tasks. */
extern bool gq_task_is_of_type(const GqTask *task, const char *type);

/* NULL where the row has NULL; palloc'd. */
extern char *gq_task_text(const GqTask *task, int attr);

/* May a fetch take it? */
extern bool gq_task_is_ready(const GqTask *task, TimestampTz now);

/* Was it never fetched by its expires_at? */
extern bool gq_task_is_expired(const GqTask *task, TimestampTz now);

/* Does this lease hold it?  token 0: any. */
extern bool gq_task_is_held(const GqTask *task, int64 token);

/* ---- moves ---- */

extern void gq_task_claim(const GqTask *task, GqChanges *changes, TimestampTz now,
						  int64 lease, int64 token, Datum worker);
extern void gq_task_complete(const GqTask *task, GqChanges *changes, TimestampTz now);

/* An attempt failed: `message` joins the errors.  Returns the new status. */
extern GqStatus gq_task_fail(const GqTask *task, GqChanges *changes, TimestampTz now,
							 const char *message, bool retry, int64 delay);
extern void gq_task_release(const GqTask *task, GqChanges *changes, TimestampTz now, int64 delay);
extern void gq_task_cancel(const GqTask *task, GqChanges *changes, TimestampTz now,
						   const char *reason);
extern void gq_task_retry(const GqTask *task, GqChanges *changes, TimestampTz now, TimestampTz run_at);

/* It is added, or comes back, behind others: not before `run_at`, and not before
 * they have ended.  Its entry in the ready index is at the very end. */
extern void gq_task_block(GqChanges *changes, TimestampTz run_at);

/* Nothing is ahead of it any more: it may start at `run_at`. */
extern void gq_task_unblock(GqChanges *changes, TimestampTz run_at);

/* now + delay, capped at the end of time */
extern TimestampTz gq_time_add(TimestampTz now, int64 delay);

#endif							/* GOQUE_CORE_TASK_H */
