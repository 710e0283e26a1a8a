/*-------------------------------------------------------------------------
 *
 * limit.h
 *	  max_running and rate_limit: how many tasks of a type may be claimed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_LIMIT_H
#define GOQUE_CORE_LIMIT_H

#include "core/settings.h"
#include "shared/rates.h"

/* the limits of a type, for one scan over its ready tasks */
typedef struct GqLimit
{
	const char *type;
	GqType	   *entry;
	int32		max_running;	/* 0: none */
	GqRate		rate;			/* limit 0: none */
	TimestampTz now;
	bool		claiming;		/* not just looking: takes the lock if need be */

	bool		locked;			/* nobody else claims tasks of the type: */
	int64		left;			/* so many are left */
	bool		rate_locked;
	int64		rate_left;
	TimestampTz turns_at;		/* when it may be worth to look again */

	bool		spare;			/* a place was taken and is not used yet */
	int64		taken;
	int64		first_id;		/* of those taken */
} GqLimit;

/* NULL: the type has none. */
extern GqLimit *gq_limit_begin(const char *type, GqType *entry, const GqSettings *settings,
							   TimestampTz now, bool claiming);

/* May a task be claimed, as far as one can tell without claiming it? */
extern bool gq_limit_is_reached(GqLimit *limit);

/* Take the place of one claim; false: none is left. */
extern bool gq_limit_take(GqLimit *limit);

/* That claim came to nothing, the place is for the next; or it came to this task. */
extern void gq_limit_keep(GqLimit *limit);
extern void gq_limit_taken(GqLimit *limit, int64 id);

/* The fetch is at its end: write down what it took, give back what it did not. */
extern void gq_limit_end(GqLimit *limit);

/* Why a type is at its limit, for people. */
typedef struct GqLimitState
{
	int64		running;
	int32		max_running;	/* 0: no limit */
	bool		is_full;
	GqRate		rate;
	TimestampTz rate_turns_at;	/* DT_NOEND: it allows more now */
} GqLimitState;

/* False: the type has no limit. */
extern bool gq_limit_state(const char *type, GqLimitState *state);

#endif							/* GOQUE_CORE_LIMIT_H */
