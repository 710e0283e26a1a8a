/*-------------------------------------------------------------------------
 *
 * types_in_use.h
 *	  The types that have tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_TYPES_IN_USE_H
#define GOQUE_STORE_TYPES_IN_USE_H

/* Palloc'd names, sorted; may hold one whose tasks are gone but not vacuumed. */
extern char **gq_types_in_use(int *n);

#endif							/* GOQUE_STORE_TYPES_IN_USE_H */
