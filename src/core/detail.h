/*-------------------------------------------------------------------------
 *
 * detail.h
 *	  A user's value, fit to be shown in the detail of an error.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_DETAIL_H
#define GOQUE_CORE_DETAIL_H

/* Cut at 100 characters, control characters escaped; palloc'd. */
extern char *gq_detail(const char *value);

#endif							/* GOQUE_CORE_DETAIL_H */
