/*-------------------------------------------------------------------------
 *
 * installation.h
 *	  goque in this database: what shared memory and the tables know of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_INSTALLATION_H
#define GOQUE_CORE_INSTALLATION_H

#include "utils/snapshot.h"

#include "core/task.h"
#include "shared/leases.h"
#include "shared/types.h"

/* The entry of a type in shared memory; NULL: none, or no shared memory. */
extern GqType *gq_type_of(const char *name);
extern GqType *gq_type_of_task(const GqTask *task);

/* Call fn for every type that has one. */
extern void gq_each_type(void (*fn) (GqType *entry, void *arg), void *arg);

/* Palloc'd names of the types that have tasks, sorted. */
extern char **gq_type_names(int *n);

/* Palloc'd copy of the leases in flight; none without shared memory. */
extern GqLease *gq_leases_here(int *n);

/* 40001 when the snapshot is older than the last emptying of a generation. */
extern void gq_check_snapshot(Snapshot snapshot);

#endif							/* GOQUE_CORE_INSTALLATION_H */
