/*-------------------------------------------------------------------------
 *
 * installation.c
 *	  What tells this installation of goque from all others.
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
