/*-------------------------------------------------------------------------
 *
 * window.c
 *	  Who is between the commit of a transaction and telling shared memory of it.
 *
 * A number for each process, odd while it is in between; so that entering and
 * leaving touches no line of memory that others write.
 *
 * Whoever takes a snapshot and then waits for those who are in between
 * (gq_windows_drain) knows that whatever the snapshot sees has been told: a
 * transaction enters before its commit, and so before a snapshot that sees it.
 * That wait is a loop that sleeps a millisecond: to be woken, every commit would
 * have to look for who waits, and only the keeper does, after a crash or a
 * prepared transaction, mostly for microseconds and never for long.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"

#include "shared/shmem.h"
#include "shared/window.h"

#define DRAIN_ATTEMPTS 500		/* a millisecond apart */

static pg_atomic_uint32 *windows;	/* MaxBackends of them */
static bool inside = false;

Size
gq_windows_shmem_size(void)
{
	return mul_size(sizeof(pg_atomic_uint32), MaxBackends);
}

void
gq_windows_shmem_init(void)
{
	bool		found;

	windows = ShmemInitStruct("goque windows", gq_windows_shmem_size(), &found);
	if (!found)
		for (int i = 0; i < MaxBackends; i++)
			pg_atomic_init_u32(&windows[i], 0);
}

static void
step(void)
{
	pg_atomic_uint32 *mine = &windows[gq_my_proc_index()];

	pg_atomic_write_u32(mine, pg_atomic_read_u32(mine) + 1);
}

void
gq_window_enter(void)
{
	if (gq_shared == NULL || inside || gq_my_proc_index() >= MaxBackends)
		return;
	inside = true;
	step();
	pg_memory_barrier();		/* the commit comes later */
}

void
gq_window_leave(void)
{
	if (!inside)
		return;
	pg_memory_barrier();		/* all was told before */
	step();
	inside = false;
}

bool
gq_windows_are_closed(uint64 *passed)
{
	bool		closed = true;

	pg_memory_barrier();
	*passed = 0;
	for (int i = 0; i < MaxBackends; i++)
	{
		uint32		n = pg_atomic_read_u32(&windows[i]);

		*passed += n;
		closed &= n % 2 == 0;
	}
	pg_memory_barrier();
	return closed;
}

static bool
wait_for(pg_atomic_uint32 *window)
{
	uint32		n = pg_atomic_read_u32(window);

	for (int i = 0; n % 2 == 1 && pg_atomic_read_u32(window) == n; i++)
	{
		if (i == DRAIN_ATTEMPTS)
			return false;		/* it waits for a standby, for instance */
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
	return true;
}

bool
gq_windows_drain(void)
{
	pg_memory_barrier();
	for (int i = 0; i < MaxBackends; i++)
		if (!wait_for(&windows[i]))
			return false;
	pg_memory_barrier();
	return true;
}
