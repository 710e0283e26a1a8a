/*
 * fuzz.c
 *	  Throw random texts and instants at the schedule parser.
 *
 *	  fuzz SEED COUNT
 *
 * A text is a valid one, damaged, or noise.  Of each: parsing ends, an error has
 * a position in the text or just behind it, and three next times grow strictly.
 * Sanitizers, if the compiler has them, look for the rest.  The seed is printed.
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/cron.h"

#undef printf
#undef fprintf

#define LONGEST 200

static uint64 state;

/* xorshift */
static uint32
draw(uint32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32) ((state >> 16) % n);
}

static const char *const seeds[] = {
	"* * * * *", "*/5 0-23/2 1,15,L * mon-fri", "0 0 29 2 *", "30 2 * * *", "0 0 31 4 *",
	"59 59 23 31 12 sat", "0 0 * * 5L", "0 12 ? jan-DEC/3 fri#2,0#5", "@hourly", "@every 1h30m",
	"@every 90 minutes", "@every 1 day 02:03:04", "  7  7 7 7 7", "0-59/59,1-2 5/7 31,L 2 */6",
};

/* a zone whose clock changes every half year, by an hour, a minute or a day */
static int64
next_change(const void *arg, int64 at, int *offset, int *offset_after)
{
	int64		half = 15778800;
	int64		n = at / half - (at % half < 0 ? 1 : 0);
	int			jump = *(const int *) arg;

	*offset = n % 2 == 0 ? 0 : jump;
	*offset_after = n % 2 == 0 ? jump : 0;
	return (n + 1) * half;
}

static void
damage(char *text)
{
	static const char letters[] = "0123456789*/-,?#L@ smhd:JANsun\t\n\\\x80\xff";
	int			len = (int) strlen(text);
	int			at = (int) draw((uint32) len + 1);

	if (draw(3) == 0 && len > 0)
		memmove(text + Min(at, len - 1), text + Min(at, len - 1) + 1, len - Min(at, len - 1));
	else if (len < LONGEST - 1)
	{
		memmove(text + at + 1, text + at, len - at + 1);
		text[at] = letters[draw(sizeof(letters) - 1)];
	}
}

static void
die(const char *text, const char *what)
{
	printf("not ok: %s: \"%s\"\n", what, text);
	exit(1);
}

static void
try(const char *text)
{
	static const int jumps[] = {3600, -3600, 1800, 60, 86400, -86400, 0};
	GqCronZone	zone = {next_change, &jumps[draw(lengthof(jumps))]};
	GqCron		cron;
	GqCronError error = {0, NULL, NULL};
	int64		at;

	if (!gq_cron_parse(text, &cron, &error))
	{
		if (error.position < 1 || error.position > (int) strlen(text) + 1 || error.reason == NULL)
			die(text, "an error without a place");
		return;
	}
	at = (int64) (draw(1u << 31)) * (draw(50) == 0 ? 4000 : 1) * (draw(2) ? 1 : -1);
	for (int i = 0; i < 3; i++)
	{
		int64		next = gq_cron_next(&cron, at, draw(2) ? 0 : 10957, &zone);

		if (next == GQ_CRON_NEVER)
			return;
		if (next <= at)
			die(text, "the next time is not later");
		at = next;
	}
}

int
main(int argc, char **argv)
{
	int			count = argc > 2 ? atoi(argv[2]) : 100000;

	state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	printf("seed %llu\n", (unsigned long long) state);
	state = state * UINT64CONST(0x9E3779B97F4A7C15) + 1;
	for (int i = 0; i < count; i++)
	{
		char		text[LONGEST + 1];

		strcpy(text, draw(10) == 0 ? "" : seeds[draw(lengthof(seeds))]);
		for (uint32 n = draw(8); n > 0; n--)
			damage(text);
		try(text);
	}
	printf("ok, %d texts\n", count);
	return 0;
}
