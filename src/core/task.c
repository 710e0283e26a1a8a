/*-------------------------------------------------------------------------
 *
 * task.c
 *	  A task as a row holds it, and the moves that its status may make.
 *
 * The time is an argument, and no table is touched but to find a task: what a move
 * does to a row can be read here alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/task.h"

/* ---- reading a row ---- */

static int64
read_int64(TupleTableSlot *slot, int attr)
{
	return slot->tts_isnull[attr - 1] ? 0 : DatumGetInt64(slot->tts_values[attr - 1]);
}

bool
gq_task_find(GqSearch *search, int64 id, GqTask *task)
{
	TupleTableSlot *slot;

	if (gq_search_find(search, id, &slot) == NULL)
		return false;
	gq_task_read(task, slot);
	return true;
}

void
gq_task_read(GqTask *task, TupleTableSlot *slot)
{
	slot_getsomeattrs(slot, GQ_ATT_TYPE);
	task->id = read_int64(slot, GQ_ATT_ID);
	task->created_at = read_int64(slot, GQ_ATT_CREATED_AT);
	task->next_attempt_at = read_int64(slot, GQ_ATT_NEXT_ATTEMPT_AT);
	task->max_attempts = DatumGetInt32(slot->tts_values[GQ_ATT_MAX_ATTEMPTS - 1]);
	task->priority = DatumGetInt16(slot->tts_values[GQ_ATT_PRIORITY - 1]);
	task->unique_while = DatumGetInt16(slot->tts_values[GQ_ATT_UNIQUE_WHILE - 1]);
	task->status = DatumGetInt16(slot->tts_values[GQ_ATT_STATUS - 1]);
	task->attempts = DatumGetInt32(slot->tts_values[GQ_ATT_ATTEMPTS - 1]);
	task->updated_at = read_int64(slot, GQ_ATT_UPDATED_AT);
	task->lease_until = read_int64(slot, GQ_ATT_LEASE_UNTIL);
	task->token = read_int64(slot, GQ_ATT_TOKEN);
	task->started_at = read_int64(slot, GQ_ATT_STARTED_AT);
	task->finished_at = read_int64(slot, GQ_ATT_FINISHED_AT);
	task->expires_at = read_int64(slot, GQ_ATT_EXPIRES_AT);
	task->run_at = read_int64(slot, GQ_ATT_RUN_AT);
	task->place = read_int64(slot, GQ_ATT_PLACE);
	task->type = slot->tts_values[GQ_ATT_TYPE - 1];
	task->slot = slot;
}

char *
gq_task_type(const GqTask *task)
{
	return TextDatumGetCString(task->type);
}

bool
gq_task_is_of_type(const GqTask *task, const char *type)
{
	const text *own = DatumGetTextPP(task->type);
	Size		len = strlen(type);

	return VARSIZE_ANY_EXHDR(own) == len && memcmp(VARDATA_ANY(own), type, len) == 0;
}

