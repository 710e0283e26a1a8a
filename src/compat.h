/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The differences between PostgreSQL 15 to 19; no other file tests the
 *	  version.  Wrappers have the newest signature, so that dropping a version
 *	  deletes an #else.
 *
 * Include after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_COMPAT_H
#define GOQUE_COMPAT_H

#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

/* A hash table in shared memory, with room for so many from the beginning. */
static inline HTAB *
gq_shmem_hash(const char *name, long nelems, HASHCTL *ctl, int flags)
{
#if PG_VERSION_NUM >= 190000
	return ShmemInitHash(name, nelems, ctl, flags);
#else
	return ShmemInitHash(name, nelems, nelems, ctl, flags);
#endif
}

/*
 * Index of this process in ProcGlobal->allProcs: below MaxBackends for every
 * process that can run SQL.
 */
static inline int
gq_my_proc_index(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyProc->pgprocno;
#endif
}

/*
 * Does this process hold a lock of this method, such as USER_LOCKMETHOD?  Lists
 * without entries are passed without their lock: nobody else adds such a lock.
 */
static inline bool
gq_holds_lock(LOCKMETHODID method)
{
	bool		found = false;

	for (int i = 0; i < NUM_LOCK_PARTITIONS && !found; i++)
	{
		LWLock	   *partition = LockHashPartitionLockByIndex(i);
#if PG_VERSION_NUM >= 160000
		dlist_iter	iter;

		if (dlist_is_empty(&MyProc->myProcLocks[i]))
			continue;
		LWLockAcquire(partition, LW_SHARED);
		dlist_foreach(iter, &MyProc->myProcLocks[i])
			found |= dlist_container(PROCLOCK, procLink, iter.cur)->tag.myLock->tag.locktag_lockmethodid == method;
#else
		SHM_QUEUE  *queue = &MyProc->myProcLocks[i];
		PROCLOCK   *held = NULL;

		if (SHMQueueEmpty(queue))
			continue;
		LWLockAcquire(partition, LW_SHARED);
		while ((held = (PROCLOCK *) SHMQueueNext(queue, held ? &held->procLink : queue,
												 offsetof(PROCLOCK, procLink))) != NULL)
			found |= held->tag.myLock->tag.locktag_lockmethodid == method;
#endif
		LWLockRelease(partition);
	}
	return found;
}

/* ---- tables and indexes ---- */

#include "access/amapi.h"
#include "access/genam.h"
#include "access/tableam.h"

/* which indexes need an entry for the new version of an updated row */
typedef enum GqIndexesToUpdate
{
	GQ_INDEXES_NONE,			/* a HOT update */
	GQ_INDEXES_ALL,
	GQ_INDEXES_SUMMARIZING		/* a HOT update that changed a column of a
								 * BRIN index (16) */
} GqIndexesToUpdate;

static inline IndexScanDesc
gq_index_beginscan(Relation table, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 190000
	return index_beginscan(table, index, snapshot, NULL, nkeys, 0, 0);
#elif PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(table, index, snapshot, nkeys, 0);
#endif
}

static inline TM_Result
gq_table_tuple_update(Relation table, ItemPointer tid, TupleTableSlot *slot, CommandId cid,
					  Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
					  LockTupleMode *lockmode, GqIndexesToUpdate *which)
{
	TM_Result	result;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes update_indexes = TU_None;

#if PG_VERSION_NUM >= 190000
	result = table_tuple_update(table, tid, slot, cid, 0, InvalidSnapshot, crosscheck, wait,
								tmfd, lockmode, &update_indexes);
#else
	result = table_tuple_update(table, tid, slot, cid, InvalidSnapshot, crosscheck, wait,
								tmfd, lockmode, &update_indexes);
#endif
	*which = update_indexes == TU_None ? GQ_INDEXES_NONE :
		update_indexes == TU_All ? GQ_INDEXES_ALL : GQ_INDEXES_SUMMARIZING;
#else
	bool		update_indexes = false;

	result = table_tuple_update(table, tid, slot, cid, InvalidSnapshot, crosscheck, wait,
								tmfd, lockmode, &update_indexes);
	*which = update_indexes ? GQ_INDEXES_ALL : GQ_INDEXES_NONE;
#endif
	return result;
}

