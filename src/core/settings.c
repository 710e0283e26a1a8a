/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The settings in force of a type: its own, else the database's, else
 *	  goque's; cached in the session.
 *
 * The cache holds a type from its first use on, types without settings too.
 * A statement trigger on goque.settings sends a relcache invalidation of that
 * table; our callback only drops a flag, since it may come in the middle of
 * anything, and the next look-up starts the cache anew.  The flag is set before
 * a row is read, not after: a change that arrives in between drops it again.
 *
 * The cache is also started anew when it grows too large (so that a million
 * types do not fill the memory of every session) and when goque.settings is
 * another table than before (DROP and CREATE EXTENSION).
 *
 * What is stored was checked by goque_configure, but nothing here trusts it:
 * the healer must not fail on a value.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/interval.h"
#include "core/settings.h"
#include "core/xact.h"
#include "shared/shmem.h"
#include "store/relations.h"

#define MAX_CACHED 1024

typedef struct CacheEntry
{
	char		type[GQ_MAX_TYPE_BYTES + 1];	/* the key */
	GqSettings	settings;
} CacheEntry;

const char *const gq_backoff_words[] = {
	"static", "exponential", "step", "round_step", "fibonacci", NULL
};

static MemoryContext cache_context = NULL;
static HTAB *cache = NULL;
static bool cache_valid = false;
static Oid	cache_relid = InvalidOid;

static void
on_relcache_change(Datum arg, Oid relid)
{
	if (relid == cache_relid || relid == InvalidOid)
		cache_valid = false;
}

/* Have an empty cache for the table `relid`. */
static void
cache_start(Oid relid)
{
	HASHCTL		ctl = {0};

	if (cache_context == NULL)
	{
		CacheRegisterRelcacheCallback(on_relcache_change, (Datum) 0);
		cache_context = AllocSetContextCreate(CacheMemoryContext, "goque settings",
											  ALLOCSET_SMALL_SIZES);
	}
	cache_valid = false;
	cache = NULL;
	MemoryContextReset(cache_context);

	ctl.keysize = sizeof(((CacheEntry *) NULL)->type);
	ctl.entrysize = sizeof(CacheEntry);
	ctl.hcxt = cache_context;
	cache = hash_create("goque settings", 32, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	cache_relid = relid;
	cache_valid = true;
}

/* The type's value, else the database's; false: neither has one. */
static bool
pick(const GqSettingsRow *own, const GqSettingsRow *base, GqSettingsColumn column, Datum *value)
{
	const GqSettingsRow *row = own->nulls[column] ? base : own;

	*value = row->values[column];
	return !row->nulls[column];
}

static int32
pick_int(const GqSettingsRow *own, const GqSettingsRow *base, GqSettingsColumn column,
		 int32 fallback)
{
	Datum		value;

	return pick(own, base, column, &value) ? Max(DatumGetInt32(value), 0) : fallback;
}

static int64
span_of(Datum value)
{
	int64		usecs = gq_interval_usecs(DatumGetIntervalP(value));

	return Min(Max(usecs, 0), GQ_MAX_INTERVAL_USECS);
}

static int64
pick_span(const GqSettingsRow *own, const GqSettingsRow *base, GqSettingsColumn column,
		  int64 fallback)
{
	Datum		value;

	return pick(own, base, column, &value) ? span_of(value) : fallback;
}

static GqBackoffKind
kind_of(Datum value)
{
	char	   *word = TextDatumGetCString(value);

	for (int i = 0; gq_backoff_words[i] != NULL; i++)
	{
		if (strcmp(word, gq_backoff_words[i]) == 0)
			return (GqBackoffKind) i;
	}
	return GQ_BACKOFF_EXPONENTIAL;
}

/* The steps, allocated with the cache. */
static void
load_steps(Datum value, GqBackoff *backoff)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(value), INTERVALOID, sizeof(Interval), false,
					  TYPALIGN_DOUBLE, &elements, &nulls, &n);
	backoff->steps = (int64 *) MemoryContextAlloc(cache_context, Max(n, 1) * sizeof(int64));
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			backoff->steps[backoff->nsteps++] = span_of(elements[i]);
	}
}

