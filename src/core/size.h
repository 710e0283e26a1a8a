/*-------------------------------------------------------------------------
 *
 * size.h
 *	  How large a payload, result, metadata or progress may be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_SIZE_H
#define GOQUE_CORE_SIZE_H

#include "core/settings.h"

/* In bytes: the server's limit, or the type's lower one. */
extern int	gq_size_limit(const GqSettings *settings);

/* 54000 when a jsonb is larger than `limit` bytes (without detoasting it). */
extern void gq_check_size(const char *arg, Datum jsonb_value, int limit);

#endif							/* GOQUE_CORE_SIZE_H */
