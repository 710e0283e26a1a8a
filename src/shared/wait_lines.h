/*-------------------------------------------------------------------------
 *
 * wait_lines.h
 *	  The lines of waiters and their timers: what shared/wakeup.c works with.
 *
 * wait_lock is held, exclusively, in all functions but gq_set_latches and
 * gq_lines_idle.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_WAIT_LINES_H
#define GOQUE_SHARED_WAIT_LINES_H

#include "shared/wakeup.h"

#define GQ_WAKE_SET 64			/* latches set at once; more than
								 * GQ_WAIT_TYPES */

/* a waiter's place in a line */
typedef struct GqWaitLink
{
	dlist_node	node;
	int			waiter;			/* its index */
	GqLine	   *line;
} GqWaitLink;

/* the lines of a database that has waiters in them */
typedef struct GqDatabaseLines
{
	dlist_node	node;			/* in its bucket, or in the list of free ones */
	Oid			database;
	GqLine		every;			/* waiters that take every type */
	GqLine		vague;			/* waiters that must see for themselves */
} GqDatabaseLines;

typedef struct GqWaiter
{
	bool		in_use;
	bool		woken;			/* in no line: woken, and did not rearm since */
	bool		vague;
	int			pid;
	Oid			database;
	TimestampTz since;
	char		what[GQ_MAX_TYPE_BYTES + 1];
	GqLine	   *woken_for;		/* whom to pass the wake-up to, or NULL */
	GqDatabaseLines *lines;		/* if it stands in one of these */
	GqTimer		timer;			/* of a vague one */
	int			nlinks;
	GqWaitLink	links[GQ_WAIT_TYPES];
} GqWaiter;

/* whose latches to set once the lock is released */
typedef struct GqWakeSet
{
	int			n;
	int			waiters[GQ_WAKE_SET];
} GqWakeSet;

/* MaxBackends of them, by gq_my_proc_index() */
extern PGDLLIMPORT GqWaiter *gq_all_waiters;

extern Size gq_lines_shmem_size(void);
extern void gq_lines_shmem_init(void);

/* A database's lines: NULL if it has none; made if need be; given back if empty. */
extern GqDatabaseLines *gq_lines_find(Oid database);
extern GqDatabaseLines *gq_lines_take(Oid database);
extern void gq_lines_give_back(GqDatabaseLines *lines);

/* Can anybody be woken in the database's lines?  (Or in those of another one.) */
extern bool gq_lines_idle(Oid database);

/* Into, or out of, all of a waiter's lines. */
extern void gq_waiter_join(GqWaiter *waiter);
extern void gq_waiter_leave(GqWaiter *waiter);

/* Wake one that is idle; if it leaves without a look, the wake-up goes on. */
extern void gq_waiter_wake(int index, GqLine *pass_on_to, GqWakeSet *set);

/* Wake up to n of a line, while the set has room; returns what is left of n. */
extern int	gq_line_wake(GqLine *line, int n, GqWakeSet *set);

/* Set the latches of a set and empty it; the lock is not held. */
extern void gq_set_latches(GqWakeSet *set);

/* Index of the waiter that this node of a line belongs to. */
static inline int
gq_link_waiter(dlist_node *node)
{
	return dlist_container(GqWaitLink, node, node)->waiter;
}

/* Does the timer's owner wake by then, and look?  It is told of this time too. */
extern bool gq_timer_covers(GqTimer *timer, TimestampTz at);

/* Make somebody the owner, to wake at this time or what it was told of. */
extern void gq_timer_set(GqTimer *timer, int owner, TimestampTz at);

/* Have the timer's owner, or else the next in line, look and set it anew. */
extern void gq_line_hand_over(GqLine *line, GqWakeSet *set);

#endif							/* GOQUE_SHARED_WAIT_LINES_H */
