/*-------------------------------------------------------------------------
 *
 * handler.h
 *	  Calling the handler of a processor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_WORKER_HANDLER_H
#define GOQUE_WORKER_HANDLER_H

#include "core/processor.h"

/* In a transaction: look the function up, for the calls that follow in it. */
extern void gq_handler_prepare(const GqHandler *handler);

/* Call a function.  Its result as jsonb; *isnull: none. */
extern Datum gq_handler_call(const GqHandler *handler, Datum argument, bool *isnull);

/* Call a procedure, which may commit: in a transaction, perhaps another one when
 * it returns. */
extern void gq_handler_call_procedure(const GqHandler *handler, Datum argument, const char *activity);

#endif							/* GOQUE_WORKER_HANDLER_H */
