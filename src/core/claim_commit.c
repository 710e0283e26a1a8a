/*-------------------------------------------------------------------------
 *
 * claim_commit.c
 *	  The commit of a transaction that did nothing but claim tasks.
 *
 * A commit of claims alone need not be flushed: if a crash takes it back, the
 * task is ready again, and its holder's token is refused.  "Alone" is told by
 * XactLastRecEnd, the end of the last WAL record of this transaction: at
 * pre-commit it must be where the last claim left it.  What was written before the
 * transaction had an id does not count: PostgreSQL never flushes that at a commit
 * (nextval() takes an id for this reason).  It is the pruning of pages that were
 * read, as those of pg_proc by a session's first call.  Should a pre-commit
 * callback of somebody else, that runs after ours, write something, there is
 * more than the commit record between then and the commit: it is flushed after
 * all, before the client is told.
 *
 * A claim of a type with a limit is flushed whatever synchronous_commit says: else
 * a crash could let more of them run than the limit allows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/instrument.h"

#include "core/claim_commit.h"
#include "guc.h"

static bool claims_only;		/* nothing but claims was written so far */
static XLogRecPtr claims_end;	/* where the last one ended */
static bool must_flush;			/* a claim that a crash must not take back */
static bool commit_is_async;
static bool commit_is_changed;
static int	saved_synchronous_commit;
static int64 records_at_precommit;

void
gq_claims_begin(void)
{
	if (XactLastRecEnd == InvalidXLogRecPtr || !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		claims_only = true;
	else if (XactLastRecEnd != claims_end)
		claims_only = false;
}

void
gq_claims_end(void)
{
	if (claims_only)
		claims_end = XactLastRecEnd;
}

void
gq_claims_flush(void)
{
	claims_only = false;
	must_flush = true;
}

static void
change_synchronous_commit(int value)
{
	saved_synchronous_commit = synchronous_commit;
	synchronous_commit = value;
	commit_is_changed = true;
}

void
gq_claim_commit_choose(void)
{
	if (must_flush && synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		change_synchronous_commit(SYNCHRONOUS_COMMIT_LOCAL_FLUSH);
	if (!claims_only || !gq_async_claims || XactLastRecEnd == InvalidXLogRecPtr ||
		XactLastRecEnd != claims_end || synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		return;
	records_at_precommit = pgWalUsage.wal_records;
	change_synchronous_commit(SYNCHRONOUS_COMMIT_OFF);
	commit_is_async = true;
}

static void
restore_synchronous_commit(void)
{
	if (commit_is_changed)
		synchronous_commit = saved_synchronous_commit;
	commit_is_changed = commit_is_async = false;
}

static void
flush_if_not_alone(void)
{
	if (commit_is_async && pgWalUsage.wal_records - records_at_precommit > 1)
		XLogFlush(XactLastCommitEnd);
}

void
gq_claim_commit_done(bool committed)
{
	if (committed)
		flush_if_not_alone();
	restore_synchronous_commit();
}

void
gq_claim_commit_reset(void)
{
	claims_only = must_flush = false;
	claims_end = InvalidXLogRecPtr;
}
