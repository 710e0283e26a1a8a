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
	if (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)
		take_away(TopMemoryContext);
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
	RegisterXactCallback(begin, NULL);
	RegisterSubXactCallback(begin_sub, NULL);
}
