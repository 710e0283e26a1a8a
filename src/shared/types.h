/*-------------------------------------------------------------------------
 *
 * types.h
 *	  What shared memory knows of each task type: where its ready tasks begin
 *	  (the frontier), how many it has, and who waits for it.
 *
 * An entry is made at the first use of a type in a database and stays; when
 * the table is full, a type has none: its fetches scan from the beginning, its
 * waiters wait as if for every type, its statistics are counted from the
 * tables.  Slower, never wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_TYPES_H
#define GOQUE_SHARED_TYPES_H

#include "lib/ilist.h"
#include "port/atomics.h"
#include "storage/spin.h"

#include "goque.h"

#define GQ_MAX_TYPES 2048		/* entries, all databases together */
#define GQ_CELLS 4				/* priorities with a frontier, per generation */
#define GQ_EVENTS_BITS 5
#define GQ_EVENTS (1 << GQ_EVENTS_BITS) /* pull-backs remembered one by one */
#define GQ_EVENT_LEVELS 3		/* ... and in groups of 32, 1,024, 32,768 */

/* where an entry stands in a ready index, within its type and priority */
typedef struct GqKey
{
	TimestampTz at;				/* next_attempt_at */
	int64		id;
} GqKey;

static inline int
gq_key_cmp(GqKey a, GqKey b)
{
	if (a.at != b.at)
		return a.at < b.at ? -1 : 1;
	if (a.id != b.id)
		return a.id < b.id ? -1 : 1;
	return 0;
}

/* the frontier of one priority in one generation */
typedef struct GqCell
{
	int16		priority;
	GqKey		frontier;		/* no claimable entry stands below it */
	GqKey		ahead;			/* some entries further; a hint for scans */
} GqCell;

/* ... of one type in one generation */
typedef struct GqFrontier
{
	bool		complete;		/* every priority that has an entry has a cell */
	uint8		ncells;			/* sorted by priority */
	GqCell		cells[GQ_CELLS];
} GqFrontier;

/* an entry became claimable: scans that began before must not publish past it */
typedef struct GqEvent
{
	int16		generation;
	int16		priority;
	GqKey		key;
} GqEvent;

/* the smallest key of a group of events, of any generation and priority */
typedef struct GqEventGroup
{
	uint64		number;			/* of the group: that of its events, divided */
	GqKey		smallest;
} GqEventGroup;

typedef enum GqTotal
{
	GQ_TOTAL_ADDED,
	GQ_TOTAL_FETCHED,
	GQ_TOTAL_COMPLETED,
	GQ_TOTAL_FAILED,
	GQ_TOTAL_HEALED,
	GQ_TOTAL_EXHAUSTED,
	GQ_TOTAL_RELEASED,
	GQ_TOTAL_CANCELED,
	GQ_TOTALS
} GqTotal;

/* who wakes when the next task falls due; see shared/wakeup.c */
typedef struct GqTimer
{
	TimestampTz at;				/* the owner wakes by then, DT_NOBEGIN: it is
								 * about to look; DT_NOEND: no timer */
	TimestampTz noted;			/* earliest that was left to the owner since
								 * it began to look */
	int			owner;			/* index of a waiter, or -1 */
} GqTimer;

/* who waits for one thing, first come, first woken; guarded by wait_lock */
typedef struct GqLine
{
	pg_atomic_uint32 idle;		/* how many can be woken; may be read without
								 * the lock */
	int			nwaiters;		/* how many signed up: idle, or woken */
	dlist_head	waiters;		/* the idle ones: GqWaitLink */
	GqTimer		timer;
} GqLine;

