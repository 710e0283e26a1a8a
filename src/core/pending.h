/*-------------------------------------------------------------------------
 *
 * pending.h
 *	  What becomes of a pending task: it is started, or canceled.
 *
 * Its locks are held by the caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_PENDING_H
#define GOQUE_CORE_PENDING_H

/* Those that are started from here on are ready at this moment. */
extern void gq_pending_begin(void);

/* Make it new.  False: it is not pending. */
extern bool gq_pending_start(int64 id);

/* Cancel it; `reason` is its error.  False: it is not pending. */
extern bool gq_pending_cancel(int64 id, const char *reason);

#endif							/* GOQUE_CORE_PENDING_H */
