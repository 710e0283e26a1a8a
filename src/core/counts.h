/*-------------------------------------------------------------------------
 *
 * counts.h
 *	  What a transaction changes in the numbers of tasks, and the places that its
 *	  claims have taken.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_COUNTS_H
#define GOQUE_CORE_COUNTS_H

#include "shared/types.h"

/* n tasks go from one status to another (0: they were, or are, not there). */
extern void gq_count_moved(GqType *entry, int from, int to, int64 n);

extern void gq_count_total(GqType *entry, GqTotal total);

/* Add what this very transaction has changed so far. */
extern void gq_count_add_own(const GqType *entry, int64 counts[GQ_STATUSES], int64 totals[GQ_TOTALS]);

/* Take places for n claims, without a limit.  They are given back if the
 * transaction aborts. */
extern void gq_places_take_any(GqType *entry, int n);

/*
 * Take a place for a claim, if fewer than max tasks are in processing or about to
 * be; false: all are taken.  `counted`: where shared memory does not know how many
 * are, the caller does, and there is room.
 */
extern bool gq_place_take(GqType *entry, int32 max, bool counted);

/* n claims came to nothing. */
extern void gq_places_give_back(GqType *entry, int n);

/* How many of the type's places are taken, as this transaction counts. */
extern int64 gq_places_taken(GqType *entry);

/* For core/xact.c. */
extern bool gq_counts_noted(void);
extern void gq_counts_commit(void);
extern void gq_counts_abort(void);
extern void gq_counts_prepare(void);
extern void gq_counts_commit_sub(int level);
extern void gq_counts_abort_sub(int level);
extern void gq_counts_forget(void);

#endif							/* GOQUE_CORE_COUNTS_H */
