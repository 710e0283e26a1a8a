/*-------------------------------------------------------------------------
 *
 * installation.h
 *	  What tells this installation of goque from all others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_INSTALLATION_H
#define GOQUE_STORE_INSTALLATION_H

/* The random number that CREATE EXTENSION drew here. */
extern int64 gq_installation_number(void);

#endif							/* GOQUE_STORE_INSTALLATION_H */
