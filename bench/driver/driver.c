/*
 * driver.c: threads that add, fetch and complete tasks.
 *
 * A worker fetches, "works" (sleeps BENCH_WORK_MS), and completes.  Who adds:
 * producers, at a rate (on wall-clock time: what comes late counts as late) or
 * so that the queue stays BENCH_DEPTH deep; without producers each worker adds
 * one for each task that it takes, which is three transactions a task.
 */
#include "driver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options opt;

static volatile sig_atomic_t killed;
static long next_number;		/* of the next task to add */
static long added, in_doubt, done, refused, failures;
static double start, end;		/* of adding */
static double last_found;
static pthread_barrier_t ready;

#define BUMP(counter, by) __atomic_add_fetch(&(counter), (by), __ATOMIC_RELAXED)
#define READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

struct task
{
	char		id[64], token[32];
	double		n, added, started, fetch_us;
};

struct thread
{
	pthread_t	handle;
	struct client client;
	long		number;			/* among the workers, or among the producers */
	struct task *tasks;			/* room for opt.batch */
	char	   *payloads, *ids, *tokens;
	char		payload[16384], type[64];
};

static void
on_term(int sig)
{
	(void) sig;
	killed = 1;
}

/* --- adding --------------------------------------------------------------- */

/* One payload.  Its own time tells when it was added, or was to be. */
static int
print_payload(char *to, const char *quote, long n, double at)
{
	static char filler[8192];
	int			pad = opt.payload > 50 ? opt.payload - 50 : 1;

	if (!filler[0])
		memset(filler, '0', sizeof(filler) - 1);
	return sprintf(to, "{%sn%s: %ld, %st%s: %.0f, %sx%s: %s%.*s%s}",
				   quote, quote, n, quote, quote, at, quote, quote, quote, pad, filler, quote);
}

static int
pick_priority(struct client *c)
{
	if (opt.priorities <= 1)
		return 0;
	if (opt.skewed && rand_r(&c->seed) % 10 != 0)
		return opt.priorities - 1;
	return rand_r(&c->seed) % opt.priorities;
}

static void
reconnect(struct client *c)
{
	if (PQstatus(c->conn) == CONNECTION_OK)
		return;
	while (!killed && !client_connect(c))
		usleep(100000);
}

/* Adds count tasks.  Of tasks whose call failed nobody knows. */
static void
add(struct thread *t, int count, double at)
{
	struct client *c = &t->client;
	bool		batch = count > 1;
	long		first = BUMP(next_number, count) - count;
	char	   *to = t->payloads;
	PGresult   *r;

	client_set(c, VAR_N, count);
	client_set(c, VAR_PRIORITY, pick_priority(c));
	client_set(c, VAR_KEY, opt.keys > 0 ? first % opt.keys : 0);
	if (opt.types > 1)
		snprintf(t->type, sizeof(t->type), "bench%ld", first % opt.types);
	if (batch)
	{
		*to++ = '{';
		for (int i = 0; i < count; i++)
		{
			*to++ = '"';
			to += print_payload(to, "\\\"", first + i, at);
			strcpy(to, "\",");
			to += 2;
		}
		strcpy(to - 1, "}");
		c->values[VAR_PAYLOADS] = t->payloads;
	}
	else
	{
		print_payload(t->payload, "\"", first, at);
		c->values[VAR_PAYLOAD] = t->payload;
	}

	r = client_run(c, batch ? ADD_BATCH : ADD);
	if (r)
		BUMP(added, count);
	else
	{
		BUMP(in_doubt, count);
		for (int i = 0; i < count; i++)
			record_task(-2, first + i, 0, 0, 0);
		reconnect(c);
	}
	PQclear(r);
}

static void
produce_at_rate(struct thread *t)
{
	long		lump = opt.burst > 0 ? opt.burst : 1;
	long		k = t->number;

	for (;; k += opt.producers)
	{
		double		at = start + k * lump * 1e6 / opt.rate;

		if (killed || at >= end)
			return;
		if (at > now_us())
			sleep_until(at);
		for (long left = lump; left > 0 && !killed;)
		{
			int			some = left < opt.batch ? left : opt.batch;

			add(t, some, at);
			left -= some;
		}
	}
}

static void
produce_to_depth(struct thread *t)
{
	while (!killed && (opt.tasks > 0 || now_us() < end))
	{
		if (opt.tasks > 0)
		{
			long		left = opt.tasks - BUMP(next_number, 0) + opt.first;

			if (left <= 0)
				return;
			add(t, left < opt.batch ? 1 : opt.batch, now_us());
		}
		else if (opt.first + READ(added) + READ(in_doubt) - READ(done) < opt.depth)
			add(t, opt.batch, now_us());
		else
			usleep(500);
	}
}

