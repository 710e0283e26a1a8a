/*-------------------------------------------------------------------------
 *
 * cells.c
 *	  The cells of a frontier, one for each priority, sorted.
 *
 * Of a frontier in shared memory or of a copy; the caller holds what lock there
 * is to hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shared/cells.h"

const GqCell *
gq_cell_from(const GqFrontier *frontier, int priority)
{
	for (int i = 0; i < frontier->ncells; i++)
		if (frontier->cells[i].priority >= priority)
			return &frontier->cells[i];
	return NULL;
}

GqCell *
gq_cell_find(GqFrontier *frontier, int priority)
{
	GqCell	   *cell = unconstify(GqCell *, gq_cell_from(frontier, priority));

	return cell != NULL && cell->priority == priority ? cell : NULL;
}

bool
gq_cell_insert(GqFrontier *frontier, int16 priority, GqKey key)
{
	GqCell		cell = {.priority = priority,.frontier = key,.ahead = key};
	int			i;

	if (frontier->ncells == GQ_CELLS)
		return false;
	for (i = frontier->ncells; i > 0 && frontier->cells[i - 1].priority > priority; i--)
		frontier->cells[i] = frontier->cells[i - 1];
	frontier->cells[i] = cell;
	frontier->ncells++;
	return true;
}
