/*-------------------------------------------------------------------------
 *
 * handlers.h
 *	  Rows of goque.handlers: one per type that has a processor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_HANDLERS_H
#define GOQUE_STORE_HANDLERS_H

#include "nodes/pg_list.h"

#include "goque.h"

typedef struct GqHandlerRow
{
	char	   *type;
	char	   *handler;		/* schema.name(argument), quoted where needed */
	Oid			owner;			/* of the handler, when it was registered */
	Oid			role;			/* that registered it */
	char	   *role_name;
	int32		workers;
	int32		batch_size;
	int64		idle_timeout;	/* microseconds */
	char	   *home;			/* see core/home.h */
} GqHandlerRow;

/* Palloc'd GqHandlerRows, the newest committed or this transaction's own: of
 * every type, or (type not NULL) of one. */
extern List *gq_handlers_read(const char *type);

/* Make or replace the row of a type.  As the tables' owner. */
extern void gq_handler_put(const GqHandlerRow *row);

/* False: there was none. */
extern bool gq_handler_delete(const char *type);

extern void gq_handlers_set_home(const char *home);

#endif							/* GOQUE_STORE_HANDLERS_H */
