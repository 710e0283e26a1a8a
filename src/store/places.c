/*-------------------------------------------------------------------------
 *
 * places.c
 *	  Where the tasks stand that this session changed last: a hint.
 *
 * Who fetched a task will finish it, mostly from the same session, and then need
 * not look for it in an index.  A place is used only after the row there was
 * found to be visible, and of that id; then it is the row, since a snapshot sees
 * one version of it.  Else (the change was rolled back, somebody changed it
 * since, the table was emptied) the task is looked up as ever.  Emptying gives
 * the table another file, so the file's number tells an old place.
 *
 * The places of the last tasks are kept, one for each remainder of an id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "store/places.h"

#define GQ_PLACES 1024			/* a power of 2; a batch and more */

typedef struct TaskPlace
{
	int64		id;				/* 0: none */
	int			generation;
	Oid			file;
	ItemPointerData tid;
} TaskPlace;

static TaskPlace places[GQ_PLACES];

static TaskPlace *
place_of(int64 id)
{
	return &places[(uint64) id % GQ_PLACES];
}

void
gq_place_note(const GqGeneration *generation, int64 id, const ItemPointerData *tid)
{
	TaskPlace  *place = place_of(id);

	place->id = id;
	place->generation = generation->number;
	place->file = gq_relation_file(generation->table);
	place->tid = *tid;
}

int
gq_place_generation(int64 id)
{
	const TaskPlace *place = place_of(id);

	return id != 0 && place->id == id ? place->generation : -1;
}

ItemPointer
gq_place_in(const GqGeneration *generation, int64 id)
{
	TaskPlace  *place = place_of(id);

	if (place->id != id || place->generation != generation->number ||
		place->file != gq_relation_file(generation->table))
		return NULL;
	return &place->tid;
}
