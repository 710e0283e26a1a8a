/*-------------------------------------------------------------------------
 *
 * backoff.c
 *	  When to try again: arithmetic only.
 *
 * A stored setting must never make the healer fail, so whatever stands in a
 * GqBackoff gives a delay between 0 and the longest interval that goque takes:
 * growing kinds stop at the limit before they can overflow, and a step kind
 * without steps falls back to the base.
 *
 * `max` limits the kinds that grow.  A base or a step was written down by
 * somebody and is taken at its word.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/backoff.h"

/* base * 2^(n-1), at most limit */
static int64
exponential(int64 base, int32 n, int64 limit)
{
	/* the shift cannot overflow: base is at most limit / 2^(n-1) */
	if (n > 62 || base > (limit >> (n - 1)))
		return limit;
	return base << (n - 1);
}

/* 1, 2, 3, 5, 8 ... of base, at most limit */
static int64
fibonacci(int64 base, int32 n, int64 limit)
{
	int64		before = base;
	int64		delay = base;

	if (base <= 0)
		return 0;
	while (--n > 0 && delay < limit)
	{
		int64		sum = before + delay;

		before = delay;
		delay = sum;
	}
	return Min(delay, limit);
}

static int64
step(const GqBackoff *backoff, int32 n)
{
	if (backoff->nsteps <= 0)
		return backoff->base;
	if (backoff->kind == GQ_BACKOFF_ROUND_STEP)
		return backoff->steps[(n - 1) % backoff->nsteps];
	return backoff->steps[Min(n, backoff->nsteps) - 1];
}

static int64
within_bounds(int64 delay)
{
	return Min(Max(delay, 0), GQ_MAX_INTERVAL_USECS);
}

int64
gq_backoff_delay(const GqBackoff *backoff, int32 attempt, double random)
{
	int32		n = Max(attempt, 1);
	int64		base = within_bounds(backoff->base);
	int64		limit = within_bounds(backoff->max);
	int64		delay = base;

	switch (backoff->kind)
	{
		case GQ_BACKOFF_STATIC:
			break;
		case GQ_BACKOFF_EXPONENTIAL:
			delay = exponential(base, n, limit);
			break;
		case GQ_BACKOFF_FIBONACCI:
			delay = fibonacci(base, n, limit);
			break;
		case GQ_BACKOFF_STEP:
		case GQ_BACKOFF_ROUND_STEP:
			delay = within_bounds(step(backoff, n));
			break;
	}

	/* doubles hold 100 years of microseconds exactly enough */
	delay = (int64) (delay * (1.0 + backoff->jitter * (2.0 * random - 1.0)));
	return within_bounds(delay);
}
