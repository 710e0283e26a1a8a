/*-------------------------------------------------------------------------
 *
 * shim.c
 *	  Faults that no user can cause: a clock that jumps and a disk that is full.
 *
 * Loaded by LD_PRELOAD into every process of a test's server (see
 * test/perl/GoqueFaults.pm).  The test says what is wrong in a file of two
 * numbers, which all of them map:
 *
 *	  clock_us	what is added to the real time.  The monotonic clock stays, as
 *				it does when somebody sets the clock
 *	  full		no file of these kinds gets longer: 1 tables and indexes,
 *				2 temporary files, 4 WAL.  As on a real disk, what is there
 *				already can be written again
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FULL_TABLES 1
#define FULL_TEMPORARY 2
#define FULL_WAL 4

typedef struct Faults
{
	int64_t		clock_us;
	int64_t		full;
} Faults;

static volatile Faults none;
static volatile Faults *faults = &none;

/* the function that this one stands before */
#define NEXT(result, name, ...) \
	static result (*next) (__VA_ARGS__); \
	if (next == NULL) \
		next = (result (*) (__VA_ARGS__)) dlsym(RTLD_NEXT, #name)

__attribute__((constructor))
static void
map_faults(void)
{
	const char *path = getenv("GOQUE_FAULTS");
	int			fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void	   *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(Faults), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		faults = map;
}

/* ---- the clock ---- */

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	int64_t		us;

	NEXT(int, gettimeofday, struct timeval *, void *);
	if (next(tv, tz) != 0)
		return -1;
	us = (int64_t) tv->tv_sec * 1000000 + tv->tv_usec + faults->clock_us;
	tv->tv_sec = us / 1000000;
	tv->tv_usec = us % 1000000;
	return 0;
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	NEXT(int, clock_gettime, clockid_t, struct timespec *);
	if (next(clock, ts) != 0)
		return -1;
	if (clock == CLOCK_REALTIME)
		ts->tv_sec += faults->clock_us / 1000000;
	return 0;
}

time_t
time(time_t *result)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	if (result)
		*result = tv.tv_sec;
	return tv.tv_sec;
}

/* ---- the disk ---- */

static int64_t
kind_of(int fd)
{
	char		link[64];
	char		path[PATH_MAX];
	ssize_t		n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	if (strstr(path, "/pgsql_tmp"))
		return FULL_TEMPORARY;
	if (strstr(path, "/pgdata/base/"))
		return FULL_TABLES;
	if (strstr(path, "/pg_wal/"))
		return FULL_WAL;
	return 0;
}

/* Is there no room for the bytes up to `end`? */
static int
is_full(int fd, off_t end)
{
	struct stat st;

	if (faults->full == 0 || (kind_of(fd) & faults->full) == 0 ||
		fstat(fd, &st) != 0 || end <= st.st_size)
		return 0;
	errno = ENOSPC;
	return 1;
}

static off_t
length(const struct iovec *iov, int n)
{
	off_t		result = 0;

	for (int i = 0; i < n; i++)
		result += iov[i].iov_len;
	return result;
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t at)
{
	NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
	return is_full(fd, at + size) ? -1 : next(fd, data, size, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return pwrite(fd, data, size, at);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	NEXT(ssize_t, pwritev, int, const struct iovec *, int, off_t);
	return is_full(fd, at + length(iov, n)) ? -1 : next(fd, iov, n, at);
}

ssize_t
pwritev64(int fd, const struct iovec *iov, int n, off64_t at)
{
	return pwritev(fd, iov, n, at);
}

int
posix_fallocate(int fd, off_t at, off_t size)
{
	NEXT(int, posix_fallocate, int, off_t, off_t);
	return is_full(fd, at + size) ? ENOSPC : next(fd, at, size);
}

int
posix_fallocate64(int fd, off64_t at, off64_t size)
{
	return posix_fallocate(fd, at, size);
}
