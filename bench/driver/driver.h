/*
 * driver.h: what the files of the SQL driver share.
 *
 * The driver runs one contender's SQL files from many connections, one thread
 * each.  It exists beside pgbench since it must know each task: when it was
 * added, when it was started, and that it was done exactly once.
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* The values that a SQL file may name, as :name. */
enum variable
{
	VAR_PAYLOAD, VAR_PAYLOADS, VAR_N, VAR_TYPE, VAR_PRIORITY, VAR_KEY, VAR_LEASE,
	VAR_ID, VAR_IDS, VAR_TOKEN, VAR_TOKENS, VAR_COUNT
};

enum statement
{
	ADD, ADD_BATCH, FETCH, FETCH_BATCH, COMPLETE, COMPLETE_BATCH, FAIL, STATEMENT_COUNT
};

/* How the run goes: the BENCH_... variables, see bench/README.md. */
struct options
{
	long		workers, producers, batch, tasks, depth, first, work_ms, payload, burst, keys;
	long		fail_percent, abandon_percent, poll_ms, types, priorities;
	double		seconds, rate, drain, quiet;
	bool		simple, skewed;
	const char *lease, *sql, *only_type;
};

struct client
{
	PGconn	   *conn;
	bool		prepared[STATEMENT_COUNT];
	const char *values[VAR_COUNT];
	char		number[VAR_COUNT][32];
	unsigned	seed;
};

extern struct options opt;

/* sql.c: the contender's statements */
extern void sql_load(void);
extern bool sql_has(enum statement s);
extern bool client_connect(struct client *c);
extern PGresult *client_run(struct client *c, enum statement s);
extern void client_set(struct client *c, enum variable v, long value);

/* record.c: what became of the tasks */
extern double now_us(void);
extern void sleep_until(double us);
extern void record_task(double n, double added, double started, double finished, double fetch_us);
extern void record_flush(void);
extern void complain(const char *what, PGconn *conn);
extern void die(const char *what);

#endif
