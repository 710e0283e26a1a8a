/*-------------------------------------------------------------------------
 *
 * pinned_path.h
 *	  A search path that nobody can put anything into, for a while.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_PINNED_PATH_H
#define GOQUE_STORE_PINNED_PATH_H

/* From here on, up to gq_path_unpin with what this returned, or an error. */
extern int	gq_path_pin(void);
extern void gq_path_unpin(int nest_level);

#endif							/* GOQUE_STORE_PINNED_PATH_H */
