/*-------------------------------------------------------------------------
 *
 * home.h
 *	  What tells this installation of goque from all others, and the rows that
 *	  say which one they were made in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_HOME_H
#define GOQUE_STORE_HOME_H

/* The random number that CREATE EXTENSION drew here. */
extern int64 gq_installation_number(void);

#endif							/* GOQUE_STORE_HOME_H */
