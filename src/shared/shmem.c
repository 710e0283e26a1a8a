/*-------------------------------------------------------------------------
 *
 * shmem.c
 *	  Request and start-up of goque's shared memory.
 *
 * All of it is of a fixed size, reserved when the server starts and set up
 * under AddinShmemInitLock by the postmaster (or by whoever finds it missing).
 * Each module says how much it needs and fills in its own part; here are the
 * root, the locks of all, and the order in which things happen.
 *
 * After a crash the postmaster comes here again: everything starts empty, with
 * another random start of the tokens.  Nothing is kept but what
 * shared/totals_file.c wrote at an orderly end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "shared/awaited.h"
#include "shared/databases.h"
#include "shared/delays.h"
#include "shared/leases.h"
#include "shared/processing_map.h"
#include "shared/runners.h"
#include "shared/rates.h"
#include "shared/shmem.h"
#include "shared/totals_file.h"
#include "shared/types.h"
#include "shared/wait_lines.h"
#include "shared/window.h"

#define TRANCHE "goque"
#define NLOCKS (8 + GQ_LEASE_PARTITIONS)

/*
 * The first token lies between 1 and this, so that a server which never
 * restarts still has 2^46 tokens before it reaches the limit of 2^53 - 1.
 */
#define MAX_FIRST_TOKEN ((INT64CONST(1) << 53) - (INT64CONST(1) << 46))

GqShared   *gq_shared = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static void
request(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();

	RequestAddinShmemSpace(MAXALIGN(sizeof(GqShared)));
	RequestAddinShmemSpace(gq_databases_shmem_size());
	RequestAddinShmemSpace(gq_types_shmem_size());
	RequestAddinShmemSpace(gq_windows_shmem_size());
	RequestAddinShmemSpace(gq_lines_shmem_size());
	RequestAddinShmemSpace(gq_awaited_shmem_size());
	RequestAddinShmemSpace(gq_leases_shmem_size());
	RequestAddinShmemSpace(gq_delays_shmem_size());
	RequestAddinShmemSpace(gq_runners_shmem_size());
	RequestAddinShmemSpace(gq_rates_shmem_size());
	RequestAddinShmemSpace(gq_processing_map_shmem_size());
	RequestNamedLWLockTranche(TRANCHE, NLOCKS);
}

static uint64
random_first_token(void)
{
	uint64		random;

	if (!pg_strong_random(&random, sizeof(random)))
		ereport(FATAL,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random first token for goque")));
	return 1 + random % MAX_FIRST_TOKEN;
}

static void
init_root(GqShared *shared)
{
	LWLockPadded *locks = GetNamedLWLockTranche(TRANCHE);

	shared->databases_lock = &locks[0].lock;
	shared->types_lock = &locks[1].lock;
	shared->wait_lock = &locks[2].lock;
	shared->awaited_lock = &locks[3].lock;
	shared->delays_lock = &locks[4].lock;
	shared->runners_lock = &locks[5].lock;
	shared->rates_lock = &locks[6].lock;
	shared->maps_lock = &locks[7].lock;
	shared->lease_locks = &locks[8];
	pg_atomic_init_u64(&shared->next_token, random_first_token());
	pg_atomic_init_u32(&shared->settings_changes, 0);
	shared->started_at = GetCurrentTimestamp();
}

static void
startup(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	gq_shared = ShmemInitStruct("goque", sizeof(GqShared), &found);
	if (!found)
		init_root(gq_shared);
	gq_databases_shmem_init();
	gq_types_shmem_init();
	gq_windows_shmem_init();
	gq_lines_shmem_init();
	gq_awaited_shmem_init();
	gq_leases_shmem_init();
	gq_delays_shmem_init();
	gq_runners_shmem_init();
	gq_rates_shmem_init();
	gq_processing_map_shmem_init();
	LWLockRelease(AddinShmemInitLock);

	/* only where this is the process that ends last, and is alone now */
	if (!IsUnderPostmaster)
	{
		gq_totals_load();
		on_shmem_exit(gq_totals_save, (Datum) 0);
	}
}

void
gq_shmem_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}
