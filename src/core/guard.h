/*-------------------------------------------------------------------------
 *
 * guard.h
 *	  Holding a lease for the rest of a transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_GUARD_H
#define GOQUE_CORE_GUARD_H

#include "datatype/timestamp.h"

/* 55000 unless this lease (token 0: any) holds the task; it then does until the
 * (sub)transaction ends.  40001 if the transaction's snapshot does not see the
 * task's last change. */
extern void gq_guard(int64 id, int64 token);

/*
 * A heartbeat met a busy row.  If that one is guarded, and the lease holds it, the
 * lease is extended in shared memory alone, and its end is returned; else 0.
 * lease 0: as long as the last one.
 */
extern TimestampTz gq_guard_heartbeat(int64 id, int64 token, TimestampTz now, int64 lease,
									  bool has_progress);

#endif							/* GOQUE_CORE_GUARD_H */
