/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  The server settings of goque; docs/reference.md tells what they mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_GUC_H
#define GOQUE_GUC_H

extern PGDLLIMPORT int gq_max_payload_size; /* kB */
extern PGDLLIMPORT int gq_heal_interval;	/* ms */
extern PGDLLIMPORT int gq_clean_interval;	/* ms */
extern PGDLLIMPORT int gq_max_processor_workers;
extern PGDLLIMPORT bool gq_release_on_disconnect;
extern PGDLLIMPORT bool gq_async_claims;

/* the server's limit of a payload, in bytes */
#define GqMaxPayloadBytes() (gq_max_payload_size * 1024)

extern void gq_guc_init(void);

#endif							/* GOQUE_GUC_H */
