/*-------------------------------------------------------------------------
 *
 * rate_notes.h
 *	  Fetches of types with a rate limit that the transaction's end may take back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_RATE_NOTES_H
#define GOQUE_CORE_RATE_NOTES_H

#include "shared/rates.h"
#include "shared/types.h"

typedef struct GqRateNote
{
	GqType	   *entry;
	int			level;			/* of the subtransaction */
	TimestampTz at;
	int64		n;
} GqRateNote;

/* The note of this fetch, to be counted up or down. */
extern GqRateNote *gq_rate_note(GqType *entry, TimestampTz at);

/* For core/xact.c. */
extern void gq_rate_notes_abort(void);
extern void gq_rate_notes_commit_sub(int level);
extern void gq_rate_notes_abort_sub(int level);
extern void gq_rate_notes_forget(void);

#endif							/* GOQUE_CORE_RATE_NOTES_H */
