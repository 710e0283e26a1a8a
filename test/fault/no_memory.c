/*-------------------------------------------------------------------------
 *
 * no_memory.c
 *	  A server in which nobody gets memory while goque's callbacks run at the
 *	  end of a transaction or subtransaction.
 *
 * Preloaded twice, from two copies of the file: before goque and after it.
 * Callbacks are called in the order opposite to that in which they were
 * registered, so the one takes the memory away, then goque's run, and the other
 * gives it back.  Who asks for memory in between, as every error would, takes
 * the server down.
 *
 * Memory is taken away by giving each memory context other methods.
 *
 * no_memory.ask = on: it asks itself, to show that this works.
 *
 * no_memory.refuse_after = n: from the beginning of the next subtransaction on,
 * TopTransactionContext gives n pieces of memory more, and then none, by an
 * error, until the subtransaction ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "utils/guc.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

#define MAX_KINDS 8				/* of memory contexts */

PGDLLEXPORT void _PG_init(void);

/* the library's own methods, and what stands in for them */
typedef struct Kind
{
	const MemoryContextMethods *own;
	MemoryContextMethods refusing;
} Kind;

typedef struct State
{
	Kind		kinds[MAX_KINDS];
	int			nkinds;
} State;

static State *state;			/* that of the copy that was loaded first */
static bool ask;
static int	refuse_after = -1;		/* -1: as much as there is */
static int	left;

static void
refuse(void)
{
	static const char line[] = "PANIC:  memory was asked for in a callback at the end of a transaction\n";

	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		_exit(2);
	abort();
}

static Kind *
kind_of(const MemoryContextMethods *own)
{
	Kind	   *kind;

	for (int i = 0; i < state->nkinds; i++)
		if (state->kinds[i].own == own)
			return &state->kinds[i];
	if (state->nkinds == MAX_KINDS)
		refuse();
	kind = &state->kinds[state->nkinds++];
	kind->own = own;
	memcpy(&kind->refusing, own, sizeof(MemoryContextMethods));
	/* the arguments differ from version to version: they are not looked at */
	kind->refusing.alloc = (void *) refuse;
	kind->refusing.realloc = (void *) refuse;
	return kind;
}

static void
take_away(MemoryContext context)
{
	context->methods = &kind_of(context->methods)->refusing;
	for (MemoryContext child = context->firstchild; child; child = child->nextchild)
		take_away(child);
}

static void
give_back(MemoryContext context)
{
	int			i = 0;

	while (i < state->nkinds && context->methods != &state->kinds[i].refusing)
		i++;
	if (i == state->nkinds)
		refuse();				/* the context is new */
	context->methods = state->kinds[i].own;
	for (MemoryContext child = context->firstchild; child; child = child->nextchild)
		give_back(child);
}

/* ---- an error in the middle of a transaction ---- */

static const MemoryContextMethods *top_own;
static MemoryContextMethods top_methods;

static void
count_down(void)
{
	if (left-- > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("no_memory.refuse_after is %d.", refuse_after)));
}

#if PG_VERSION_NUM >= 170000
static void *
count_alloc(MemoryContext context, Size size, int flags)
{
	count_down();
	return top_own->alloc(context, size, flags);
}
#else
static void *
count_alloc(MemoryContext context, Size size)
{
	count_down();
	return top_own->alloc(context, size);
}
#endif

#if PG_VERSION_NUM < 160000
static void *
count_realloc(MemoryContext context, void *pointer, Size size)
{
	count_down();
	return top_own->realloc(context, pointer, size);
}
#endif

static void
count_from_here(void)
{
	if (refuse_after < 0 || top_own != NULL)
		return;
	left = refuse_after;
	top_own = TopTransactionContext->methods;
	memcpy(&top_methods, top_own, sizeof(MemoryContextMethods));
	top_methods.alloc = count_alloc;
#if PG_VERSION_NUM < 160000		/* later ones find realloc by the piece */
	top_methods.realloc = count_realloc;
#endif
	TopTransactionContext->methods = &top_methods;
}

static void
count_no_more(void)
{
	if (top_own != NULL)
		TopTransactionContext->methods = top_own;
	top_own = NULL;
}

/* ---- callbacks ---- */

static bool
is_end(XactEvent event)
{
	return event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE;
}

static void
begin(XactEvent event, void *arg)
{
	if (!is_end(event))
		return;
	take_away(TopMemoryContext);
	if (ask)
		(void) palloc(1);
}

static void
end(XactEvent event, void *arg)
{
	if (is_end(event))
		give_back(TopMemoryContext);
}

static void
begin_sub(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_START_SUB)
		count_from_here();
	else if (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)
	{
		count_no_more();
		take_away(TopMemoryContext);
	}
}

static void
end_sub(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)
		give_back(TopMemoryContext);
}

void
_PG_init(void)
{
	static State own;
	State	  **shared = (State **) find_rendezvous_variable("no_memory");

	if (*shared == NULL)
	{
		*shared = state = &own;
		RegisterXactCallback(end, NULL);
		RegisterSubXactCallback(end_sub, NULL);
		return;
	}
	state = *shared;
	DefineCustomBoolVariable("no_memory.ask", "Asks for memory where nobody gets any.", NULL,
							 &ask, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("no_memory.refuse_after", "Pieces of memory that a subtransaction gets.", NULL,
							&refuse_after, -1, -1, PG_INT32_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(begin, NULL);
	RegisterSubXactCallback(begin_sub, NULL);
}
