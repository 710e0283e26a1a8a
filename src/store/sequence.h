/*-------------------------------------------------------------------------
 *
 * sequence.h
 *	  Sequences that hold one number of goque's own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_SEQUENCE_H
#define GOQUE_STORE_SEQUENCE_H

extern int64 gq_sequence_read(Oid relid);
extern void gq_sequence_write(Oid relid, int64 value);

#endif							/* GOQUE_STORE_SEQUENCE_H */
