/*-------------------------------------------------------------------------
 *
 * batch.h
 *	  What the _many forms have in common: each id once, done in the order of
 *	  ids (so that two batches cannot deadlock; those that need locks last),
 *	  answered in the order given.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_API_BATCH_H
#define GOQUE_API_BATCH_H

#include "fmgr.h"

#include "core/finish.h"
#include "core/under_locks.h"

typedef struct GqBatch
{
	int			n;
	int64	   *ids;
	int64	   *tokens;			/* zeros where none were given */
	bool		locks_some;		/* some may need locks: those in the state */
	GqUnder		under;
	GqSearch   *search;			/* while it runs */
} GqBatch;

/* Does it to element i; true: its id belongs in the answer. */
typedef bool (*GqBatchStep) (const GqBatch *batch, int i, void *arg);

/* ids (and tokens, if token_arg >= 0) from the call's arguments. */
extern void gq_batch_read(FunctionCallInfo fcinfo, GqBatch *batch, int ids_arg, int tokens_arg);

/* Do it to all of them, and put the answer into the function's result set. */
extern Datum gq_batch_run(FunctionCallInfo fcinfo, GqBatch *batch, GqBatchStep step, void *arg);

/* An id or a token: 22004 when it is null. */
extern int64 gq_arg_int64(FunctionCallInfo fcinfo, int n, const char *arg);

#endif							/* GOQUE_API_BATCH_H */
