/*-------------------------------------------------------------------------
 *
 * places.h
 *	  Where the tasks stand that this session changed last: a hint.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_PLACES_H
#define GOQUE_STORE_PLACES_H

#include "storage/itemptr.h"

#include "store/ring.h"

/* The newest version of a task is there, if this transaction commits. */
extern void gq_place_note(const GqGeneration *generation, int64 id, const ItemPointerData *tid);

/* The generation that a task was seen in, or -1. */
extern int	gq_place_generation(int64 id);

/* Its place, if this is still that generation's file; NULL: look it up. */
extern ItemPointer gq_place_in(const GqGeneration *generation, int64 id);

#endif							/* GOQUE_STORE_PLACES_H */
