/*-------------------------------------------------------------------------
 *
 * installation.c
 *	  goque in this database: what shared memory and the tables know of it.
 *
 * Shared memory holds what belongs to all databases, and to installations that
 * are gone; the OID of a table says which is this one's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/installation.h"
#include "shared/shmem.h"
#include "store/ring.h"
#include "store/types_in_use.h"

GqType *
gq_type_of(const char *name)
{
	static GqType *last = NULL; /* most calls are for the type of the call
								 * before */

	if (gq_shared == NULL)
		return NULL;
	if (last == NULL || !gq_type_entry_is(last, gq_instance(), name))
		last = gq_type_entry(gq_instance(), name);
	return last;
}

GqType *
gq_type_of_task(const GqTask *task)
{
	char	   *name;
	GqType	   *entry;

	if (gq_shared == NULL)
		return NULL;
	name = gq_task_type(task);
	entry = gq_type_of(name);
	pfree(name);
	return entry;
}

void
gq_each_type(void (*fn) (GqType *entry, void *arg), void *arg)
{
	gq_types_foreach(gq_instance(), fn, arg);
}

char	  **
gq_type_names(int *n)
{
	return gq_types_in_use(n);
}

GqLease *
gq_leases_here(int *n)
{
	*n = 0;
	return gq_shared != NULL ? gq_leases_all(gq_instance(), n) : NULL;
}

void
gq_check_snapshot(Snapshot snapshot)
{
	gq_ring_check_snapshot(snapshot);
}
