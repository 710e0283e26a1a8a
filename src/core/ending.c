/*-------------------------------------------------------------------------
 *
 * ending.c
 *	  What the ends of a task have in common, whoever brings them about.
 *
 * A task ends by its holder, by people, by the healer (core/finish.c), or with
 * another that it was added after (core/pending.c); both build on this.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/ending.h"
#include "core/settings.h"

void
gq_ending_remove_if_not_kept(const GqTask *task, GqStatus status, GqDecision *decision)
{
	const GqSettings *settings;

	if (!GqStatusIsTerminal(status))
		return;
	settings = gq_settings(gq_task_type(task));
	decision->remove = status == GQ_DONE ? settings->retention == 0 : settings->retention_failed == 0;
}

bool
gq_ending_cancel(const GqTask *task, GqDecision *decision, TimestampTz now, const char *reason)
{
	if (GqStatusIsTerminal(task->status))
		return false;
	gq_task_cancel(task, &decision->changes, now, reason);
	GqDecisionCount(decision, GQ_TOTAL_CANCELED);
	gq_ending_remove_if_not_kept(task, GQ_CANCELED, decision);
	return true;
}
