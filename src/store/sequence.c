/*-------------------------------------------------------------------------
 *
 * sequence.c
 *	  Sequences that hold one number of goque's own.
 *
 * A sequence is read as others left it this instant, whatever the snapshot, has
 * no row versions, and is not part of a publication.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "commands/sequence.h"
#include "storage/bufmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "store/sequence.h"

int64
gq_sequence_read(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	Buffer		buffer = ReadBuffer(rel, 0);
	Page		page;
	HeapTupleData tuple;
	ItemId		item;
	int64		value;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	item = PageGetItemId(page, FirstOffsetNumber);
	tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
	tuple.t_len = ItemIdGetLength(item);
	value = ((Form_pg_sequence_data) GETSTRUCT(&tuple))->last_value;
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	return value;
}

void
gq_sequence_write(Oid relid, int64 value)
{
	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(relid), Int64GetDatum(value));
}
