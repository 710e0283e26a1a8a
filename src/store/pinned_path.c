/*-------------------------------------------------------------------------
 *
 * pinned_path.c
 *	  A search path that nobody can put anything into, for a while.
 *
 * Where a function that a user calls does something as the owner without SET
 * search_path (api/owner.c, goque_register_processor), its caller's path is in
 * force.  What may resolve a name there is done under this one instead: a
 * statement, or an expression of an index that somebody added to a table of
 * goque's, which may call a function that finds others by name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "store/pinned_path.h"

int
gq_path_pin(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

void
gq_path_unpin(int nest_level)
{
	AtEOXact_GUC(true, nest_level);
}
