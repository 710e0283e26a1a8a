/*-------------------------------------------------------------------------
 *
 * output.h
 *	  A claimed row as a goque.task.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_OUTPUT_H
#define GOQUE_CORE_OUTPUT_H

#include "executor/tuptable.h"

#define GQ_OUTPUT_NATTS 15		/* attributes of goque.task */

extern void gq_output_task(TupleTableSlot *row, Datum *values, bool *nulls);

#endif							/* GOQUE_CORE_OUTPUT_H */
