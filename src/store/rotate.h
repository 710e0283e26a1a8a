/*-------------------------------------------------------------------------
 *
 * rotate.h
 *	  Locks and TRUNCATE for the cleaner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_ROTATE_H
#define GOQUE_STORE_ROTATE_H

#include "storage/block.h"

#include "goque.h"

/* Is no transaction writing to this generation right now?  Then none adds to
 * it later either, if it is not the current one. */
extern bool gq_rotate_is_quiet(int number);

extern BlockNumber gq_rotate_pages(int number);

/*
 * Empty a generation of which a scan has shown that nothing in it is needed,
 * when it had `pages` pages.  False: its lock is not free, or there is more.
 */
extern bool gq_rotate_truncate(int number, BlockNumber pages);

#endif							/* GOQUE_STORE_ROTATE_H */