static void
load_backoff(const GqSettingsRow *own, const GqSettingsRow *base, GqBackoff *backoff)
{
	Datum		value;
	int64		max;

	backoff->kind = GQ_BACKOFF_EXPONENTIAL;
	if (pick(own, base, GQ_SET_BACKOFF, &value))
		backoff->kind = kind_of(value);
	backoff->base = pick_span(own, base, GQ_SET_BACKOFF_BASE, GQ_DEFAULT_BACKOFF_BASE);

	/* only the exponential kind has a limit that nobody asked for */
	max = backoff->kind == GQ_BACKOFF_EXPONENTIAL ? GQ_DEFAULT_BACKOFF_MAX : GQ_MAX_INTERVAL_USECS;
	backoff->max = pick_span(own, base, GQ_SET_BACKOFF_MAX, max);

	backoff->jitter = GQ_DEFAULT_BACKOFF_JITTER;
	if (pick(own, base, GQ_SET_BACKOFF_JITTER, &value) &&
		DatumGetFloat8(value) >= 0.0 && DatumGetFloat8(value) <= 1.0)
		backoff->jitter = DatumGetFloat8(value);
	if (pick(own, base, GQ_SET_BACKOFF_STEPS, &value))
		load_steps(value, backoff);
}

static void
load(const char *type, GqSettings *settings)
{
	GqSettingsRow own;
	GqSettingsRow base;

	gq_settings_row_read(type, &own);
	if (type[0] == '\0')
		base = own;
	else
		gq_settings_row_read("", &base);

	memset(settings, 0, sizeof(*settings));
	settings->max_attempts = Max(pick_int(&own, &base, GQ_SET_MAX_ATTEMPTS, GQ_DEFAULT_MAX_ATTEMPTS), 1);
	settings->timeout = pick_span(&own, &base, GQ_SET_TIMEOUT, GQ_DEFAULT_TIMEOUT);
	load_backoff(&own, &base, &settings->backoff);
	settings->retention = pick_span(&own, &base, GQ_SET_RETENTION, GQ_DEFAULT_RETENTION);
	settings->retention_failed = pick_span(&own, &base, GQ_SET_RETENTION_FAILED,
										   GQ_DEFAULT_RETENTION_FAILED);
	settings->max_payload_size = pick_int(&own, &base, GQ_SET_MAX_PAYLOAD_SIZE, 0);
	settings->max_running = pick_int(&own, &base, GQ_SET_MAX_RUNNING, 0);
	settings->rate_limit = pick_int(&own, &base, GQ_SET_RATE_LIMIT, 0);
	settings->rate_period = pick_span(&own, &base, GQ_SET_RATE_PERIOD, USECS_PER_SEC);
	settings->paused = (!own.nulls[GQ_SET_PAUSED] && DatumGetBool(own.values[GQ_SET_PAUSED])) ||
		(!base.nulls[GQ_SET_PAUSED] && DatumGetBool(base.values[GQ_SET_PAUSED]));
}

/* Load in a scratch context, so that the rows leave nothing behind. */
static void
load_tidily(const char *type, GqSettings *settings)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "goque settings rows",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);

	load(type, settings);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
}

/*
 * PostgreSQL tells of a committed change a moment after our commit callback has
 * woken the sleepers, who must see it.
 */
static void
notice_changes(void)
{
	static uint32 seen = 0;
	uint32		changes;

	if (gq_shared == NULL)
		return;
	changes = pg_atomic_read_u32(&gq_shared->settings_changes);
	if (changes != seen)
		cache_valid = false;
	seen = changes;
}

const GqSettings *
gq_settings(const char *type)
{
	Oid			relid = gq_relid(GQ_REL_SETTINGS);
	CacheEntry *entry;
	GqSettings	settings;

	notice_changes();
	if (!cache_valid || relid != cache_relid || hash_get_num_entries(cache) >= MAX_CACHED)
		cache_start(relid);

	entry = (CacheEntry *) hash_search(cache, type, HASH_FIND, NULL);
	if (entry == NULL)
	{
		load_tidily(type, &settings);
		entry = (CacheEntry *) hash_search(cache, type, HASH_ENTER, NULL);
		entry->settings = settings;
	}
	return &entry->settings;
}

int64
gq_settings_default_retention(void)
{
	return gq_settings("")->retention;
}

void
gq_settings_changed(void)
{
	CacheInvalidateRelcacheByRelid(gq_relid(GQ_REL_SETTINGS));
}

void
gq_settings_configure(const char *type, const GqSettingsRow *row)
{
	gq_settings_row_merge(type, row);
	gq_xact_wake_all();
}

bool
gq_settings_unconfigure(const char *type)
{
	bool		changed = gq_settings_row_clear(type);

	if (changed)
		gq_xact_wake_all();
	return changed;
}

void
gq_settings_pause(const char *type, bool paused)
{
	gq_settings_row_pause(type, paused);
	gq_xact_wake_all();
}
