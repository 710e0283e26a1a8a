/*-------------------------------------------------------------------------
 *
 * monotonic.h
 *	  A clock that nobody can set, for how long something takes.
 *
 * What the tables and other processes read is the time of day; the end of a
 * wait that somebody sits through is not, since the clock may be set meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_MONOTONIC_H
#define GOQUE_MONOTONIC_H

#include "portability/instr_time.h"

/* in microseconds, from some moment on; all processes agree */
static inline int64
gq_monotonic_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

#endif							/* GOQUE_MONOTONIC_H */
