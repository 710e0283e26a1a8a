/*-------------------------------------------------------------------------
 *
 * delays.h
 *	  What a transaction changes in the numbers of delayed tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_DELAYS_H
#define GOQUE_CORE_DELAYS_H

#include "shared/delays.h"

/* n tasks (or -n less) wait until `at` since they were told so at `told`. */
extern void gq_delays_note(GqType *entry, TimestampTz at, TimestampTz told, int n);

/* The delays of all types, of other databases too, and what this transaction has
 * noted; sorted by type.  Palloc'd. */
extern GqDelay *gq_delays_known(int *n);

/* For core/xact.c. */
extern bool gq_delays_noted(void);
extern void gq_delays_commit(void);
extern void gq_delays_commit_sub(int level);
extern void gq_delays_abort_sub(int level);
extern void gq_delays_forget_notes(void);

#endif							/* GOQUE_CORE_DELAYS_H */
