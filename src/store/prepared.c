/*-------------------------------------------------------------------------
 *
 * prepared.c
 *	  Prepared transactions of this database.
 *
 * They end without a callback of ours, in any session; so what they may have
 * changed is only known for certain when there are none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"

#include "store/prepared.h"

bool
gq_prepared_pending(void)
{
	bool		pending;

	SPI_connect();
	if (SPI_execute("SELECT 1 FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_prepared_xacts");
	pending = SPI_processed > 0;
	SPI_finish();
	return pending;
}
