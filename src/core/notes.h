/*-------------------------------------------------------------------------
 *
 * notes.h
 *	  Arrays of notes that a transaction keeps until it ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_NOTES_H
#define GOQUE_CORE_NOTES_H

/*
 * Make room for more in an array (NULL: there is none yet) of items of this
 * size, in TopTransactionContext.  If there is no memory, nothing has changed.
 */
extern void *gq_notes_grow(void *items, int64 *room, Size size);

#endif							/* GOQUE_CORE_NOTES_H */
