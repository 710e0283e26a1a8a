/*-------------------------------------------------------------------------
 *
 * why.h
 *	  Why a task is not running.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_WHY_H
#define GOQUE_CORE_WHY_H

#include "datatype/timestamp.h"

#include "goque.h"

/* all palloc'd or constant */
typedef struct GqWhy
{
	const char *reason;			/* a word of docs/reference.md */
	const char *detail;
	const char *hint;			/* what to do */
} GqWhy;

extern GqWhy gq_why(int64 id, TimestampTz now);

#endif							/* GOQUE_CORE_WHY_H */
