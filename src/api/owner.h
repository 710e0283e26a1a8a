/*-------------------------------------------------------------------------
 *
 * owner.h
 *	  Acting with the owner's rights, for the calls that every task pays.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_API_OWNER_H
#define GOQUE_API_OWNER_H

#include "fmgr.h"

/* Call `body` with the rights of the owner of the function being called. */
extern Datum gq_as_owner(FunctionCallInfo fcinfo, PGFunction body);

/* The same around a part of a function. */
typedef struct GqCaller
{
	Oid			user;
	int			context;
} GqCaller;

extern GqCaller gq_owner_begin(FunctionCallInfo fcinfo);
extern void gq_owner_end(GqCaller caller);

#endif							/* GOQUE_API_OWNER_H */
