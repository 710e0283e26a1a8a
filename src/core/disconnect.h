/*-------------------------------------------------------------------------
 *
 * disconnect.h
 *	  Ending this session's leases when it ends: goque.release_on_disconnect.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_DISCONNECT_H
#define GOQUE_CORE_DISCONNECT_H

#include "goque.h"

/* This session has begun a lease; its transaction may still roll back. */
extern void gq_disconnect_note(Oid instance, int64 id, int64 token);

#endif							/* GOQUE_CORE_DISCONNECT_H */
