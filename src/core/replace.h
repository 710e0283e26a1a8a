/*-------------------------------------------------------------------------
 *
 * replace.h
 *	  on_conflict 'replace': a task that nobody has begun with becomes another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_REPLACE_H
#define GOQUE_CORE_REPLACE_H

#include "core/add.h"

/*
 * Give the task with the new one's id what the new one has.  False: somebody has
 * begun with it; or it is pending, which is done only with `all`, when the lines
 * are locked.  The command counter is incremented.
 */
extern bool gq_replace(const GqAddOptions *options, const GqNewTask *task, bool all);

/* Let a task that was replaced go into its new line, and wait for its new
 * parents, now that all is locked. */
extern void gq_replace_finish(const GqAddOptions *options, const GqNewTask *task);

#endif							/* GOQUE_CORE_REPLACE_H */
