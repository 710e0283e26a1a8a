/*-------------------------------------------------------------------------
 *
 * database_slots.h
 *	  The layout of the slots: for databases.c and keepers.c alone.
 *
 * All of it is guarded by databases_lock, but for the two atomics: a commit
 * callback reads and lowers them without a lock.
 *
 * asked_at is the earliest time somebody else said that something is due; the
 * keeper takes it (leaving DT_NOEND) before it looks.  wakes_at is when the
 * keeper will wake up, or, while there is none, when it said there must be one.
 * Who lowers asked_at below wakes_at wakes both keeper and launcher.  A keeper
 * that goes to sleep writes wakes_at first and reads asked_at second, the other
 * side does it the other way round, with full barriers between: one of them
 * sees the other.
 *
 * Latches are set through a PGPROC that may meanwhile be another process's:
 * that one wakes up for nothing, once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_DATABASE_SLOTS_H
#define GOQUE_SHARED_DATABASE_SLOTS_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/proc.h"

#include "shared/keepers.h"

#define GQ_MAX_BLOCKS 64		/* commands at a time that want keepers away */

typedef struct GqDatabase
{
	Oid			database;		/* InvalidOid: a free slot */
	GqDatabaseState state;
	uint32		announced;		/* times that somebody said: look again */
	TimestampTz looked_at;		/* by a keeper, for the extension */
	char		version[GQ_MAX_VERSION_BYTES];

	/* as pg_database said when it was last listed */
	bool		exists;
	bool		connectable;
	bool		is_template;

	/* starting the keeper: the launcher's */
	bool		starting;		/* registered, and not yet here */
	uint32		generation;		/* of its keepers; raised at each start */
	TimestampTz started_at;
	TimestampTz next_start_at;	/* a pause after a failure */
	int			no_slot_tries;
	TimestampTz no_slot_since;

	/* the keeper */
	int			keeper_pid;		/* 0: none */
	PGPROC	   *keeper;
	TimestampTz keeper_since;
	GqActivity	activity;
	TimestampTz activity_since;
	TimestampTz done_at[GQ_DUTIES];
	bool		planned;		/* the last keeper left a plan */
	GqDutyPlan	plan[GQ_DUTIES];
	int			failures;		/* in a row */
	TimestampTz failed_at;
	TimestampTz logged_at;		/* last line about it */

	pg_atomic_uint64 asked_at;
	pg_atomic_uint64 wakes_at;
} GqDatabase;

typedef struct GqBlock
{
	Oid			database;		/* InvalidOid: free */
	int			pid;
} GqBlock;

typedef struct GqSlots
{
	int			launcher_pid;	/* 0: none */
	PGPROC	   *launcher;
	TimestampTz launcher_since;
	TimestampTz first_start;	/* of a launcher since shared memory was made */
	TimestampTz passed_at;
	TimestampTz listed_at;
	bool		list_anew;
	bool		wanted;			/* a database waits for a process */
	bool		lacking;		/* ... and there was no background worker for
								 * it */
	ConditionVariable left;		/* a keeper left its slot */
	GqBlock		blocks[GQ_MAX_BLOCKS];
	GqDatabase	slots[GQ_MAX_DATABASES];
} GqSlots;

extern GqSlots *gq_slots;

/* The slot of a database; NULL: none. */
extern GqDatabase *gq_slot_find(Oid database);

/* ... made if need be, if need be by forgetting a database that has no goque. */
extern GqDatabase *gq_slot_make(Oid database);

extern int	gq_slot_blocked_by(Oid database);

static inline void
gq_slot_wake(PGPROC *proc)
{
	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

static inline TimestampTz
gq_slot_asked_at(GqDatabase *slot)
{
	return (TimestampTz) pg_atomic_read_u64(&slot->asked_at);
}

static inline TimestampTz
gq_slot_wakes_at(GqDatabase *slot)
{
	return (TimestampTz) pg_atomic_read_u64(&slot->wakes_at);
}

/* When the keeper will look.  Each is read once: they may change meanwhile. */
static inline TimestampTz
gq_slot_due_at(GqDatabase *slot)
{
	TimestampTz asked = gq_slot_asked_at(slot);
	TimestampTz wakes = gq_slot_wakes_at(slot);

	return Min(asked, wakes);
}

#endif							/* GOQUE_SHARED_DATABASE_SLOTS_H */