typedef struct GqType
{
	/* set under types_lock, constant while in use */
	bool		in_use;
	Oid			database;
	Oid			instance;		/* OID of goque.tasks_0: another one after a
								 * DROP and CREATE EXTENSION */
	char		name[GQ_MAX_TYPE_BYTES + 1];

	slock_t		mutex;			/* guards the rest but the line */
	uint64		events_seen;	/* events ever */
	GqEvent		events[GQ_EVENTS];
	GqEventGroup groups[GQ_EVENT_LEVELS][GQ_EVENTS];
	GqFrontier	frontier[GQ_GENERATIONS];
	uint32		prepared;		/* see shared/prepared_keys.c */
	GqKey		prepared_key;
	int64		full_check_at;	/* the next from the beginning, at the
								 * earliest, by monotonic.h */
	bool		counted;		/* counts[] is true of the tables */
	bool		running_known;	/* ... or counts[GQ_PROCESSING] is no less */
	bool		limited;		/* it had a limit since the server started:
								 * somebody may wait for a place */
	int64		claiming;		/* places of claims not committed yet */
	int64		prepared_claims;	/* ... of prepared transactions, perhaps */
	uint64		changes;		/* commits that moved counts[] */
	uint64		began;			/* claims, and ends of what was in processing, */
	uint64		ended;			/* in those commits */
	bool		delays_lost;	/* shared/delays.c had no room for it */
	uint32		doubts;			/* how often that was called off */
	int64		counts[GQ_STATUSES];
	int64		totals[GQ_TOTALS];
	TimestampTz last_fetch_at;
	int64		max_payload;	/* largest payload added, bytes */

	pg_atomic_uint64 children;	/* do tasks of others wait for tasks of this
								 * type? */

	GqLine		line;			/* who waits for it; guarded by wait_lock */
} GqType;

/* GqType.children; more than these: since when, a full transaction id */
#define GQ_CHILDREN_UNKNOWN 0
#define GQ_CHILDREN_NONE 1
#define GQ_CHILDREN_SOME 2		/* since when is not known */

extern Size gq_types_shmem_size(void);
extern void gq_types_shmem_init(void);

/* The entry of a type of this database; made if need be; NULL: no room, or no
 * shared memory. */
extern GqType *gq_type_entry(Oid instance, const char *name);

/* Is this entry still that type of this database? */
extern bool gq_type_entry_is(const GqType *entry, Oid instance, const char *name);

/* Call fn for each entry of this database (types_lock is not held meanwhile). */
extern void gq_types_foreach(Oid instance, void (*fn) (GqType *entry, void *arg), void *arg);

/*
 * Does every type that has tasks here have an entry with true numbers, and every
 * lease its place?  From then on a new entry is of a new type, and starts with
 * true numbers: zeros.
 */
extern bool gq_types_are_surveyed(Oid instance);
extern void gq_types_set_surveyed(Oid instance, bool surveyed);

/* Give back the entries of other instances in this database, or of a database
 * that is gone (keep_instance InvalidOid); not those that somebody waits for. */
extern void gq_types_forget(Oid database, Oid keep_instance);

/* Which entry it is, from 0 to GQ_MAX_TYPES - 1. */
extern int	gq_type_number(const GqType *entry);

/* For totals_file.c, in the postmaster alone: entry n if it is in use, else
 * NULL (n from 0 to GQ_MAX_TYPES - 1); and an entry from the file. */
extern GqType *gq_type_nth(int n);
extern GqType *gq_type_restore(Oid database, Oid instance, const char *name);

/* ---- the frontier: shared/frontier.c, whose head tells the protocol ---- */

/* Copy the frontier of all generations, and the number of events so far. */
extern uint64 gq_frontier_read(GqType *entry, GqFrontier out[GQ_GENERATIONS]);

/* An entry with this key is, or may be, claimable from now on. */
extern void gq_frontier_pull_back(GqType *entry, int generation, int16 priority, GqKey key);

/* Nothing is known any more of a generation (of all: -1), nor of children. */
extern void gq_frontier_forget(GqType *entry, int generation);

/* A scan that began when events_seen was `since` found nothing claimable below
 * `key` in this priority (key.at DT_NOEND: nothing at all).  Returns false if
 * it was not taken: then this scan must not call gq_frontier_complete. */
extern bool gq_frontier_advance(GqType *entry, int generation, int16 priority, GqKey key, uint64 since);

/* A scan saw that this key is some entries ahead. */
extern void gq_frontier_ahead(GqType *entry, int generation, int16 priority, GqKey ahead);

/* A scan that began at `since` walked every priority of this generation. */
extern void gq_frontier_complete(GqType *entry, int generation, uint64 since);

#endif							/* GOQUE_SHARED_TYPES_H */