char *
gq_task_text(const GqTask *task, int attr)
{
	bool		isnull;
	Datum		value = slot_getattr(task->slot, attr, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

bool
gq_task_is_ready(const GqTask *task, TimestampTz now)
{
	return GqStatusIsClaimable(task->status) && task->next_attempt_at <= now &&
		!gq_task_is_expired(task, now);
}

bool
gq_task_is_expired(const GqTask *task, TimestampTz now)
{
	return task->expires_at != 0 && task->expires_at <= now && task->started_at == 0 &&
		(task->status == GQ_NEW || task->status == GQ_PENDING);
}

bool
gq_task_is_held(const GqTask *task, int64 token)
{
	return task->status == GQ_PROCESSING && (token == 0 || token == task->token);
}

/* ---- writing ---- */

TimestampTz
gq_time_add(TimestampTz now, int64 delay)
{
	/* no call stores these, but a row may come from elsewhere */
	if (TIMESTAMP_NOT_FINITE(now))
		return TIMESTAMP_IS_NOBEGIN(now) ? MIN_TIMESTAMP : END_TIMESTAMP - 1;
	return delay > END_TIMESTAMP - 1 - now ? END_TIMESTAMP - 1 : now + delay;
}

static void
change_status(GqChanges *changes, GqStatus status, TimestampTz now)
{
	gq_change(changes, GQ_ATT_STATUS, Int16GetDatum(status));
	gq_change(changes, GQ_ATT_UPDATED_AT, TimestampTzGetDatum(now));
}

static void
end_lease(GqChanges *changes)
{
	gq_change_to_null(changes, GQ_ATT_LEASE_UNTIL);
	gq_change_to_null(changes, GQ_ATT_TOKEN);
}

void
gq_task_claim(const GqTask *task, GqChanges *changes, TimestampTz now, int64 lease,
			  int64 token, Datum worker)
{
	change_status(changes, GQ_PROCESSING, now);
	gq_change(changes, GQ_ATT_ATTEMPTS,
			  Int32GetDatum(task->attempts < PG_INT32_MAX ? task->attempts + 1 : PG_INT32_MAX));
	gq_change(changes, GQ_ATT_LEASE_UNTIL, TimestampTzGetDatum(gq_time_add(now, lease)));
	gq_change(changes, GQ_ATT_TOKEN, Int64GetDatum(token));
	gq_change(changes, GQ_ATT_STARTED_AT, TimestampTzGetDatum(now));
	gq_change(changes, GQ_ATT_WORKER, worker);
}

void
gq_task_complete(const GqTask *task, GqChanges *changes, TimestampTz now)
{
	change_status(changes, GQ_DONE, now);
	gq_change(changes, GQ_ATT_FINISHED_AT, TimestampTzGetDatum(now));
	end_lease(changes);
}

/* Cut at `limit` bytes, between characters. */
static char *
cut(const char *message, int limit)
{
	int			len = strlen(message);

	return pnstrdup(message, len <= limit ? len : pg_mbcliplen(message, len, limit));
}

/* Without the ends of lines in it. */
static void
append_on_one_line(StringInfo line, const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		appendStringInfoChar(line, *c == '\n' || *c == '\r' ? ' ' : *c);
}

/* One line per failure; the oldest lines go first. */
static char *
append_error(const GqTask *task, const char *message, TimestampTz now)
{
	char	   *errors = gq_task_text(task, GQ_ATT_ERRORS);
	char	   *worker = gq_task_text(task, GQ_ATT_WORKER);
	StringInfoData line;
	char	   *all;

	initStringInfo(&line);
	if (errors != NULL)
		appendStringInfo(&line, "%s\n", errors);
	appendStringInfo(&line, "attempt %d: ", task->attempts);
	append_on_one_line(&line, cut(message, GQ_MAX_ERROR_BYTES));
	appendStringInfo(&line, " (%s, ", timestamptz_to_str(now));
	append_on_one_line(&line, worker ? worker : "no worker");
	appendStringInfoChar(&line, ')');

	all = line.data;
	while (strlen(all) > GQ_MAX_ERRORS_BYTES && strchr(all, '\n') != NULL)
		all = strchr(all, '\n') + 1;
	return all;
}

static void
change_error(const GqTask *task, GqChanges *changes, TimestampTz now, const char *message)
{
	gq_change(changes, GQ_ATT_ERROR, CStringGetTextDatum(cut(message, GQ_MAX_ERROR_BYTES)));
	gq_change(changes, GQ_ATT_ERRORS, CStringGetTextDatum(append_error(task, message, now)));
}

GqStatus
gq_task_fail(const GqTask *task, GqChanges *changes, TimestampTz now, const char *message,
			 bool retry, int64 delay)
{
	GqStatus	status = retry && task->attempts < task->max_attempts ? GQ_ERROR : GQ_ATTEMPTS_LEFT;

	change_status(changes, status, now);
	change_error(task, changes, now, message);
	end_lease(changes);
	if (status == GQ_ERROR)
		gq_change(changes, GQ_ATT_NEXT_ATTEMPT_AT, TimestampTzGetDatum(gq_time_add(now, delay)));
	else
		gq_change(changes, GQ_ATT_FINISHED_AT, TimestampTzGetDatum(now));
	return status;
}

void
gq_task_release(const GqTask *task, GqChanges *changes, TimestampTz now, int64 delay)
{
	int32		attempts = Max(task->attempts - 1, 0);

	/* what failed before stays visibly so */
	change_status(changes, attempts == 0 ? GQ_NEW : GQ_ERROR, now);
	gq_change(changes, GQ_ATT_ATTEMPTS, Int32GetDatum(attempts));
	gq_change(changes, GQ_ATT_NEXT_ATTEMPT_AT, TimestampTzGetDatum(gq_time_add(now, delay)));
	end_lease(changes);
}

void
gq_task_cancel(const GqTask *task, GqChanges *changes, TimestampTz now, const char *reason)
{
	change_status(changes, GQ_CANCELED, now);
	gq_change(changes, GQ_ATT_FINISHED_AT, TimestampTzGetDatum(now));
	if (reason != NULL)
		change_error(task, changes, now, reason);
	end_lease(changes);

	/* what ends before its turn leaves no gap to be looked at */
	if (task->status == GQ_PENDING && task->place != 0)
		gq_change_to_null(changes, GQ_ATT_PLACE);
}

void
gq_task_retry(const GqTask *task, GqChanges *changes, TimestampTz now, TimestampTz run_at)
{
	change_status(changes, GQ_NEW, now);
	if (task->status != GQ_NEW)
		gq_change(changes, GQ_ATT_ATTEMPTS, Int32GetDatum(0));
	gq_change(changes, GQ_ATT_NEXT_ATTEMPT_AT, TimestampTzGetDatum(run_at));
	gq_change_to_null(changes, GQ_ATT_RUN_AT);
	gq_change_to_null(changes, GQ_ATT_FINISHED_AT);
	gq_change_to_null(changes, GQ_ATT_RESULT);

	/* else it would expire again before it is fetched */
	if (task->expires_at != 0 && task->expires_at <= run_at)
		gq_change_to_null(changes, GQ_ATT_EXPIRES_AT);
}

void
gq_task_block(GqChanges *changes, TimestampTz run_at)
{
	gq_change(changes, GQ_ATT_STATUS, Int16GetDatum(GQ_PENDING));
	gq_change(changes, GQ_ATT_NEXT_ATTEMPT_AT, TimestampTzGetDatum(DT_NOEND));
	gq_change(changes, GQ_ATT_RUN_AT, TimestampTzGetDatum(run_at));
}

void
gq_task_unblock(GqChanges *changes, TimestampTz run_at)
{
	gq_change(changes, GQ_ATT_STATUS, Int16GetDatum(GQ_NEW));
	gq_change(changes, GQ_ATT_NEXT_ATTEMPT_AT, TimestampTzGetDatum(run_at));
	gq_change_to_null(changes, GQ_ATT_RUN_AT);
}
