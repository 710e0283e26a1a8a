/*-------------------------------------------------------------------------
 *
 * dependencies.h
 *	  Rows of goque.dependencies: who waits for whom.
 *
 * Read with the latest snapshot.  Those of a child that others can see are
 * changed under its lock (GQ_LOCK_TASK).
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_DEPENDENCIES_H
#define GOQUE_STORE_DEPENDENCIES_H

#include "goque.h"

/* Has the table never had a row, not even one that is not committed? */
extern bool gq_dependencies_are_void(void);

/* See to it that it is not void, as long as this transaction runs. */
extern void gq_dependencies_fill(void);

/* Each of these children waits for each of these parents. */
extern void gq_dependencies_insert(const int64 *parents, int nparents,
								   const int64 *children, int nchildren);

/* Who waits for a task; whom it waits for, the largest ids first, at most `max`
 * (< 0: all).  Palloc'd. */
extern int64 *gq_dependencies_children(int64 parent, int64 *n);
extern int64 *gq_dependencies_parents(int64 child, int64 max, int64 *n);

/* Does any child wait for this one? */
extern bool gq_dependencies_any_child(int64 parent);

/* Does the child wait for any, for this one? */
extern bool gq_dependencies_any(int64 child);
extern bool gq_dependencies_exist(int64 parent, int64 child);

extern void gq_dependencies_delete(int64 parent, int64 child);

/* All that the child waits for. */
extern void gq_dependencies_delete_all(int64 child);

/* For each task that others wait for, in the order of ids, until the step says that it is
 * enough; true: it was done for all. */
typedef bool (*GqParentStep) (int64 parent, void *arg);
extern bool gq_dependencies_each_parent(GqParentStep step, void *arg);

#endif							/* GOQUE_STORE_DEPENDENCIES_H */
