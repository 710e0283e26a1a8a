/*-------------------------------------------------------------------------
 *
 * home.h
 *	  Is this the database that a schedule or a processor was set up in, or a
 *	  copy of it?
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_HOME_H
#define GOQUE_CORE_HOME_H

#include "postgres_ext.h"

/* "installation/database", as stored in the column home: this database's.
 * Valid until the next call. */
extern const char *gq_home(void);

/* Was a row with this home (NULL: none) made, or taken over, here? */
extern bool gq_home_is_ours(const char *home);

/* Take over what a copy brought along: its schedules and processors are on from
 * the commit.  goque_resume() does it. */
extern void gq_home_take_over(void);

#endif							/* GOQUE_CORE_HOME_H */
