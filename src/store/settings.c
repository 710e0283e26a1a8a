/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Rows of goque.settings.
 *
 * Written through SPI, since that is rare.  Read directly, under a snapshot of
 * its own: a setting that was committed applies at once, in transactions too
 * that began before, and reading it needs no rights of the caller and no
 * planner.
 *
 * A row that says nothing is not kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "store/relations.h"
#include "store/settings.h"

#define ATT_TYPE 1				/* the others follow it */

static const char merge_sql[] =
"INSERT INTO goque.settings AS s (type, max_attempts, timeout, backoff, backoff_base, backoff_max,"
" backoff_jitter, backoff_steps, retention, retention_failed, max_payload_size, max_running,"
" rate_limit, rate_period)"
" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
" ON CONFLICT (type) DO UPDATE SET"
" max_attempts = coalesce(excluded.max_attempts, s.max_attempts),"
" timeout = coalesce(excluded.timeout, s.timeout),"
" backoff = coalesce(excluded.backoff, s.backoff),"
" backoff_base = coalesce(excluded.backoff_base, s.backoff_base),"
" backoff_max = coalesce(excluded.backoff_max, s.backoff_max),"
" backoff_jitter = coalesce(excluded.backoff_jitter, s.backoff_jitter),"
" backoff_steps = coalesce(excluded.backoff_steps, s.backoff_steps),"
" retention = coalesce(excluded.retention, s.retention),"
" retention_failed = coalesce(excluded.retention_failed, s.retention_failed),"
" max_payload_size = coalesce(excluded.max_payload_size, s.max_payload_size),"
" max_running = coalesce(excluded.max_running, s.max_running),"
" rate_limit = coalesce(excluded.rate_limit, s.rate_limit),"
" rate_period = coalesce(excluded.rate_period, s.rate_period)";

#define NUMBER_OF_SETTINGS \
"num_nonnulls(max_attempts, timeout, backoff, backoff_base, backoff_max, backoff_jitter," \
" backoff_steps, retention, retention_failed, max_payload_size, max_running, rate_limit, rate_period)"

static const char clear_sql[] =
"UPDATE goque.settings SET max_attempts = NULL, timeout = NULL, backoff = NULL, backoff_base = NULL,"
" backoff_max = NULL, backoff_jitter = NULL, backoff_steps = NULL, retention = NULL,"
" retention_failed = NULL, max_payload_size = NULL, max_running = NULL, rate_limit = NULL,"
" rate_period = NULL"
" WHERE type = $1 AND " NUMBER_OF_SETTINGS " > 0";

static const char tidy_sql[] =
"DELETE FROM goque.settings WHERE type = $1 AND NOT paused AND " NUMBER_OF_SETTINGS " = 0";

static const char pause_sql[] =
"INSERT INTO goque.settings AS s (type, paused) VALUES ($1, true)"
" ON CONFLICT (type) DO UPDATE SET paused = true WHERE NOT s.paused";

static const char resume_sql[] =
"UPDATE goque.settings SET paused = false WHERE type = $1 AND paused";

/* types of merge_sql's parameters: the type, then GqSettingsColumn */
static const Oid merge_types[GQ_SET_COLUMNS] = {
	TEXTOID, INT4OID, INTERVALOID, TEXTOID, INTERVALOID, INTERVALOID, FLOAT8OID,
	INTERVALARRAYOID, INTERVALOID, INTERVALOID, INT4OID, INT4OID, INT4OID, INTERVALOID
};

static void
copy_row(Relation rel, HeapTuple tuple, GqSettingsRow *row)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < GQ_SET_COLUMNS; i++)
	{
		AttrNumber	attnum = ATT_TYPE + 1 + i;
		int16		typlen;
		bool		typbyval;
		Datum		value = heap_getattr(tuple, attnum, desc, &row->nulls[i]);

		if (row->nulls[i])
			continue;
		get_typlenbyval(TupleDescAttr(desc, attnum - 1)->atttypid, &typlen, &typbyval);
		if (typlen == -1)
			value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
		else
			value = datumCopy(value, typbyval, typlen);
		row->values[i] = value;
	}
}

bool
gq_settings_row_read(const char *type, GqSettingsRow *row)
{
	Relation	rel = gq_table_open(GQ_REL_SETTINGS, AccessShareLock);
	Oid			index;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	memset(row->values, 0, sizeof(row->values));
	memset(row->nulls, true, sizeof(row->nulls));

	list_free(RelationGetIndexList(rel));	/* finds rd_pkindex */
	index = rel->rd_pkindex;

	/* ScanKeyInit's collation is "C", as is the column's */
	ScanKeyInit(&key, ATT_TYPE, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(type));
	scan = systable_beginscan(rel, index, OidIsValid(index), NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		copy_row(rel, tuple, row);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Run a statement about one type, or merge_sql; returns the rows it changed. */
static uint64
execute(const char *sql, int nargs, const Oid *types, Datum *values, const char *nulls)
{
	Oid			argtypes[GQ_SET_COLUMNS];
	int			result;
	uint64		processed;

	memcpy(argtypes, types, nargs * sizeof(Oid));
	SPI_connect();
	result = SPI_execute_with_args(sql, nargs, argtypes, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "goque.settings could not be changed: %s", SPI_result_code_string(result));
	processed = SPI_processed;
	SPI_finish();
	return processed;
}

static uint64
execute_for_type(const char *sql, const char *type)
{
	Datum		value = CStringGetTextDatum(type);

	return execute(sql, 1, merge_types, &value, NULL);
}

void
gq_settings_row_merge(const char *type, const GqSettingsRow *row)
{
	Datum		values[GQ_SET_COLUMNS];
	char		nulls[GQ_SET_COLUMNS];

	values[0] = CStringGetTextDatum(type);
	nulls[0] = ' ';
	for (int i = 0; i < GQ_SET_PAUSED; i++)
	{
		values[i + 1] = row->values[i];
		nulls[i + 1] = row->nulls[i] ? 'n' : ' ';
	}
	execute(merge_sql, GQ_SET_COLUMNS, merge_types, values, nulls);
}

bool
gq_settings_row_clear(const char *type)
{
	bool		cleared = execute_for_type(clear_sql, type) > 0;

	execute_for_type(tidy_sql, type);
	return cleared;
}

void
gq_settings_row_pause(const char *type, bool paused)
{
	if (paused)
		execute_for_type(pause_sql, type);
	else if (execute_for_type(resume_sql, type) > 0)
		execute_for_type(tidy_sql, type);
}
