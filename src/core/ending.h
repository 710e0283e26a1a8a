/*-------------------------------------------------------------------------
 *
 * ending.h
 *	  What the ends of a task have in common, whoever brings them about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_ENDING_H
#define GOQUE_CORE_ENDING_H

#include "core/change.h"

/* With this status it is deleted instead, if its type does not keep such tasks. */
extern void gq_ending_remove_if_not_kept(const GqTask *task, GqStatus status, GqDecision *decision);

/* Cancel it, for a reason (NULL: somebody wanted it).  False: it has ended. */
extern bool gq_ending_cancel(const GqTask *task, GqDecision *decision, TimestampTz now, const char *reason);

#endif							/* GOQUE_CORE_ENDING_H */
