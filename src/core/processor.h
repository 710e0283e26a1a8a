/*-------------------------------------------------------------------------
 *
 * processor.h
 *	  A processor: the handler of a type, the role that it runs as, and
 *	  whether it may run now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_PROCESSOR_H
#define GOQUE_CORE_PROCESSOR_H

#include "shared/runners.h"
#include "store/handlers.h"

/* a function or procedure as a handler */
typedef struct GqHandler
{
	Oid			function;
	Oid			owner;
	Oid			schema;
	Oid			argument;		/* jsonb or goque.task */
	Oid			result;			/* VOIDOID: none */
	bool		is_procedure;
	bool		returns_set;
	bool		has_output;		/* a procedure with OUT arguments */
} GqHandler;

/* what keeps a processor from running */
typedef struct GqProcessorFault
{
	const char *detail;			/* NULL: nothing does */
	const char *hint;
} GqProcessorFault;

/* Read a function; false: there is none.  Not a handler: argument InvalidOid. */
extern bool gq_handler_read(Oid function, GqHandler *handler);

/* Its name as goque.handlers holds it. */
extern char *gq_handler_name(const GqHandler *handler);

/* OID of goque.task */
extern Oid	gq_task_type_oid(void);

/* May the role call it? */
extern bool gq_handler_may_call(const GqHandler *handler, Oid role);

extern bool gq_role_may_log_in(Oid role);

/* May this processor run now?  Fills in the handler if so. */
extern GqProcessorFault gq_processor_check(const GqHandlerRow *row, GqHandler *handler);

/* Likewise, and whether the server has the means to run it. */
extern GqProcessorFault gq_processor_fault(const GqHandlerRow *row, const GqProcessorInfo *info);

/* Palloc'd GqHandlerRows; type NULL: of every type. */
extern List *gq_processor_rows(const char *type);

/* Register, in the caller's transaction: takes effect at its commit. */
extern void gq_processor_register(const GqHandlerRow *row);
extern bool gq_processor_unregister(const char *type);

#endif							/* GOQUE_CORE_PROCESSOR_H */
