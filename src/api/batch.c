/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  What the _many forms have in common.
 *
 * Answers come in the order of the arrays, each id once, while rows are changed in
 * the order of ids: so that two batches do not deadlock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/batch.h"
#include "core/call.h"

int64
gq_arg_int64(FunctionCallInfo fcinfo, int n, const char *arg)
{
	if (PG_ARGISNULL(n))
		gq_err_null(arg);
	return PG_GETARG_INT64(n);
}

static int64 *
read_numbers(FunctionCallInfo fcinfo, int arg, const char *name, int *n)
{
	Datum	   *elements;
	int64	   *numbers;

	if (PG_ARGISNULL(arg))
		gq_err_null(name);
	*n = gq_check_array(name, PG_GETARG_ARRAYTYPE_P(arg), false, &elements, NULL);
	numbers = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		numbers[i] = DatumGetInt64(elements[i]);
	return numbers;
}

void
gq_batch_read(FunctionCallInfo fcinfo, GqBatch *batch, int ids_arg, int tokens_arg)
{
	int			ntokens = 0;

	batch->locks_some = false;
	batch->ids = read_numbers(fcinfo, ids_arg, "ids", &batch->n);
	if (tokens_arg >= 0)
		batch->tokens = read_numbers(fcinfo, tokens_arg, "tokens", &ntokens);
	if (ntokens > 0)
		gq_check_lengths("ids", batch->n, "tokens", ntokens);
	else
		batch->tokens = MemoryContextAllocExtended(CurrentMemoryContext,
												   sizeof(int64) * Max(batch->n, 1),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* the first of equal ids comes first */
static int
compare_elements(const void *a, const void *b, void *arg)
{
	const GqBatch *batch = arg;
	int			i = *(const int *) a;
	int			j = *(const int *) b;

	if (batch->ids[i] != batch->ids[j])
		return batch->ids[i] < batch->ids[j] ? -1 : 1;
	return i < j ? -1 : i > j ? 1 : 0;
}

/* a batch while it runs */
typedef struct Run
{
	GqBatch    *batch;
	const int  *order;
	GqBatchStep step;
	void	   *arg;
	bool	   *answered;
} Run;

/* A round over the ids in order: those that are marked (NULL: all). */
static bool
run_round(const bool *which, void *arg)
{
	Run		   *run = arg;
	GqBatch    *batch = run->batch;
	const int  *order = run->order;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque batch",
												  ALLOCSET_DEFAULT_SIZES);
	bool		all = true;

	batch->search = gq_search_begin(NULL);
	for (int k = 0; k < batch->n; k++)
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (k > 0 && batch->ids[order[k]] == batch->ids[order[k - 1]])
			continue;
		if (which != NULL && !which[order[k]])
			continue;
		old = MemoryContextSwitchTo(scratch);
		run->answered[order[k]] = run->step(batch, order[k], run->arg);
		all &= run->answered[order[k]];
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	gq_search_end(batch->search);
	MemoryContextDelete(scratch);
	return all;
}

static void
run_steps(GqBatch *batch, GqBatchStep step, void *arg, bool *answered)
{
	int		   *order = palloc(sizeof(int) * Max(batch->n, 1));
	Run			run = {batch, order, step, arg, answered};

	for (int i = 0; i < batch->n; i++)
		order[i] = i;
	qsort_arg(order, batch->n, sizeof(int), compare_elements, (void *) batch);
	if (batch->locks_some)
		gq_under_rounds(batch->ids, batch->n, batch->under, run_round, &run);
	else
		(void) run_round(NULL, &run);
	pfree(order);
}

Datum
gq_batch_run(FunctionCallInfo fcinfo, GqBatch *batch, GqBatchStep step, void *arg)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool	   *answered = palloc0(sizeof(bool) * Max(batch->n, 1));

	run_steps(batch, step, arg, answered);
	gq_call_end();
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (int i = 0; i < batch->n; i++)
		if (answered[i])
		{
			Datum		value = Int64GetDatum(batch->ids[i]);
			bool		isnull = false;

			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
		}
	return (Datum) 0;
}
