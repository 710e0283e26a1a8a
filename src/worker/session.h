/*-------------------------------------------------------------------------
 *
 * session.h
 *	  What a handler may leave behind in the session, and taking it away.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_WORKER_SESSION_H
#define GOQUE_WORKER_SESSION_H

/* In a transaction of its own: settings, roles, cursors, prepared statements,
 * temporary tables, advisory locks. */
extern void gq_session_clean(void);

/*
 * Around each of several tasks in one transaction.  The end takes away what can
 * be taken away before the commit; false: there is more, no other task may
 * follow in this transaction.
 */
extern int	gq_session_enter(void);
extern bool gq_session_leave(int nest_level);

#endif							/* GOQUE_WORKER_SESSION_H */
