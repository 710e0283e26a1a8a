/*-------------------------------------------------------------------------
 *
 * cells.h
 *	  The cells of a frontier, one for each priority, sorted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_CELLS_H
#define GOQUE_SHARED_CELLS_H

#include "shared/types.h"

/* The cell of this priority, or NULL. */
extern GqCell *gq_cell_find(GqFrontier *frontier, int priority);

/* The first cell of this priority or a later one, or NULL. */
extern const GqCell *gq_cell_from(const GqFrontier *frontier, int priority);

/* A new cell of a priority that has none; false: no room. */
extern bool gq_cell_insert(GqFrontier *frontier, int16 priority, GqKey key);

#endif							/* GOQUE_SHARED_CELLS_H */
