/*-------------------------------------------------------------------------
 *
 * row_lock.c
 *	  Row locks on tasks: taking one, and telling it from a change.
 *
 * The lock is the one that an UPDATE which leaves the key alone would take
 * (LockTupleNoKeyExclusive): it stands in the row itself, so it costs no shared
 * memory, survives in a prepared transaction, and goes with the subtransaction
 * that took it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"

#include "store/row_lock.h"

TM_Result
gq_row_lock(GqGeneration *generation, TupleTableSlot *slot, Snapshot crosscheck)
{
	TupleTableSlot *locked;
	TM_FailureData tmfd;
	TM_Result	result;

	gq_generation_for_write(generation);
	locked = table_slot_create(generation->table, NULL);
	result = table_tuple_lock(generation->table, &slot->tts_tid, crosscheck, locked,
							  GetCurrentCommandId(true), LockTupleNoKeyExclusive,
							  LockWaitBlock, 0, &tmfd);
	if (result == TM_Ok && crosscheck != InvalidSnapshot &&
		!table_tuple_satisfies_snapshot(generation->table, locked, crosscheck))
		result = TM_Updated;
	ExecDropSingleTupleTableSlot(locked);
	return result;
}

/* The header as it is now, read under the page's lock. */
static void
read_header(TupleTableSlot *slot, HeapTupleHeader header)
{
	BufferHeapTupleTableSlot *stored = (BufferHeapTupleTableSlot *) slot;

	Assert(TTS_IS_BUFFERTUPLE(slot) && BufferIsValid(stored->buffer));
	LockBuffer(stored->buffer, BUFFER_LOCK_SHARE);
	memcpy(header, stored->base.tuple->t_data, SizeofHeapTupleHeader);
	LockBuffer(stored->buffer, BUFFER_LOCK_UNLOCK);
}

bool
gq_row_is_only_locked(TupleTableSlot *slot)
{
	HeapTupleHeaderData header;

	read_header(slot, &header);
	if (header.t_infomask & HEAP_XMAX_INVALID)
		return false;
	if (HEAP_XMAX_IS_LOCKED_ONLY(header.t_infomask))
		return true;
	/* a change in a subtransaction that was rolled back, beside the lock */
	return (header.t_infomask & HEAP_XMAX_IS_MULTI) != 0 &&
		TransactionIdDidAbort(HeapTupleHeaderGetUpdateXid(&header));
}

static bool
is_own_multi(HeapTupleHeader header)
{
	MultiXactMember *members;
	int			n = GetMultiXactIdMembers(HeapTupleHeaderGetRawXmax(header), &members, false,
										  HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask));

	for (int i = 0; i < n; i++)
		if (TransactionIdIsCurrentTransactionId(members[i].xid))
			return true;
	return false;
}

bool
gq_row_is_held(TupleTableSlot *slot)
{
	HeapTupleHeaderData header;

	read_header(slot, &header);
	if (header.t_infomask & HEAP_XMAX_INVALID)
		return false;
	if (header.t_infomask & HEAP_XMAX_IS_MULTI)
		return is_own_multi(&header);
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(&header));
}

bool
gq_row_is_own(TupleTableSlot *slot)
{
	HeapTupleHeaderData header;

	read_header(slot, &header);
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(&header));
}

/* The transaction itself, if it is open and another one's. */
static TransactionId
open_of_others(TransactionId xid)
{
	if (!TransactionIdIsValid(xid) || TransactionIdIsCurrentTransactionId(xid) ||
		!TransactionIdIsInProgress(xid))
		return InvalidTransactionId;
	return xid;
}

static TransactionId
top_of(TransactionId xid)
{
	return TransactionIdIsValid(xid) ? SubTransGetTopmostTransaction(xid) : InvalidTransactionId;
}

/* Of whoever changed the version, whatever became of that. */
static TransactionId
update_xid(TupleTableSlot *slot)
{
	HeapTupleHeaderData header;

	read_header(slot, &header);
	if ((header.t_infomask & HEAP_XMAX_INVALID) || HEAP_XMAX_IS_LOCKED_ONLY(header.t_infomask))
		return InvalidTransactionId;
	return HeapTupleHeaderGetUpdateXid(&header);
}

TransactionId
gq_row_updater(TupleTableSlot *slot)
{
	return open_of_others(update_xid(slot));
}

bool
gq_row_may_be_changed(TupleTableSlot *slot)
{
	TransactionId xid = update_xid(slot);

	/* in this order: it may end in between */
	return TransactionIdIsValid(xid) && !TransactionIdIsCurrentTransactionId(xid) &&
		(TransactionIdIsInProgress(xid) || TransactionIdDidCommit(xid));
}

TransactionId
gq_row_changed_by(TupleTableSlot *slot)
{
	return top_of(gq_row_updater(slot));
}

TransactionId
gq_row_locked_by(TupleTableSlot *slot)
{
	HeapTupleHeaderData header;

	read_header(slot, &header);
	if ((header.t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) ||
		!HEAP_XMAX_IS_LOCKED_ONLY(header.t_infomask))
		return InvalidTransactionId;
	return top_of(open_of_others(HeapTupleHeaderGetRawXmax(&header)));
}
