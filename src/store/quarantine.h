/*-------------------------------------------------------------------------
 *
 * quarantine.h
 *	  Which generation was found without tasks, and when, from one call of
 *	  goque_clean() to the next.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_QUARANTINE_H
#define GOQUE_STORE_QUARANTINE_H

#include "datatype/timestamp.h"

#include "goque.h"

/* The generation that was found without tasks, and when; false: none. */
extern bool gq_quarantine_read(int *number, TimestampTz *since);

/* An old generation has no tasks, as of `now`. */
extern void gq_quarantine_begin(int number, TimestampTz now);

/* None is known to have none. */
extern void gq_quarantine_end(void);

#endif							/* GOQUE_STORE_QUARANTINE_H */
