/*-------------------------------------------------------------------------
 *
 * prepared.h
 *	  Prepared transactions of this database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_PREPARED_H
#define GOQUE_STORE_PREPARED_H

/* Is there any? */
extern bool gq_prepared_pending(void);

#endif							/* GOQUE_STORE_PREPARED_H */