static inline TM_Result
gq_table_tuple_delete(Relation table, ItemPointer tid, CommandId cid, Snapshot crosscheck,
					  bool wait, TM_FailureData *tmfd)
{
#if PG_VERSION_NUM >= 190000
	return table_tuple_delete(table, tid, cid, 0, InvalidSnapshot, crosscheck, wait, tmfd);
#else
	return table_tuple_delete(table, tid, cid, InvalidSnapshot, crosscheck, wait, tmfd, false);
#endif
}

static inline bool
gq_index_is_summarizing(Relation index)
{
#if PG_VERSION_NUM >= 160000
	return index->rd_indam->amsummarizing;
#else
	return false;
#endif
}

static inline Oid
gq_relation_file(Relation rel)
{
#if PG_VERSION_NUM >= 160000
	return rel->rd_locator.relNumber;
#else
	return rel->rd_node.relNode;
#endif
}

/* ---- loading, processes, hooks ---- */

#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
#include "utils/wait_event.h"

#ifndef PG_MODULE_MAGIC_EXT		/* 18 */
#define PG_MODULE_MAGIC_EXT(...) PG_MODULE_MAGIC
#endif

#ifndef BGWORKER_INTERRUPTIBLE	/* 19: stopped by DROP DATABASE and the like */
#define BGWORKER_INTERRUPTIBLE 0
#endif

/*
 * The wait event of this name, as pg_stat_activity shows it from 17 on; kept in
 * *event, which starts as 0.  Not under a lock: the first call may allocate.
 */
static inline uint32
gq_wait_event(uint32 *event, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*event == 0)
		*event = WaitEventExtensionNew(name);
#else
	*event = PG_WAIT_EXTENSION;
#endif
	return *event;
}

static inline bool
gq_database_ownercheck(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, role);
#else
	return pg_database_ownercheck(database, role);
#endif
}

static inline bool
gq_extension_ownercheck(Oid extension, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(ExtensionRelationId, extension, role);
#else
	return pg_extension_ownercheck(extension, role);
#endif
}

static inline bool
gq_may_execute(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

static inline bool
gq_may_use_schema(Oid schema, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* ---- names ---- */

#include "catalog/namespace.h"
#include "utils/regproc.h"

/* "schema.name" as a list; raises if it is none */
static inline List *
gq_name_list(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return stringToQualifiedNameList(name, NULL);
#else
	return stringToQualifiedNameList(name);
#endif
}

/* Functions of that name that the current path finds, or NULL. */
static inline FuncCandidateList
gq_function_candidates(List *names)
{
#if PG_VERSION_NUM >= 190000
	int			flags;

	return FuncnameGetCandidates(names, -1, NIL, false, false, false, true, &flags);
#else
	return FuncnameGetCandidates(names, -1, NIL, false, false, false, true);
#endif
}

/* ---- running a statement ---- */

#include "tcop/pquery.h"
#include "utils/timeout.h"

static inline void
gq_portal_run(Portal portal)
{
#if PG_VERSION_NUM >= 180000
	(void) PortalRun(portal, FETCH_ALL, true, None_Receiver, None_Receiver, NULL);
#else
	(void) PortalRun(portal, FETCH_ALL, true, true, None_Receiver, None_Receiver, NULL);
#endif
}

/* For the rest of this transaction. */
static inline void
gq_disable_transaction_timeout(void)
{
#if PG_VERSION_NUM >= 170000
	disable_timeout(TRANSACTION_TIMEOUT, false);
#endif
}

/* ---- the client's socket ---- */

struct WaitEventSet;

/*
 * libpq/libpq.h cannot be included: it needs the headers of every library that
 * the server was built with, Kerberos's for one.
 */
extern PGDLLIMPORT struct WaitEventSet *FeBeWaitSet;
extern bool pq_check_connection(void);

#define GQ_CLIENT_SOCKET_POS 0	/* FeBeWaitSetSocketPos */

#endif							/* GOQUE_COMPAT_H */
