/*-------------------------------------------------------------------------
 *
 * prepared_keys.h
 *	  What prepared transactions may make claimable without telling anybody.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_PREPARED_KEYS_H
#define GOQUE_SHARED_PREPARED_KEYS_H

#include "shared/types.h"

/* This transaction was prepared, and its end may make this key claimable. */
extern void gq_prepared_note(GqType *entry, GqKey key);

/* How many were noted and not forgotten; the smallest of their keys. */
extern uint32 gq_prepared_read(GqType *entry, GqKey *key);

/* Nothing is in doubt any more, unless more than n were noted meanwhile. */
extern void gq_prepared_forget(GqType *entry, uint32 n);

#endif							/* GOQUE_SHARED_PREPARED_KEYS_H */
