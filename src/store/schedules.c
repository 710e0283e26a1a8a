/*-------------------------------------------------------------------------
 *
 * schedules.c
 *	  Rows of goque.schedule_settings.
 *
 * Through SPI: a schedule fires once a second at most.  Two keepers, or a keeper
 * and a person, cannot both move a row, since whoever moves it has locked it and
 * read it after that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "store/schedules.h"

#define COLUMNS \
"name, next_run_at, last_run_at, last_task, retry_at, error, paused, overlap, run_on_start," \
" priority, catch_up, home, schedule, timezone, type, payload"

/* in that order */
enum
{
	COL_NAME, COL_NEXT_RUN_AT, COL_LAST_RUN_AT, COL_LAST_TASK, COL_RETRY_AT, COL_ERROR,
	COL_PAUSED, COL_OVERLAP, COL_RUN_ON_START, COL_PRIORITY, COL_CATCH_UP, COL_HOME,
	COL_SCHEDULE, COL_TIMEZONE, COL_TYPE, COL_PAYLOAD, NCOLUMNS
};

static const Oid column_types[NCOLUMNS] = {
	TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, TEXTOID, BOOLOID, BOOLOID,
	BOOLOID, INT2OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID
};

#define NMOVING (COL_PAUSED + 1)	/* what gq_schedule_update writes */

static const char may_add_sql[] = "SELECT goque.may_add()";

static const char lock_sql[] =
"SELECT " COLUMNS " FROM goque.schedule_settings WHERE name = $1 FOR UPDATE";

static const char due_sql[] =
"SELECT " COLUMNS " FROM goque.schedule_settings"
" WHERE NOT paused AND home = $1 AND greatest(next_run_at, retry_at) <= $2 AND next_run_at IS NOT NULL"
" ORDER BY next_run_at LIMIT $3 FOR UPDATE SKIP LOCKED";

static const char waiting_sql[] =
"SELECT " COLUMNS " FROM goque.schedule_settings"
" WHERE NOT paused AND home = $1 AND next_run_at > $2";

static const char try_lock_sql[] =
"SELECT " COLUMNS " FROM goque.schedule_settings WHERE name = $1 FOR UPDATE SKIP LOCKED";

static const char next_sql[] =
"SELECT min(greatest(next_run_at, retry_at)) FROM goque.schedule_settings"
" WHERE NOT paused AND home = $1 AND next_run_at IS NOT NULL";

static const char insert_sql[] =
"INSERT INTO goque.schedule_settings (" COLUMNS ")"
" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
" ON CONFLICT (name) DO NOTHING";

static const char replace_sql[] =
"UPDATE goque.schedule_settings SET next_run_at = $2, last_run_at = $3, last_task = $4, retry_at = $5,"
" error = $6, paused = $7, overlap = $8, run_on_start = $9, priority = $10, catch_up = $11, home = $12,"
" schedule = $13, timezone = $14, type = $15, payload = $16 WHERE name = $1";

static const char update_sql[] =
"UPDATE goque.schedule_settings SET next_run_at = $2, last_run_at = $3, last_task = $4, retry_at = $5,"
" error = $6, paused = $7 WHERE name = $1";

static const char delete_sql[] = "DELETE FROM goque.schedule_settings WHERE name = $1";

static const char take_over_sql[] =
"UPDATE goque.schedule_settings SET home = $1 WHERE home <> $1";

static void
execute(const char *sql, int nargs, const Oid *types, Datum *values, const char *nulls)
{
	Oid			argtypes[NCOLUMNS];
	int			result;

	if (nargs > 0)
		memcpy(argtypes, types, nargs * sizeof(Oid));
	result = SPI_execute_with_args(sql, nargs, argtypes, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "goque.schedule_settings could not be used: %s", SPI_result_code_string(result));
}

/* ---- reading ---- */

static Datum
column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column + 1, &isnull);

	return isnull ? (Datum) 0 : value;
}

/* The text of a column; NULL: the column is null. */
static char *
text_column(HeapTuple tuple, TupleDesc desc, int number)
{
	Datum		value = column(tuple, desc, number);

	return value == (Datum) 0 ? NULL : TextDatumGetCString(value);
}

static void
read_row(HeapTuple tuple, TupleDesc desc, GqScheduleRow *row)
{
	row->name = text_column(tuple, desc, COL_NAME);
	row->next_run_at = DatumGetTimestampTz(column(tuple, desc, COL_NEXT_RUN_AT));
	row->last_run_at = DatumGetTimestampTz(column(tuple, desc, COL_LAST_RUN_AT));
	row->last_task = DatumGetInt64(column(tuple, desc, COL_LAST_TASK));
	row->retry_at = DatumGetTimestampTz(column(tuple, desc, COL_RETRY_AT));
	row->error = text_column(tuple, desc, COL_ERROR);
	row->paused = DatumGetBool(column(tuple, desc, COL_PAUSED));
	row->overlap = DatumGetBool(column(tuple, desc, COL_OVERLAP));
	row->run_on_start = DatumGetBool(column(tuple, desc, COL_RUN_ON_START));
	row->priority = DatumGetInt16(column(tuple, desc, COL_PRIORITY));
	row->catch_up = text_column(tuple, desc, COL_CATCH_UP);
	row->home = text_column(tuple, desc, COL_HOME);
	row->schedule = text_column(tuple, desc, COL_SCHEDULE);
	row->timezone = text_column(tuple, desc, COL_TIMEZONE);
	row->type = text_column(tuple, desc, COL_TYPE);
	row->payload = PointerGetDatum(PG_DETOAST_DATUM_COPY(column(tuple, desc, COL_PAYLOAD)));
}

