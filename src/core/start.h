/*-------------------------------------------------------------------------
 *
 * start.h
 *	  Starting a pending task, when nothing holds it back any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_START_H
#define GOQUE_CORE_START_H

/* Those that are started from here on are ready at this moment. */
extern void gq_start_begin(void);

/* Make a pending task new; its locks are held.  False: it is not pending. */
extern bool gq_start(int64 id);

#endif							/* GOQUE_CORE_START_H */
