/*-------------------------------------------------------------------------
 *
 * task_row.h
 *	  Rows of tasks: find, insert, update, delete, below the executor.
 *
 * What the executor would have done is done here: rows get an entry in every
 * index of their table, also in one that somebody added; heap and index code
 * check serializable conflicts by themselves.  The tables have no other
 * constraint than NOT NULL, and no row trigger.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_TASK_ROW_H
#define GOQUE_STORE_TASK_ROW_H

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "goque.h"
#include "store/ring.h"

/* the columns that an update sets */
typedef struct GqChanges
{
	uint32		set;			/* bit (attribute number - 1) */
	uint32		nulls;			/* of those, the ones set to NULL */
	Datum		values[GQ_TASK_NATTS];
} GqChanges;

static inline void
gq_change(GqChanges *changes, int attr, Datum value)
{
	changes->set |= 1u << (attr - 1);
	changes->nulls &= ~(1u << (attr - 1));
	changes->values[attr - 1] = value;
}

static inline void
gq_change_to_null(GqChanges *changes, int attr)
{
	changes->set |= 1u << (attr - 1);
	changes->nulls |= 1u << (attr - 1);
	changes->values[attr - 1] = (Datum) 0;
}

/*
 * A search for tasks by id, with one snapshot: the latest when it began, or was
 * renewed.  The generation and the slot that gq_search_find returns belong to
 * the search; the slot is good until the next call.  NULL: there is none.
 */
typedef struct GqSearch GqSearch;

extern GqSearch *gq_search_begin(Snapshot snapshot);	/* NULL: the latest */
extern GqGeneration *gq_search_find(GqSearch *search, int64 id, TupleTableSlot **slot);
extern void gq_search_renew(GqSearch *search);
extern void gq_search_end(GqSearch *search);

/*
 * Update the row version in `slot`, in place if it can be.  With wait, waits
 * for whoever is changing it; else TM_BeingModified.  `crosscheck`: TM_Updated
 * if that snapshot (may be NULL) does not see the version.  On TM_Ok, if
 * new_slot is given, the new version is there (virtual, pointing into `slot`
 * and `changes`).
 */
extern TM_Result gq_row_update(GqGeneration *generation, TupleTableSlot *slot,
							   const GqChanges *changes, Snapshot crosscheck, bool wait,
							   TupleTableSlot *new_slot);

/* The new version of a row, as gq_row_update makes it, in a virtual slot. */
extern void gq_row_form_version(TupleTableSlot *slot, const GqChanges *changes,
								TupleTableSlot *new_slot);

extern TM_Result gq_row_delete(GqGeneration *generation, TupleTableSlot *slot,
							   Snapshot crosscheck, bool wait);

/* Add rows (virtual slots of the table's descriptor) to an open generation. */
extern void gq_row_insert(GqGeneration *generation, TupleTableSlot **slots, int n);

extern TupleTableSlot *gq_row_virtual_slot(GqGeneration *generation);

extern int64 gq_row_next_id(void);

#endif							/* GOQUE_STORE_TASK_ROW_H */
