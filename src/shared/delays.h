/*-------------------------------------------------------------------------
 *
 * delays.h
 *	  How many tasks of each type wait for a later time, by spans of time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_DELAYS_H
#define GOQUE_SHARED_DELAYS_H

#include "shared/types.h"

#define GQ_MAX_DELAYS 32768		/* spans, all types together */

/* A span of time [number << bits, (number + 1) << bits), in microseconds.  Of
 * two of them one holds the other, or they have nothing in common. */
typedef struct GqSpan
{
	int64		number;
	int32		type;			/* number of the GqType */
	int32		bits;
} GqSpan;

/* ... and the waiting tasks that were delayed into it */
typedef struct GqDelay
{
	GqSpan		span;
	int64		n;
	TimestampTz first;			/* no task of it is due before, */
	TimestampTz last;			/* ... none later */
} GqDelay;

static inline TimestampTz
gq_span_begin(const GqSpan *span)
{
	return span->number << span->bits;
}

static inline TimestampTz
gq_span_end(const GqSpan *span)
{
	return (span->number + 1) << span->bits;
}

static inline bool
gq_span_equals(const GqSpan *a, const GqSpan *b)
{
	return a->number == b->number && a->type == b->type && a->bits == b->bits;
}

extern Size gq_delays_shmem_size(void);
extern void gq_delays_shmem_init(void);

/*
 * The delay of one task that was told at `told` to wait until `at`; false: it is
 * none.  A function of the row alone, so that who takes the task away finds where
 * it was counted.
 */
extern bool gq_delay_of(GqType *entry, TimestampTz at, TimestampTz told, GqDelay *delay);

/* n more tasks, or less.  Where there is no room, the type's delays_lost is set. */
extern void gq_delays_add(GqType *entry, const GqDelay *delay);

/* Copies of all of them, palloc'd; sorted by type. */
extern GqDelay *gq_delays_copy(int *n);

/* By their types. */
extern void gq_delays_sort(GqDelay *delays, int n);

/* Of a type that is given back. */
extern void gq_delays_forget(GqType *entry);

/*
 * Of these delays of one type: how many tasks wait until *until or longer, which
 * is `now` or soon after; what is due in between must be counted by other means.
 */
extern int64 gq_delays_beyond(const GqDelay *delays, int n, TimestampTz now, TimestampTz *until);

#endif							/* GOQUE_SHARED_DELAYS_H */
