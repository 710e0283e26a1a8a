/*-------------------------------------------------------------------------
 *
 * handlers.c
 *	  Rows of goque.handlers.
 *
 * Written through SPI, under a pinned path: goque_register_processor takes its
 * caller's rights, and so comes with its caller's path.  Read directly, under a
 * snapshot of its own, which needs no rights and no planner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "store/handlers.h"
#include "store/pinned_path.h"
#include "store/relations.h"

/* columns of goque.handlers, in the order of sql/parts/process.sql */
enum
{
	COL_TYPE, COL_HANDLER, COL_OWNER, COL_ROLE, COL_ROLE_NAME, COL_WORKERS, COL_BATCH_SIZE,
	COL_IDLE_TIMEOUT, COL_HOME, COLUMNS
};

static const char put_sql[] =
"INSERT INTO goque.handlers AS h (type, handler, handler_owner, role, role_name, workers, batch_size,"
" idle_timeout, home) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
" ON CONFLICT (type) DO UPDATE SET handler = excluded.handler, handler_owner = excluded.handler_owner,"
" role = excluded.role, role_name = excluded.role_name, workers = excluded.workers,"
" batch_size = excluded.batch_size, idle_timeout = excluded.idle_timeout, home = excluded.home";

static const char delete_sql[] = "DELETE FROM goque.handlers WHERE type = $1";

static const char home_sql[] =
"UPDATE goque.handlers SET home = $1 WHERE home IS DISTINCT FROM $1";

static const Oid put_types[COLUMNS] = {
	TEXTOID, TEXTOID, OIDOID, OIDOID, TEXTOID, INT4OID, INT4OID, INT8OID, TEXTOID
};

static GqHandlerRow *
form_row(HeapTuple tuple, TupleDesc desc)
{
	GqHandlerRow *row = palloc0(sizeof(GqHandlerRow));
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	row->type = TextDatumGetCString(values[COL_TYPE]);
	row->handler = TextDatumGetCString(values[COL_HANDLER]);
	row->owner = DatumGetObjectId(values[COL_OWNER]);
	row->role = DatumGetObjectId(values[COL_ROLE]);
	row->role_name = TextDatumGetCString(values[COL_ROLE_NAME]);
	row->workers = DatumGetInt32(values[COL_WORKERS]);
	row->batch_size = DatumGetInt32(values[COL_BATCH_SIZE]);
	row->idle_timeout = DatumGetInt64(values[COL_IDLE_TIMEOUT]);
	row->home = nulls[COL_HOME] ? NULL : TextDatumGetCString(values[COL_HOME]);
	return row;
}

List *
gq_handlers_read(const char *type)
{
	Relation	rel = gq_table_open(GQ_REL_HANDLERS, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	List	   *rows = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		GqHandlerRow *row = form_row(tuple, RelationGetDescr(rel));

		if (type == NULL || strcmp(row->type, type) == 0)
			rows = lappend(rows, row);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rows;
}

/* Returns the number of rows. */
static uint64
execute(const char *sql, int nargs, const Oid *types, Datum *values, const char *nulls)
{
	Oid			argtypes[COLUMNS];
	int			nest_level = gq_path_pin();
	uint64		processed;
	int			result;

	memcpy(argtypes, types, nargs * sizeof(Oid));
	SPI_connect();
	result = SPI_execute_with_args(sql, nargs, argtypes, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "goque.handlers could not be changed: %s", SPI_result_code_string(result));
	processed = SPI_processed;
	SPI_finish();
	gq_path_unpin(nest_level);
	return processed;
}

void
gq_handler_put(const GqHandlerRow *row)
{
	Datum		values[COLUMNS];

	values[COL_TYPE] = CStringGetTextDatum(row->type);
	values[COL_HANDLER] = CStringGetTextDatum(row->handler);
	values[COL_OWNER] = ObjectIdGetDatum(row->owner);
	values[COL_ROLE] = ObjectIdGetDatum(row->role);
	values[COL_ROLE_NAME] = CStringGetTextDatum(row->role_name);
	values[COL_WORKERS] = Int32GetDatum(row->workers);
	values[COL_BATCH_SIZE] = Int32GetDatum(row->batch_size);
	values[COL_IDLE_TIMEOUT] = Int64GetDatum(row->idle_timeout);
	values[COL_HOME] = CStringGetTextDatum(row->home);
	(void) execute(put_sql, COLUMNS, put_types, values, NULL);
}

bool
gq_handler_delete(const char *type)
{
	Datum		value = CStringGetTextDatum(type);

	return execute(delete_sql, 1, put_types, &value, NULL) > 0;
}

void
gq_handlers_set_home(const char *home)
{
	Datum		value = CStringGetTextDatum(home);

	(void) execute(home_sql, 1, put_types, &value, NULL);
}
