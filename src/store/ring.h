/*-------------------------------------------------------------------------
 *
 * ring.h
 *	  The ring of generations that tasks live in.
 *
 * Locks: a reader takes AccessShareLock and gives it back at once; a writer
 * takes RowExclusiveLock on the one generation that it writes, to the end of
 * its transaction.  Only the cleaner takes more (store/rotate.c), and only if
 * it is free.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_RING_H
#define GOQUE_STORE_RING_H

#include "access/genam.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "goque.h"
#include "store/relations.h"

/* an open generation */
typedef struct GqGeneration
{
	int			number;			/* 0 to GQ_GENERATIONS - 1 */
	LOCKMODE	lockmode;
	bool		keep_lock;		/* to the end of the transaction */
	Relation	table;
	Relation	parts[GQ_GENERATION_PARTS]; /* indexes opened so far */
	List	   *others;			/* indexes that are not ours: somebody made
								 * them, we maintain them */
	bool		opened_for_insert;
} GqGeneration;

/* Number of the current generation since the beginning; modulo GQ_GENERATIONS
 * it is the table. */
extern int64 gq_ring_position(void);

extern int	gq_ring_current(void);

/* Make the next generation current. */
extern void gq_ring_advance(int64 position);

/* Open for reading; gq_generation_close gives the lock back. */
extern GqGeneration *gq_generation_open(int number);

/* Open the current generation for adding to it. */
extern GqGeneration *gq_generation_open_current(void);

/* Turn an open generation into one to write: keeps its lock from now on. */
extern void gq_generation_for_write(GqGeneration *generation);

/* Around what inserts new rows: leave room on their pages. */
extern void gq_generation_filling(GqGeneration *generation, bool filling);

extern Relation gq_generation_index(GqGeneration *generation, GqGenerationPart part);

extern void gq_generation_close(GqGeneration *generation);

/* Has it no page at all? */
extern bool gq_generation_is_void(int number);

/* Is `snapshot` older than the last emptying of a generation? */
extern bool gq_ring_is_emptied_since(Snapshot snapshot);

/* 40001 if so. */
extern void gq_ring_check_snapshot(Snapshot snapshot);

/* The current transaction is about to empty a generation. */
extern void gq_ring_mark_emptied(void);

#endif							/* GOQUE_STORE_RING_H */
