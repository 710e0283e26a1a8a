/*-------------------------------------------------------------------------
 *
 * call.c
 *	  A call that changes tasks, from the first row to what its end means for
 *	  others.
 *
 * A task is changed (core/change.c), and then what that means for those that wait
 * for it is settled, as far as nobody must be waited for (core/settle.c); the rest
 * before the commit.  A caller with many tasks has one search for all, and settles
 * once, at the end.
 *
 * What ends for others must be settled, and who does not wait (the keeper) cannot
 * leave that to its commit.  It changes such a task in a subtransaction: if the locks
 * of all whom it concerns are not free, that is taken back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "core/call.h"
#include "core/settle.h"
#include "core/subtransaction.h"
#include "core/unsettled.h"

void
gq_call_end(void)
{
	CommandCounterIncrement();
	gq_settle_call();
}

static GqOutcome
change_alone(int64 id, GqManner manner, GqDecide decide, void *arg)
{
	GqSearch   *search = gq_search_begin(NULL);
	GqOutcome	outcome = gq_change_by_id(search, id, manner, decide, arg);

	gq_search_end(search);
	if (outcome == GQ_CHANGED)
		gq_call_end();
	return outcome;
}

/* a change in a subtransaction */
typedef struct Guarded
{
	int64		id;
	GqDecide	decide;
	void	   *arg;
	int64		mark;
	GqOutcome	outcome;
} Guarded;

static bool
try_guarded(void *arg)
{
	Guarded    *guarded = arg;
	const GqManner manner = {.guarded = true};

	guarded->outcome = change_alone(guarded->id, manner, guarded->decide, guarded->arg);
	return guarded->outcome == GQ_CHANGED && !gq_unsettled_any(guarded->mark, true);
}

static GqOutcome
change_guarded(int64 id, GqDecide decide, void *arg)
{
	Guarded		guarded = {.id = id,.decide = decide,.arg = arg,.mark = gq_unsettled_mark()};

	if (gq_in_subtransaction(try_guarded, &guarded))
		return GQ_CHANGED;
	gq_unsettled_reset(guarded.mark);
	return guarded.outcome == GQ_CHANGED ? GQ_BUSY : guarded.outcome;
}

GqOutcome
gq_call_change(GqSearch *search, int64 id, bool wait, GqDecide decide, void *arg)
{
	const GqManner manner = {.wait = wait};
	GqOutcome	outcome;

	if (search != NULL)
		return gq_change_by_id(search, id, manner, decide, arg);
	outcome = change_alone(id, manner, decide, arg);
	return outcome == GQ_UNGUARDED ? change_guarded(id, decide, arg) : outcome;
}

GqOutcome
gq_call_change_one_of(GqSearch *search, int64 id, GqDecide decide, void *arg)
{
	const GqManner manner = {.wait = true,.one_of_many = search != NULL};

	return search != NULL ? gq_change_by_id(search, id, manner, decide, arg)
		: change_alone(id, manner, decide, arg);
}
