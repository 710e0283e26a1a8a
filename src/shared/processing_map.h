/*-------------------------------------------------------------------------
 *
 * processing_map.h
 *	  In which parts of the generations there may be tasks in processing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_PROCESSING_MAP_H
#define GOQUE_SHARED_PROCESSING_MAP_H

#include "access/transam.h"
#include "storage/block.h"

#include "goque.h"

#define GQ_SEGMENT_BLOCKS 8		/* a segment of a table */
#define GQ_MAP_SEGMENTS 65536	/* of one generation; the next ones share
								 * their bits */

/* the segments of one generation of one installation */
typedef struct GqProcessingMap GqProcessingMap;

extern Size gq_processing_map_shmem_size(void);
extern void gq_processing_map_shmem_init(void);

/* NULL: this installation has none, or not yet. */
extern GqProcessingMap *gq_processing_map(Oid instance, int generation);

/* Give this installation its maps, if there are any left to give.  For the
 * keeper. */
extern void gq_processing_map_assign(Oid instance);

/* A version of a row that says "processing" has been written to this block.  Before
 * the commit, and after it was written. */
extern void gq_processing_map_note(GqProcessingMap *map, BlockNumber block);

/* Rows came in another way: nothing is known any more.  Likewise. */
extern void gq_processing_map_forget(GqProcessingMap *map);

/*
 * ---- for the keeper ----
 *
 * There is one keeper, and so one who finds out what has become clean.
 */

/* The map is of this file.  True: it was of another, and nothing is known. */
extern bool gq_processing_map_begin(GqProcessingMap *map, Oid file);

/* From now on the map is for snapshots alone that see all transactions before
 * this one as ended. */
extern void gq_processing_map_raise(GqProcessingMap *map, FullTransactionId horizon);

/* Around the reading of a segment in which nothing in processing is found. */
extern void gq_processing_map_watch(GqProcessingMap *map, BlockNumber segment);
extern void gq_processing_map_clean(GqProcessingMap *map, BlockNumber segment);

/* ---- for readers ---- */

/* May there be something in this segment? */
extern bool gq_processing_map_is_dirty(const GqProcessingMap *map, BlockNumber segment);

/* After all was asked: was it right for this file, and for snapshots that see all
 * before `xmin` as ended? */
extern bool gq_processing_map_holds(GqProcessingMap *map, Oid file, FullTransactionId xmin);

#endif							/* GOQUE_SHARED_PROCESSING_MAP_H */
