/*-------------------------------------------------------------------------
 *
 * installation.c
 *	  What tells this installation of goque from all others.
 *
 * A sequence, drawn by CREATE EXTENSION and not dumped: a restored copy has another
 * number than the original.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/installation.h"
#include "store/relations.h"
#include "store/sequence.h"

int64
gq_installation_number(void)
{
	return gq_sequence_read(gq_relid(GQ_REL_INSTALLATION_SEQ));
}