/* --- working ---------------------------------------------------------------- */

static double
payload_number(const char *payload, const char *name)
{
	const char *at = payload ? strstr(payload, name) : NULL;

	return at ? strtod(at + strlen(name), NULL) : -9;
}

/* Fetches up to opt.batch tasks into t->tasks; their number, or -1: an error. */
static int
fetch(struct thread *t)
{
	struct client *c = &t->client;
	double		before = now_us(),
				after;
	PGresult   *r;
	int			count,
				id,
				token,
				payload;

	client_set(c, VAR_N, opt.batch);
	r = client_run(c, opt.batch > 1 && sql_has(FETCH_BATCH) ? FETCH_BATCH : FETCH);
	after = now_us();
	if (!r)
		return -1;
	count = PQntuples(r);
	id = PQfnumber(r, "id");
	token = PQfnumber(r, "token");
	payload = PQfnumber(r, "payload");
	if (count > opt.batch || id < 0 || payload < 0)
		die("fetch must return at most :n rows of id, payload and perhaps token");
	for (int i = 0; i < count; i++)
	{
		struct task *task = &t->tasks[i];

		snprintf(task->id, sizeof(task->id), "%s", PQgetvalue(r, i, id));
		snprintf(task->token, sizeof(task->token), "%s", token < 0 ? "0" : PQgetvalue(r, i, token));
		task->n = payload_number(PQgetvalue(r, i, payload), "\"n\": ");
		task->added = payload_number(PQgetvalue(r, i, payload), "\"t\": ");
		task->started = after;
		task->fetch_us = after - before;
	}
	PQclear(r);
	return count;
}

/* Runs statement s for the count tasks; how many it did. */
static int
finish(struct thread *t, enum statement s, struct task *tasks, int count)
{
	struct client *c = &t->client;
	PGresult   *r;
	int			rows;

	if (s == COMPLETE_BATCH)
	{
		char	   *id = t->ids,
				   *token = t->tokens;

		for (int i = 0; i < count; i++)
		{
			id += sprintf(id, "%c%s", i ? ',' : '{', tasks[i].id);
			token += sprintf(token, "%c%s", i ? ',' : '{', tasks[i].token);
		}
		strcpy(id, "}");
		strcpy(token, "}");
		c->values[VAR_IDS] = t->ids;
		c->values[VAR_TOKENS] = t->tokens;
	}
	else
	{
		c->values[VAR_ID] = tasks->id;
		c->values[VAR_TOKEN] = tasks->token;
	}
	r = client_run(c, s);
	if (!r)
	{
		BUMP(failures, 1);
		return 0;
	}
	rows = PQntuples(r);
	PQclear(r);
	if (rows < count)
		BUMP(refused, count - rows);
	return rows;
}

static void
finish_all(struct thread *t, int count)
{
	int			finished = 0;

	if (count > 1)
		finished = finish(t, COMPLETE_BATCH, t->tasks, count);
	else
	{
		long		dice = rand_r(&t->client.seed) % 100;

		if (dice < opt.abandon_percent)
			return;
		if (dice < opt.abandon_percent + opt.fail_percent)
		{
			finish(t, FAIL, t->tasks, 1);
			return;
		}
		finished = finish(t, COMPLETE, t->tasks, 1);
	}
	BUMP(done, finished);

	/* of a batch that was not done whole we do not know which were */
	if (finished == count)
		for (int i = 0; i < count; i++)
			record_task(t->tasks[i].n, t->tasks[i].added, t->tasks[i].started, now_us(), t->tasks[i].fetch_us);
	else
		record_task(-4, count - finished, 0, 0, 0);
}

static bool
drained(void)
{
	if (killed || now_us() >= end + opt.drain * 1e6)
		return true;
	return now_us() >= end && (READ(added) + READ(in_doubt) + opt.first <= READ(done) || now_us() - last_found > opt.quiet * 1e6);
}

static void
work(struct thread *t)
{
	bool		cycle = opt.producers == 0 && opt.rate == 0 && opt.seconds > 0;

	while (!drained())
	{
		int			count;

		if (cycle && now_us() < end)
			add(t, opt.batch, now_us());
		count = fetch(t);
		if (count < 0)
			reconnect(&t->client);
		else if (count == 0)
		{
			record_flush();
			if (opt.poll_ms > 0)
				usleep(opt.poll_ms * 1000);
		}
		else
		{
			last_found = t->tasks[0].started;
			if (opt.work_ms > 0)
				usleep(opt.work_ms * 1000);
			finish_all(t, count);
		}
		if (PQstatus(t->client.conn) != CONNECTION_OK)
			reconnect(&t->client);
	}
}

/* --- the run ---------------------------------------------------------------- */

