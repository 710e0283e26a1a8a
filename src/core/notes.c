/*-------------------------------------------------------------------------
 *
 * notes.c
 *	  Arrays of notes that a transaction keeps until it ends.
 *
 * A caller may go on after an error, with a savepoint; so also after "out of
 * memory".  The room of an array is therefore raised when it is there, not
 * before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/notes.h"

#define MIN_ROOM 16

void *
gq_notes_grow(void *items, int64 *room, Size size)
{
	int64		more = Max(MIN_ROOM, *room * 2);

	if (items == NULL)
		items = MemoryContextAllocHuge(TopTransactionContext, more * size);
	else
		items = repalloc_huge(items, more * size);
	*room = more;
	return items;
}
