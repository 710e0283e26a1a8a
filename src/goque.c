/*-------------------------------------------------------------------------
 *
 * goque.c
 *	  What happens when the library is loaded.
 *
 * In shared_preload_libraries, it asks for shared memory, hooks the commands
 * that its workers must give way to, and registers the launcher.  Loaded later,
 * by a session's first call, it can do none of that: every function works, but
 * waits poll, and nothing heals or cleans by itself (goque.health says so).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "api/processing_path.h"
#include "compat.h"
#include "core/settle.h"
#include "core/xact.h"
#include "guc.h"
#include "shared/shmem.h"
#include "worker/worker.h"

PG_MODULE_MAGIC_EXT(.name = "goque",.version = GQ_VERSION);

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	gq_guc_init();
	gq_xact_init();
	gq_settle_init();

	if (!process_shared_preload_libraries_in_progress)
		return;

	gq_shmem_init();
	gq_utility_init();
	gq_processing_path_init();
	if (!IsBinaryUpgrade)
		gq_launcher_register();
}
