/*-------------------------------------------------------------------------
 *
 * stranded.h
 *	  A safety net: pending tasks that wait for nothing any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_STRANDED_H
#define GOQUE_CORE_STRANDED_H

/* Look at the next part of the tables, and start what is stranded there.  Takes
 * only locks that are free.  Returns how many tasks it started. */
extern int	gq_stranded_check(void);

#endif							/* GOQUE_CORE_STRANDED_H */
