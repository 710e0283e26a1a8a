/*-------------------------------------------------------------------------
 *
 * rotate.c
 *	  Locks and TRUNCATE for the cleaner.
 *
 * No lock is waited for: a request for AccessExclusiveLock that waits would
 * make every caller queue up behind it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/ring.h"
#include "store/rotate.h"

static const char *const truncate_statements[GQ_GENERATIONS] = {
	"TRUNCATE goque.tasks_0",
	"TRUNCATE goque.tasks_1",
	"TRUNCATE goque.tasks_2",
	"TRUNCATE goque.tasks_3",
	"TRUNCATE goque.tasks_4",
	"TRUNCATE goque.tasks_5",
	"TRUNCATE goque.tasks_6",
	"TRUNCATE goque.tasks_7",
};

bool
gq_rotate_is_quiet(int number)
{
	Oid			relid = gq_relid_generation(number, GQ_PART_TABLE);

	if (!ConditionalLockRelationOid(relid, ShareLock))
		return false;
	UnlockRelationOid(relid, ShareLock);
	return true;
}

BlockNumber
gq_rotate_pages(int number)
{
	Relation	rel = table_open(gq_relid_generation(number, GQ_PART_TABLE), AccessShareLock);
	BlockNumber pages = RelationGetNumberOfBlocks(rel);

	table_close(rel, AccessShareLock);
	return pages;
}

bool
gq_rotate_truncate(int number, BlockNumber pages)
{
	Oid			relid = gq_relid_generation(number, GQ_PART_TABLE);
	Relation	rel;
	bool		grown;
	bool		in_use;

	if (!ConditionalLockRelationOid(relid, AccessExclusiveLock))
		return false;
	rel = table_open(relid, NoLock);
	grown = RelationGetNumberOfBlocks(rel) != pages;
	in_use = rel->rd_refcnt > 1;	/* a cursor of this session reads it */
	table_close(rel, NoLock);
	if (grown || in_use)
	{
		UnlockRelationOid(relid, AccessExclusiveLock);
		return false;
	}
	gq_ring_mark_emptied();
	SPI_connect();
	if (SPI_execute(truncate_statements[number], false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute \"%s\"", truncate_statements[number]);
	SPI_finish();
	return true;
}
