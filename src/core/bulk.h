/*-------------------------------------------------------------------------
 *
 * bulk.h
 *	  Deciding about all tasks of a type at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_BULK_H
#define GOQUE_CORE_BULK_H

#include "goque.h"

/* The oldest first, at most `max` (< 0: all); returns how many it was done to. */
extern int64 gq_cancel_all(const char *type, GqStatus status, int64 max);
extern int64 gq_retry_all(const char *type, GqStatus status, const char *error_like, int64 max);

#endif							/* GOQUE_CORE_BULK_H */
