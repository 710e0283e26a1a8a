/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  Rows of goque.settings: one per type that somebody configured or paused.
 *	  The row of type '' holds the database's defaults and its pause switch.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_STORE_SETTINGS_H
#define GOQUE_STORE_SETTINGS_H

#include "goque.h"

/* columns of goque.settings after the type, in the order of tables.sql */
typedef enum GqSettingsColumn
{
	GQ_SET_MAX_ATTEMPTS,		/* int4 */
	GQ_SET_TIMEOUT,				/* interval */
	GQ_SET_BACKOFF,				/* text */
	GQ_SET_BACKOFF_BASE,		/* interval */
	GQ_SET_BACKOFF_MAX,			/* interval */
	GQ_SET_BACKOFF_JITTER,		/* float8 */
	GQ_SET_BACKOFF_STEPS,		/* interval[] */
	GQ_SET_RETENTION,			/* interval */
	GQ_SET_RETENTION_FAILED,	/* interval */
	GQ_SET_MAX_PAYLOAD_SIZE,	/* int4 */
	GQ_SET_MAX_RUNNING,			/* int4 */
	GQ_SET_RATE_LIMIT,			/* int4 */
	GQ_SET_RATE_PERIOD,			/* interval */
	GQ_SET_PAUSED,				/* bool */
	GQ_SET_COLUMNS
} GqSettingsColumn;

typedef struct GqSettingsRow
{
	Datum		values[GQ_SET_COLUMNS];
	bool		nulls[GQ_SET_COLUMNS];
} GqSettingsRow;

/* The newest committed row of a type, or this transaction's own, into the
 * current memory context.  False, and all nulls: there is none. */
extern bool gq_settings_row_read(const char *type, GqSettingsRow *row);

/* Change what is not null in `row` (`paused` apart); makes the row if need be. */
extern void gq_settings_row_merge(const char *type, const GqSettingsRow *row);

/* Forget all but the pause.  False: there was nothing to forget. */
extern bool gq_settings_row_clear(const char *type);

extern void gq_settings_row_pause(const char *type, bool paused);

#endif							/* GOQUE_STORE_SETTINGS_H */
