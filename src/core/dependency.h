/*-------------------------------------------------------------------------
 *
 * dependency.h
 *	  Tasks that are added after others: their parents.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_DEPENDENCY_H
#define GOQUE_CORE_DEPENDENCY_H

#include "core/locks.h"
#include "core/task.h"
#include "shared/types.h"

/* what a call says of the tasks that must be done first, and how they are */
typedef struct GqParents
{
	Datum		array;			/* bigint[], as given */
	int64	   *ids;			/* sorted, each once */
	int			n;
	int64	   *live;
	int			nlive;
	int64		ended;			/* one that ended otherwise than done, or 0 */
	GqStatus	ended_as;
} GqParents;

/* May somebody wait for this task of that type?  (NULL: of one without entry) */
extern bool gq_dependency_has_children(GqType *entry, int64 id);

/* Find out for the types of which it is not known. */
extern void gq_dependency_survey(void);

/* The lock of a task; palloc'd. */
extern GqKeyLock gq_dependency_lock(int64 id);

extern GqParents *gq_parents_of(Datum array);
extern GqParents *gq_parents_of_task(const GqTask *task);	/* NULL: none */

/*
 * Make known that these tasks get children.  May wait for who is changing one of
 * them and may not know; so before any lock.  23503: one does not exist (unless
 * that is allowed).
 */
extern void gq_parents_announce(const GqParents *parents, bool missing_ok);

/* How are they now?  Fills in the rest of the struct. */
extern void gq_parents_look(GqParents *parents, bool missing_ok);

/* What the error of a child says whose parent ended so. */
extern char *gq_parents_reason(int64 parent, GqStatus status);

extern void gq_err_no_parent(int64 id);

/* 22023 if one of these waits for the child already. */
extern void gq_parents_check_cycle(const GqParents *parents, int64 child);

/* Ids of the unfinished tasks that a pending one waits for; palloc'd. */
extern int64 *gq_dependencies_unfinished(int64 id, int64 *n);

#endif							/* GOQUE_CORE_DEPENDENCY_H */
