/*-------------------------------------------------------------------------
 *
 * home.c
 *	  Is this the database that a schedule or a processor was set up in, or a
 *	  copy of it?
 *
 * What runs by itself must not do so in a copy for staging, so each schedule and
 * processor carries its home: the random number that CREATE EXTENSION drew
 * (goque.installation_seq, which is not dumped) and the OID of the database.  A
 * restored dump comes to an installation with another number, CREATE DATABASE
 * ... TEMPLATE makes a database with another OID; either is off until
 * goque_resume() writes the new home into all rows.  Restored data alone is off
 * row by row, beside what was set up there.
 *
 * pg_upgrade keeps both (OIDs of databases since 15), so do a standby and its
 * promotion: these are no copies.  A physical copy of the whole server keeps
 * both, too, and cannot be told apart.
 *
 * The number is a sequence and not a row since a publication of all tables would
 * bring a row to the subscriber.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/home.h"
#include "core/xact.h"
#include "store/handlers.h"
#include "store/installation.h"
#include "store/schedules.h"

const char *
gq_home(void)
{
	static char home[64];

	snprintf(home, sizeof(home), "%016llx/%u",
			 (unsigned long long) gq_installation_number(), MyDatabaseId);
	return home;
}

bool
gq_home_is_ours(const char *home)
{
	return home != NULL && strcmp(home, gq_home()) == 0;
}

void
gq_home_take_over(void)
{
	gq_schedules_take_over(gq_home());
	gq_handlers_set_home(gq_home());
	gq_xact_wake_all();			/* the keeper too */
}
