/*-------------------------------------------------------------------------
 *
 * window.h
 *	  Who is between the commit of a transaction and telling shared memory of it.
 *
 * A commit is visible in the tables a moment before the numbers in shared memory
 * follow.  Whoever counts the tables beside others must know who is in between.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_WINDOW_H
#define GOQUE_SHARED_WINDOW_H

#include "goque.h"

extern Size gq_windows_shmem_size(void);
extern void gq_windows_shmem_init(void);

/* Before the commit, and after all was told (or after the abort).  To enter again,
 * or to leave without having entered, does nothing. */
extern void gq_window_enter(void);
extern void gq_window_leave(void);

/* Is nobody in between?  *passed changes whenever somebody enters or leaves. */
extern bool gq_windows_are_closed(uint64 *passed);

/* Wait until everybody has left who is in between now; false: somebody does not. */
extern bool gq_windows_drain(void);

#endif							/* GOQUE_SHARED_WINDOW_H */
