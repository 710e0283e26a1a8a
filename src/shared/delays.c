/*-------------------------------------------------------------------------
 *
 * delays.c
 *	  How many tasks of each type wait for a later time, by spans of time.
 *
 * goque.stats tells how many tasks are scheduled.  With millions of them they
 * cannot be counted at each look, nor can their number be kept up to date, since
 * it changes by the clock alone.  So they are counted by the span of time in
 * which they fall due: those of later spans need not be looked at, and the span
 * in which now lies is counted through the index.
 *
 * A span is as wide as a 1,024th of the delay, or a second: so of the tasks of a
 * type about a thousandth is counted at each look, however far away they are.
 * Its width is a power of two and its beginning a multiple of that, so that
 * spans never overlap by a part.
 *
 * The table is of a fixed size.  When it is full, the delays of a type are lost
 * until its tasks are surveyed again (core/survey.c), and its scheduled tasks
 * are counted through the index: slower, not wrong.
 *
 * Locks: gq_shared->delays_lock guards the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "shared/delays.h"
#include "shared/shmem.h"

#define PRECISION_BITS 10
#define MIN_SPAN_BITS 20		/* a second, about */

static HTAB *delays = NULL;

Size
gq_delays_shmem_size(void)
{
	return hash_estimate_size(GQ_MAX_DELAYS, sizeof(GqDelay));
}

void
gq_delays_shmem_init(void)
{
	HASHCTL		ctl = {.keysize = sizeof(GqSpan),.entrysize = sizeof(GqDelay)};

	delays = gq_shmem_hash("goque delays", GQ_MAX_DELAYS, &ctl,
						   HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
}

bool
gq_delay_of(GqType *entry, TimestampTz at, TimestampTz told, GqDelay *delay)
{
	if (at <= told || TIMESTAMP_NOT_FINITE(at))
		return false;
	delay->span.type = gq_type_number(entry);
	delay->span.bits = Max(pg_leftmost_one_pos64((uint64) at - (uint64) told) - PRECISION_BITS,
						   MIN_SPAN_BITS);
	delay->span.number = at >> delay->span.bits;
	delay->n = 1;
	delay->first = delay->last = at;
	return true;
}

static void
lose(GqType *entry)
{
	SpinLockAcquire(&entry->mutex);
	entry->delays_lost = true;
	SpinLockRelease(&entry->mutex);
}

void
gq_delays_add(GqType *entry, const GqDelay *delay)
{
	GqDelay    *known;
	bool		found;

	LWLockAcquire(gq_shared->delays_lock, LW_EXCLUSIVE);
	known = hash_search(delays, &delay->span, HASH_ENTER_NULL, &found);
	if (known == NULL)
		lose(entry);
	else if (!found)
		*known = *delay;
	else
	{
		known->n += delay->n;
		known->first = Min(known->first, delay->first);
		known->last = Max(known->last, delay->last);
	}
	if (known != NULL && known->n == 0)
		hash_search(delays, &delay->span, HASH_REMOVE, NULL);
	LWLockRelease(gq_shared->delays_lock);
}

static int
compare_types(const void *a, const void *b)
{
	return ((const GqDelay *) a)->span.type - ((const GqDelay *) b)->span.type;
}

void
gq_delays_sort(GqDelay *delays_of_types, int n)
{
	qsort(delays_of_types, n, sizeof(GqDelay), compare_types);
}

GqDelay *
gq_delays_copy(int *n)
{
	GqDelay    *copies = palloc(sizeof(GqDelay) * GQ_MAX_DELAYS);
	HASH_SEQ_STATUS status;
	GqDelay    *delay;

	*n = 0;
	LWLockAcquire(gq_shared->delays_lock, LW_SHARED);
	hash_seq_init(&status, delays);
	while ((delay = hash_seq_search(&status)) != NULL)
		copies[(*n)++] = *delay;
	LWLockRelease(gq_shared->delays_lock);
	gq_delays_sort(copies, *n);
	return copies;
}

void
gq_delays_forget(GqType *entry)
{
	int			type = gq_type_number(entry);
	HASH_SEQ_STATUS status;
	GqDelay    *delay;

	LWLockAcquire(gq_shared->delays_lock, LW_EXCLUSIVE);
	hash_seq_init(&status, delays);
	while ((delay = hash_seq_search(&status)) != NULL)
		if (delay->span.type == type)
			hash_search(delays, &delay->span, HASH_REMOVE, NULL);
	LWLockRelease(gq_shared->delays_lock);
}

/* Are some of its tasks before `at`, and some not? */
static bool
straddles(const GqDelay *delay, TimestampTz at)
{
	return delay->first < at && delay->last >= at;
}

int64
gq_delays_beyond(const GqDelay *some, int n, TimestampTz now, TimestampTz *until)
{
	TimestampTz at = now + 1;	/* what is due now is not scheduled */
	int64		beyond = 0;

	/*
	 * The end of one span may lie within another, wider one: go on to that
	 * one's.  Each round goes to a wider span, so there are few.
	 */
	for (int i = 0; i < n; i++)
		if (straddles(&some[i], at))
		{
			at = gq_span_end(&some[i].span);
			i = -1;
		}
	for (int i = 0; i < n; i++)
		if (some[i].first >= at)
			beyond += some[i].n;
	*until = at;
	return beyond;
}
