/*-------------------------------------------------------------------------
 *
 * output.c
 *	  A claimed row as a goque.task, in the order of sql/parts/tables.sql.
 *
 * The length of the lease goes with it, so that a worker needs no clock in step
 * with the server's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "core/interval.h"
#include "core/output.h"
#include "goque.h"

void
gq_output_task(TupleTableSlot *row, Datum *values, bool *nulls)
{
	static const int attrs[GQ_OUTPUT_NATTS] = {
		GQ_ATT_ID, GQ_ATT_TYPE, GQ_ATT_EXTERNAL_ID, GQ_ATT_PAYLOAD, GQ_ATT_ATTEMPTS,
		GQ_ATT_MAX_ATTEMPTS, GQ_ATT_PRIORITY, GQ_ATT_ORDERING_KEY, GQ_ATT_METADATA,
		GQ_ATT_ERRORS, GQ_ATT_PROGRESS, GQ_ATT_CREATED_AT, GQ_ATT_LEASE_UNTIL, GQ_ATT_TOKEN,
	0};
	int64		lease;

	for (int i = 0; i < GQ_OUTPUT_NATTS - 1; i++)
	{
		values[i] = row->tts_values[attrs[i] - 1];
		nulls[i] = row->tts_isnull[attrs[i] - 1];
	}
	/* a smallint in the row */
	values[6] = Int32GetDatum(DatumGetInt16(row->tts_values[GQ_ATT_PRIORITY - 1]));
	lease = DatumGetTimestampTz(row->tts_values[GQ_ATT_LEASE_UNTIL - 1]) -
		DatumGetTimestampTz(row->tts_values[GQ_ATT_UPDATED_AT - 1]);
	values[GQ_OUTPUT_NATTS - 1] = IntervalPGetDatum(gq_interval_make(lease));
	nulls[GQ_OUTPUT_NATTS - 1] = false;
}
