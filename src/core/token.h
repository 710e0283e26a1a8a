/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Fencing tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_TOKEN_H
#define GOQUE_CORE_TOKEN_H

/* From 1 to GQ_MAX_TOKEN; never given out before. */
extern int64 gq_token_next(void);

#endif							/* GOQUE_CORE_TOKEN_H */
