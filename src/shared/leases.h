/*-------------------------------------------------------------------------
 *
 * leases.h
 *	  The leases in flight, so that the healer need not look for them.
 *
 * A fetch enters a lease before it commits and takes it out if it aborts, a
 * finish removes it after it committed; the healer checks the row itself and drops what is out of date.
 * A heartbeat of a guarded task (core/guard.c) extends its lease here alone.
 * When the table is full, `overflowed` tells the healer to read the tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_LEASES_H
#define GOQUE_SHARED_LEASES_H

#include "goque.h"

typedef struct GqLease
{
	int64		id;				/* of the task */
	int64		token;
	TimestampTz lease_until;	/* the later one, if it was extended here */
	TimestampTz started_at;
	int			pid;			/* of the backend that fetched it */
	bool		session_ended;	/* ... and is gone: it is over */
} GqLease;

extern Size gq_leases_shmem_size(void);
extern void gq_leases_shmem_init(void);

/*
 * Enter a lease.  pid 0: it is not new; what is known of the task's present
 * lease stays unless it is this one.  False: there is no room, which is counted.
 * Neither raises nor allocates.
 */
extern bool gq_lease_enter(Oid instance, int64 id, int64 token, TimestampTz lease_until, int pid);

/* The same for one that is not new, and without counting. */
extern bool gq_lease_enter_found(Oid instance, int64 id, int64 token, TimestampTz lease_until);

/*
 * Extend a lease whose row, which says `lease_until`, cannot be changed now.
 * Returns the later of its two ends; `lease_until` if there is no room for it
 * here.
 */
extern TimestampTz gq_lease_extend(Oid instance, int64 id, int64 token,
								   TimestampTz lease_until, TimestampTz until);

/* The session that began it has ended: it is over, whatever its time.  False: it
 * is not here (any more).  Never raises. */
extern bool gq_lease_session_ended(Oid instance, int64 id, int64 token);

extern bool gq_lease_is_known(Oid instance, int64 id, int64 token);

/* Until when it was extended so; 0: it was not. */
extern TimestampTz gq_lease_extended(Oid instance, int64 id, int64 token);

/* Unless the task has another lease by now. */
extern void gq_lease_remove(Oid instance, int64 id, int64 token);

/* Palloc'd copies of at most `max` leases of this database that ended by `now`,
 * and when the next one ends (DT_NOEND: none). */
extern GqLease *gq_leases_ended(Oid instance, TimestampTz now, int max, int *n, TimestampTz *next);

/* Palloc'd copy of all leases of this database. */
extern GqLease *gq_leases_all(Oid instance, int *n);

/* How often a lease was not entered for lack of room, in any database. */
extern uint32 gq_lease_overflows(void);

/* Drop what belongs to a database (that is gone). */
extern void gq_leases_forget(Oid database);

#endif							/* GOQUE_SHARED_LEASES_H */
