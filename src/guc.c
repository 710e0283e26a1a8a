/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  The server settings of goque.
 *
 * They exist from the moment the library is loaded: at server start where it
 * is preloaded, else at a session's first call, whose placeholders (SET before
 * the load, or postgresql.conf) PostgreSQL then checks and takes over.  That a
 * setting is fixed at connection start holds there too: a value that a SET
 * gave to the placeholder is dropped with a warning.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "guc.h"

#define MAX_PAYLOAD_SIZE_KB (255 * 1024)	/* what a jsonb holds, less 1 MB */
#define MIN_INTERVAL_MS 100
#define MAX_HEAL_INTERVAL_MS (3600 * 1000)
#define MAX_CLEAN_INTERVAL_MS (24 * 3600 * 1000)
#define MAX_PROCESSOR_WORKERS 1024

int			gq_max_payload_size = 1024;
int			gq_heal_interval = 5000;
int			gq_clean_interval = 60000;
int			gq_max_processor_workers = 8;
bool		gq_release_on_disconnect = false;
bool		gq_async_claims = true;

/* of the server, or of a database or role: a superuser's to set */
static void
define_limits(void)
{
	DefineCustomIntVariable("goque.max_payload_size",
							"Largest payload, result, metadata or progress of a task.",
							"A larger one is refused: store it elsewhere, and a reference to it in the task. "
							"A type of tasks can have a lower limit, never a higher one.",
							&gq_max_payload_size,
							1024, 1, MAX_PAYLOAD_SIZE_KB,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("goque.max_processor_workers",
							"Most background workers that run processors, in all databases together.",
							"Each type that has work gets one of them before any gets a second. "
							"max_worker_processes must leave room for them.",
							&gq_max_processor_workers,
							8, 0, MAX_PROCESSOR_WORKERS,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
}

static void
define_intervals(void)
{
	DefineCustomIntVariable("goque.heal_interval",
							"Longest time until an expired lease is ended.",
							"After a start of the server, leases are first ended when this time has passed, "
							"so that workers which come back at once can still finish.",
							&gq_heal_interval,
							5000, MIN_INTERVAL_MS, MAX_HEAL_INTERVAL_MS,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("goque.clean_interval",
							"Time between two applications of the retention of finished tasks.",
							"Tasks are kept at most so much longer than their retention says, "
							"unless an old snapshot or a lock holds their table.",
							&gq_clean_interval,
							60000, MIN_INTERVAL_MS, MAX_CLEAN_INTERVAL_MS,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

/* of a session */
static void
define_session(void)
{
	DefineCustomBoolVariable("goque.release_on_disconnect",
							 "Ends the leases of this session when it ends.",
							 "It can be set at connection start only, so that it cannot leak to other clients "
							 "of a connection pooler. It has no effect unless goque is in "
							 "shared_preload_libraries.",
							 &gq_release_on_disconnect,
							 false,
							 PGC_BACKEND, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("goque.async_claims",
							 "Lets a transaction that only claims tasks commit without waiting for the WAL flush.",
							 "A crash may then take back the last claims: the tasks are ready again, and "
							 "whoever held them is refused. Nothing else is ever lost.",
							 &gq_async_claims,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
}

void
gq_guc_init(void)
{
	define_limits();
	define_intervals();
	define_session();
	MarkGUCPrefixReserved("goque");
}
