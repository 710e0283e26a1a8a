/*-------------------------------------------------------------------------
 *
 * claim_commit.h
 *	  The commit of a transaction that did nothing but claim tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_CLAIM_COMMIT_H
#define GOQUE_CORE_CLAIM_COMMIT_H

/* Around what claims tasks and writes nothing else. */
extern void gq_claims_begin(void);
extern void gq_claims_end(void);

/* Between the two: this claim is to be flushed. */
extern void gq_claims_flush(void);

/* For core/xact.c: before the commit, after it or the abort, and at the end. */
extern void gq_claim_commit_choose(void);
extern void gq_claim_commit_done(bool committed);
extern void gq_claim_commit_reset(void);

#endif							/* GOQUE_CORE_CLAIM_COMMIT_H */