/* The rows of a query, in the memory context of the caller. */
static GqScheduleRow *
query_rows(const char *sql, int nargs, const Oid *types, Datum *values, int *n)
{
	MemoryContext caller = CurrentMemoryContext;
	GqScheduleRow *rows;

	SPI_connect();
	execute(sql, nargs, types, values, NULL);
	*n = (int) SPI_processed;
	MemoryContextSwitchTo(caller);
	rows = (GqScheduleRow *) palloc0(Max(*n, 1) * sizeof(GqScheduleRow));
	for (int i = 0; i < *n; i++)
		read_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &rows[i]);
	SPI_finish();
	return rows;
}

/* One value, by value; false: it is null. */
static bool
query_value(const char *sql, int nargs, const Oid *types, Datum *values, Datum *result)
{
	bool		isnull;

	SPI_connect();
	execute(sql, nargs, types, values, NULL);
	*result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	SPI_finish();
	return !isnull;
}

bool
gq_schedules_may_add(void)
{
	Datum		value;

	return query_value(may_add_sql, 0, NULL, NULL, &value) && DatumGetBool(value);
}

GqScheduleRow *
gq_schedule_lock(const char *name, bool wait)
{
	static const Oid types[] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};
	int			n;
	GqScheduleRow *rows = query_rows(wait ? lock_sql : try_lock_sql, 1, types, values, &n);

	return n > 0 ? rows : NULL;
}

GqScheduleRow *
gq_schedules_due(const char *home, TimestampTz now, int max, int *n)
{
	static const Oid types[] = {TEXTOID, TIMESTAMPTZOID, INT4OID};
	Datum		values[3] = {CStringGetTextDatum(home), TimestampTzGetDatum(now), Int32GetDatum(max)};

	return query_rows(due_sql, 3, types, values, n);
}

GqScheduleRow *
gq_schedules_waiting(const char *home, TimestampTz now, int *n)
{
	static const Oid types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[2] = {CStringGetTextDatum(home), TimestampTzGetDatum(now)};

	return query_rows(waiting_sql, 2, types, values, n);
}

TimestampTz
gq_schedules_next(const char *home)
{
	static const Oid types[] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(home)};
	Datum		next;

	return query_value(next_sql, 1, types, values, &next) ? DatumGetTimestampTz(next) : DT_NOEND;
}

/* ---- writing ---- */

/* Run a statement with the first `n` columns of a row; how many rows it changed. */
static uint64
write_row(const char *sql, const GqScheduleRow *row, int n)
{
	Datum		values[NCOLUMNS];
	char		nulls[NCOLUMNS];
	uint64		processed;

	memset(nulls, ' ', sizeof(nulls));
	nulls[COL_NEXT_RUN_AT] = row->next_run_at == 0 ? 'n' : ' ';
	nulls[COL_LAST_RUN_AT] = row->last_run_at == 0 ? 'n' : ' ';
	nulls[COL_LAST_TASK] = row->last_task == 0 ? 'n' : ' ';
	nulls[COL_RETRY_AT] = row->retry_at == 0 ? 'n' : ' ';
	nulls[COL_ERROR] = row->error == NULL ? 'n' : ' ';

	values[COL_NAME] = CStringGetTextDatum(row->name);
	values[COL_NEXT_RUN_AT] = TimestampTzGetDatum(row->next_run_at);
	values[COL_LAST_RUN_AT] = TimestampTzGetDatum(row->last_run_at);
	values[COL_LAST_TASK] = Int64GetDatum(row->last_task);
	values[COL_RETRY_AT] = TimestampTzGetDatum(row->retry_at);
	values[COL_ERROR] = row->error == NULL ? (Datum) 0 : CStringGetTextDatum(row->error);
	values[COL_PAUSED] = BoolGetDatum(row->paused);
	values[COL_OVERLAP] = BoolGetDatum(row->overlap);
	values[COL_RUN_ON_START] = BoolGetDatum(row->run_on_start);
	values[COL_PRIORITY] = Int16GetDatum(row->priority);
	values[COL_CATCH_UP] = CStringGetTextDatum(row->catch_up);
	values[COL_HOME] = CStringGetTextDatum(row->home);
	values[COL_SCHEDULE] = CStringGetTextDatum(row->schedule);
	values[COL_TIMEZONE] = CStringGetTextDatum(row->timezone);
	values[COL_TYPE] = CStringGetTextDatum(row->type);
	values[COL_PAYLOAD] = row->payload;

	SPI_connect();
	execute(sql, n, column_types, values, nulls);
	processed = SPI_processed;
	SPI_finish();
	return processed;
}

bool
gq_schedule_insert(const GqScheduleRow *row)
{
	return write_row(insert_sql, row, NCOLUMNS) > 0;
}

void
gq_schedule_replace(const GqScheduleRow *row)
{
	write_row(replace_sql, row, NCOLUMNS);
}

void
gq_schedule_update(const GqScheduleRow *row)
{
	write_row(update_sql, row, NMOVING);
}

static uint64
execute_for_text(const char *sql, const char *value)
{
	static const Oid types[] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(value)};
	uint64		processed;

	SPI_connect();
	execute(sql, 1, types, values, NULL);
	processed = SPI_processed;
	SPI_finish();
	return processed;
}

bool
gq_schedule_delete(const char *name)
{
	return execute_for_text(delete_sql, name) > 0;
}

void
gq_schedules_take_over(const char *home)
{
	execute_for_text(take_over_sql, home);
}
