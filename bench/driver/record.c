/*
 * record.c: the stream of records on standard output, and errors.
 *
 * A record is five doubles: the task's number, when it was added, started and
 * finished, and how long the call took that fetched it, all in microseconds
 * since 1970.  A negative number is a record about the run, see bench/README.md.
 * Each thread has a buffer that goes out whole, so that records do not mix.
 */
#include "driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PER_BUFFER 100			/* below PIPE_BUF, so that a write is atomic */

static __thread double buffer[PER_BUFFER * 5];
static __thread int used;
static __thread double last_flush;

double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1000;
}

void
sleep_until(double us)
{
	struct timespec t = {.tv_sec = us / 1e6};

	t.tv_nsec = (us - t.tv_sec * 1e6) * 1000;
	while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

void
record_flush(void)
{
	char	   *at = (char *) buffer;
	size_t		left = used * sizeof(double);

	while (left > 0)
	{
		ssize_t		n = write(STDOUT_FILENO, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(1);			/* nobody listens any more */
		at += n;
		left -= n;
	}
	used = 0;
	last_flush = now_us();
}

void
record_task(double n, double added, double started, double finished, double fetch_us)
{
	double	   *r = buffer + used;

	r[0] = n;
	r[1] = added;
	r[2] = started;
	r[3] = finished;
	r[4] = fetch_us;
	used += 5;
	if (used == PER_BUFFER * 5 || finished - last_flush > 100000)
		record_flush();
}

/* An error that the run survives: a few of them are shown. */
void
complain(const char *what, PGconn *conn)
{
	static int	shown;

	if (__atomic_add_fetch(&shown, 1, __ATOMIC_RELAXED) <= 20)
		fprintf(stderr, "driver: %s: %s", what, PQerrorMessage(conn));
}

void
die(const char *what)
{
	fprintf(stderr, "driver: %s\n", what);
	exit(1);
}