static void
prepare_thread(struct thread *t, long number)
{
	struct client *c = &t->client;

	t->number = number;
	t->tasks = calloc(opt.batch, sizeof(struct task));
	t->payloads = malloc(opt.batch * (opt.payload + 200) + 10);
	t->ids = malloc(opt.batch * 66 + 10);
	t->tokens = malloc(opt.batch * 34 + 10);
	snprintf(t->type, sizeof(t->type), opt.types > 1 ? "%s%ld" : "%s", opt.only_type, number % opt.types);
	c->seed = number * 7919 + getpid();
	c->values[VAR_TYPE] = t->type;
	c->values[VAR_LEASE] = opt.lease;
	if (!client_connect(c))
	{
		complain("connect", c->conn);
		exit(1);
	}
}

static void *
worker(void *arg)
{
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&ready);
	work(arg);
	record_flush();
	return NULL;
}

static void *
producer(void *arg)
{
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&ready);
	if (opt.rate > 0)
		produce_at_rate(arg);
	else
		produce_to_depth(arg);
	record_flush();
	return NULL;
}

static double
number_option(const char *name, double otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtod(value, NULL) : otherwise;
}

static const char *
text_option(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

static void
read_options(void)
{
	opt = (struct options) {
		.workers = number_option("BENCH_WORKERS", 0),
		.producers = number_option("BENCH_PRODUCERS", 0),
		.batch = number_option("BENCH_BATCH", 1),
		.tasks = number_option("BENCH_TASKS", 0),
		.depth = number_option("BENCH_DEPTH", 1000),
		.first = number_option("BENCH_FIRST", 0),
		.work_ms = number_option("BENCH_WORK_MS", 0),
		.payload = number_option("BENCH_PAYLOAD", 100),
		.burst = number_option("BENCH_BURST", 0),
		.keys = number_option("BENCH_KEYS", 0),
		.fail_percent = number_option("BENCH_FAIL_PERCENT", 0),
		.abandon_percent = number_option("BENCH_ABANDON_PERCENT", 0),
		.poll_ms = number_option("BENCH_POLL_MS", 0),
		.types = number_option("BENCH_TYPES", 1),
		.priorities = number_option("BENCH_PRIORITIES", 1),
		.skewed = number_option("BENCH_SKEWED", 0) != 0,
		.seconds = number_option("BENCH_SECONDS", 0),
		.rate = number_option("BENCH_RATE", 0),
		.drain = number_option("BENCH_DRAIN", 0),
		.quiet = number_option("BENCH_QUIET", 1),
		.simple = number_option("BENCH_SIMPLE", 0) != 0,
		.lease = text_option("BENCH_LEASE", "30 s"),
		.only_type = text_option("BENCH_TYPE", "bench"),
		.sql = text_option("BENCH_SQL", "."),
	};
	if (opt.batch < 1 || opt.types < 1 || opt.payload > 8000 || opt.workers + opt.producers < 1)
		die("BENCH_... out of range");
	if (opt.fail_percent + opt.abandon_percent > 0 && opt.batch > 1)
		die("failures come one at a time: BENCH_BATCH must be 1");
}

int
main(void)
{
	struct thread *threads;
	long		count;

	read_options();
	sql_load();
	if (!sql_has(ADD) || !sql_has(FETCH) || !sql_has(COMPLETE))
		die("add.sql, fetch.sql and complete.sql are needed");
	if (opt.batch > 1 && (!sql_has(ADD_BATCH) || !sql_has(COMPLETE_BATCH)))
		die("add_batch.sql and complete_batch.sql are needed");
	if (opt.fail_percent > 0 && !sql_has(FAIL))
		die("fail.sql is needed");
	signal(SIGTERM, on_term);
	signal(SIGPIPE, SIG_IGN);
	next_number = opt.first;
	count = opt.workers + opt.producers;
	threads = calloc(count, sizeof(*threads));
	pthread_barrier_init(&ready, NULL, count + 1);
	for (long i = 0; i < count; i++)
	{
		prepare_thread(&threads[i], i < opt.workers ? i : i - opt.workers);
		if (pthread_create(&threads[i].handle, NULL, i < opt.workers ? worker : producer, &threads[i]) != 0)
			die("no more threads");
	}

	/* all are connected at the first barrier; the second starts them */
	pthread_barrier_wait(&ready);
	start = last_found = now_us();
	end = start + opt.seconds * 1e6;
	record_task(-3, start, end, 0, 0);
	record_flush();
	pthread_barrier_wait(&ready);
	for (long i = 0; i < count; i++)
		pthread_join(threads[i].handle, NULL);
	record_task(-1, added, 0, 0, 0);
	record_task(-5, failures, 0, 0, 0);
	record_flush();
	return 0;
}
