/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  What goque_configure and goque_pause said of a type, with the defaults
 *	  filled in; cached in the session until somebody changes it.
 *
 * The type '' stands for the database's defaults and its pause switch.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_SETTINGS_H
#define GOQUE_CORE_SETTINGS_H

#include "core/backoff.h"
#include "goque.h"
#include "store/settings.h"

typedef struct GqSettings
{
	int32		max_attempts;
	int64		timeout;		/* microseconds, as all intervals here */
	GqBackoff	backoff;
	int64		retention;		/* of done tasks; 0: not kept */
	int64		retention_failed;	/* of dead letters and canceled tasks */
	int32		max_payload_size;	/* 0: only the server's limit */
	int32		max_running;	/* 0: no limit */
	int32		rate_limit;		/* 0: no limit */
	int64		rate_period;	/* without meaning where there is no limit */
	bool		paused;			/* the type's own, or the database's switch */
} GqSettings;

/* the words for GqBackoffKind, in its order; ends with NULL */
extern const char *const gq_backoff_words[];

/* Valid until the next call that may process invalidations, which includes this
 * one: copy what you keep. */
extern const GqSettings *gq_settings(const char *type);

/* The default retention of done tasks, for the pace of rotation. */
extern int64 gq_settings_default_retention(void);

/* Tell every session, at this transaction's commit, to read the settings anew. */
extern void gq_settings_changed(void);

/* Change what is not null in `row`; clear everything but the pause (false: there
 * was nothing); pause or resume.  At commit, waiters look again. */
extern void gq_settings_configure(const char *type, const GqSettingsRow *row);
extern bool gq_settings_unconfigure(const char *type);
extern void gq_settings_pause(const char *type, bool paused);

#endif							/* GOQUE_CORE_SETTINGS_H */
