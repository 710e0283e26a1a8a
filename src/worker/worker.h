/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The life of goque's background processes, and how each comes to be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_WORKER_H
#define GOQUE_WORKER_H

#include "postmaster/bgworker.h"

#include "goque.h"

/* ---- at server start ---- */

extern void gq_launcher_register(void);
extern void gq_utility_init(void);

/* ---- in the launcher ---- */

/* Start the runners that are needed.  Returns when to look again. */
extern TimestampTz gq_start_runners(TimestampTz now);

/* A process of ours has ended: who lacked a background worker need not wait. */
extern void gq_place_is_free(TimestampTz now);

/* ---- in a worker ---- */

/* A registration, filled in but for argument, restart time and notification. */
extern void gq_worker_describe(BackgroundWorker *worker, const char *type, const char *function);

/* Handlers and signals.  A worker that is told to stop while it sleeps exits
 * without a word, with this code. */
extern void gq_worker_init(int stop_code);

/* Connect to a database (InvalidOid: to none), and pin the settings there. */
extern void gq_worker_connect(Oid database);

/* Until then, but a minute at most, or until the latch is set; then reload the
 * settings if need be. */
extern void gq_worker_sleep(TimestampTz until, uint32 wait_event);

/* A transaction, with a snapshot, as the owner of the cluster, restricted. */
extern void gq_worker_begin(const char *activity);

/* Make the transaction that has just begun one of those. */
extern void gq_worker_own(void);

extern void gq_worker_commit(void);
extern void gq_worker_abort(void);

/* ---- entry points, for the postmaster ---- */

extern PGDLLEXPORT void gq_launcher_main(Datum main_arg);
extern PGDLLEXPORT void gq_keeper_main(Datum main_arg);
extern PGDLLEXPORT void gq_runner_main(Datum main_arg);

#endif							/* GOQUE_WORKER_H */
