/*-------------------------------------------------------------------------
 *
 * processor_duty.c
 *	  The keeper's part in processors: which may run, and is there work?
 *
 * Work that comes while a processor is known is noticed by the commit that brings
 * it (shared/processors.c).  The keeper sees the rest: what was there before, what
 * falls due later while nobody waits, what a prepared transaction left.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "core/claim.h"
#include "core/installation.h"
#include "core/maintain.h"
#include "core/processor.h"
#include "core/settings.h"
#include "shared/runners.h"
#include "shared/shmem.h"

#define LOOK_EVERY (30 * USECS_PER_SEC)
#define LOOK_AGAIN (3 * USECS_PER_SEC)	/* whether what may not run may now */

/* Returns when to look at it again. */
static TimestampTz
enter(const GqHandlerRow *row, TimestampTz now)
{
	char	   *type = row->type;
	GqType	   *entry = gq_type_of(type);
	TimestampTz next_due;
	GqHandler	handler;

	if (gq_processor_check(row, &handler).detail != NULL)
		return now + LOOK_AGAIN;
	if (!gq_processor_enter(MyDatabaseId, type, entry, row->role, row->workers))
		return now + LOOK_EVERY;
	if (gq_claim_would_find(&type, 1, &next_due))
		gq_processor_wanted(MyDatabaseId, type);
	return Min(next_due, now + (entry != NULL ? LOOK_EVERY : LOOK_AGAIN));
}

TimestampTz
gq_duty_process(TimestampTz now)
{
	TimestampTz next = DT_NOEND;
	ListCell   *lc;

	if (gq_shared == NULL)
		return DT_NOEND;
	gq_processors_begin(MyDatabaseId);
	foreach(lc, gq_processor_rows(NULL))
	{
		TimestampTz at = enter(lfirst(lc), now);

		next = Min(next, at);
	}
	gq_processors_end(MyDatabaseId);
	return next;
}
