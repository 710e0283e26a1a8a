/*-------------------------------------------------------------------------
 *
 * session.c
 *	  What a handler may leave behind in the session, and taking it away.
 *
 * What DISCARD ALL does, but for the plans, which are nobody's secret.  Where
 * nothing was left behind, none of it costs more than a look.  LISTEN need not be
 * undone: PostgreSQL refuses it in a background worker.
 *
 * The session user is the role of the processor for good: SET SESSION
 * AUTHORIZATION and RESET ROLE lead back to it, and no further.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/portal.h"

#include "compat.h"
#include "worker/session.h"

void
gq_session_clean(void)
{
	PortalHashTableDeleteAll();
	if (GetUserId() != GetAuthenticatedUserId() || GetSessionUserId() != GetAuthenticatedUserId())
		SetPGVariable("session_authorization", NIL, false);
	ResetAllOptions();
	DropAllPreparedStatements();
	LockReleaseAll(USER_LOCKMETHOD, true);
	ResetTempTableNamespace();
	ResetSequenceCaches();
}

int
gq_session_enter(void)
{
	return NewGUCNestLevel();
}

/*
 * Settings go back to what they were, as after an error, whoever set them; so
 * does the role, which is one of them.  What cannot be taken away before the
 * commit: temporary tables, and advisory locks, which protect what is not
 * committed yet.
 */
bool
gq_session_leave(int nest_level)
{
	AtEOXact_GUC(false, nest_level);
	PortalHashTableDeleteAll();
	DropAllPreparedStatements();
	ResetSequenceCaches();
	return (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) == 0 && !gq_holds_lock(USER_LOCKMETHOD);
}
