/*-------------------------------------------------------------------------
 *
 * size.c
 *	  How large a payload, result, metadata or progress may be.
 *
 * Measured is the value as it is, not as it is compressed: so the same document is
 * never too large at one time and not at another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"

#include "core/size.h"
#include "guc.h"

int
gq_size_limit(const GqSettings *settings)
{
	int			limit = GqMaxPayloadBytes();

	return settings->max_payload_size > 0 ? Min(limit, settings->max_payload_size) : limit;
}

void
gq_check_size(const char *arg, Datum jsonb_value, int limit)
{
	Size		size = toast_raw_datum_size(jsonb_value) - VARHDRSZ;

	if (size > (Size) limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s of a task is too large", arg),
				 errdetail("It has %zu bytes, and the limit is %d bytes.", size, limit),
				 errhint("Store the data elsewhere and put a reference to it into the task, or raise goque.max_payload_size and the type's max_payload_size.")));
}
