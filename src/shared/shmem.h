/*-------------------------------------------------------------------------
 *
 * shmem.h
 *	  goque's shared memory: request, start-up, the root and its locks.
 *
 * Every word in it may be stale or gone: it makes goque fast and awake, the
 * tables alone make it right (rule 1 of docs/design.md).  gq_shared is NULL
 * where the library was not in shared_preload_libraries; every caller must do
 * without it.
 *
 * Lock order (a lock may be taken while holding those above it):
 *	  1. databases_lock, then runners_lock
 *	  2. types_lock
 *	  3. wait_lock
 *	  4. awaited_lock
 *	  5. a partition of the leases (one at a time)
 *	  6. delays_lock, rates_lock, maps_lock
 *	  7. GqType.mutex (spinlock: a few assignments)
 * Under any of them: no allocation, no error, no catalog, no wait.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_SHMEM_H
#define GOQUE_SHARED_SHMEM_H

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#include "goque.h"

#define GQ_LEASE_PARTITIONS 16

typedef struct GqShared
{
	LWLock	   *databases_lock;
	LWLock	   *runners_lock;
	LWLock	   *types_lock;
	LWLock	   *wait_lock;
	LWLock	   *awaited_lock;
	LWLock	   *delays_lock;
	LWLock	   *rates_lock;
	LWLock	   *maps_lock;
	LWLockPadded *lease_locks;	/* GQ_LEASE_PARTITIONS of them */
	pg_atomic_uint64 next_token;	/* starts at random, see core/token.c */
	pg_atomic_uint32 settings_changes;	/* commits that changed goque.settings */
	TimestampTz started_at;		/* of the server, by our hook */
} GqShared;

extern PGDLLIMPORT GqShared *gq_shared;

/* Install the request and start-up hooks; only while libraries are preloaded. */
extern void gq_shmem_init(void);

#endif							/* GOQUE_SHARED_SHMEM_H */
