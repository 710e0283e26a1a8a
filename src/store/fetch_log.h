/*-------------------------------------------------------------------------
 *
 * fetch_log.h
 *	  goque.fetch_log: when tasks of types with a rate limit were fetched.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_FETCH_LOG_H
#define GOQUE_STORE_FETCH_LOG_H

#include "datatype/timestamp.h"

/* n tasks at once, the first of them with this id. */
extern void gq_fetch_log_append(const char *type, TimestampTz at, int64 id, int64 n);

/* Call fn for each fetch of the type after `since`, in the order of their times. */
extern void gq_fetch_log_scan(const char *type, TimestampTz since,
							  void (*fn) (TimestampTz at, int64 n, void *arg), void *arg);

/* Delete what is older than any rate_period. */
extern void gq_fetch_log_thin(void);

#endif							/* GOQUE_STORE_FETCH_LOG_H */
