/*
 * replay.c
 *	  Compare goque's schedules with what cron libraries answered.
 *
 *	  gzip -dc record.gz | replay
 *
 * The record is made by record.py, which says what its columns are.  Prints each
 * case where we differ from what Vixie cron would do, and a summary in which a
 * library counts only where it takes the expression.  Exit code 0: no case.
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/cron.h"

#undef printf
#undef fprintf
#undef sprintf

#define MAX_ZONES 16
#define MAX_CHANGES 256
#define LIBRARIES 4

typedef struct Zone
{
	char		name[64];
	int			n;
	int64		at[MAX_CHANGES];
	int			offset[MAX_CHANGES];
} Zone;

static Zone zones[MAX_ZONES];
static int	nzones;

static const char *const libraries[LIBRARIES] = {"cronsim", "croniter", "cron-parser", "robfig"};
static int	agreed[LIBRARIES];
static int	taken[LIBRARIES];
static int	unanimous;
static int	wrong;

static int64
next_change(const void *arg, int64 at, int *offset, int *offset_after)
{
	const Zone *zone = arg;
	int			i;

	for (i = zone->n - 1; i > 0 && zone->at[i] > at; i--)
		;
	*offset = *offset_after = zone->offset[i];
	if (i == zone->n - 1)
		return GQ_CRON_NEVER;
	*offset_after = zone->offset[i + 1];
	return zone->at[i + 1];
}

static void
read_zone(char *name, char *changes)
{
	Zone	   *zone = &zones[nzones++];

	strcpy(zone->name, name);
	for (char *c = strtok(changes, " \n"); c != NULL; c = strtok(NULL, " \n"))
	{
		long long	at;

		sscanf(c, "%lld:%d", &at, &zone->offset[zone->n]);
		zone->at[zone->n++] = at;
	}
}

static const Zone *
find_zone(const char *name)
{
	for (int i = 0; i < nzones; i++)
		if (strcmp(zones[i].name, name) == 0)
			return &zones[i];
	fprintf(stderr, "no zone %s\n", name);
	exit(2);
}

/* "x": refused, "-": never, else seconds after `at` */
static void
answer(const char *text, const Zone *zone, int64 at, char *result)
{
	GqCron		cron;
	GqCronError error;
	GqCronZone	z = {next_change, zone};
	int64		next;

	if (!gq_cron_parse(text, &cron, &error))
	{
		strcpy(result, "x");
		return;
	}
	next = gq_cron_next(&cron, at, 0, &z);
	if (next == GQ_CRON_NEVER)
		strcpy(result, "-");
	else
		sprintf(result, "%lld", (long long) (next - at));
}

/* Split a line at its tabs; returns the number of fields. */
static int
split(char *line, char **fields, int max)
{
	int			n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < max && line != NULL)
	{
		fields[n++] = line;
		line = strchr(line, '\t');
		if (line != NULL)
			*line++ = '\0';
	}
	return n;
}

/* case, expression, zone, instant, Vixie's answer, the libraries', why they differ */
static void
check_case(char **field)
{
	char		ours[32];
	bool		all = true;

	answer(field[1], find_zone(field[2]), atoll(field[3]), ours);
	if (strcmp(ours, field[4]) != 0)
	{
		wrong++;
		printf("not ok: \"%s\" in %s after %s: %s and not %s\n", field[1], field[2], field[3], ours, field[4]);
	}
	for (int i = 0; i < LIBRARIES; i++)
	{
		const char *theirs = field[5 + i];

		if (strcmp(theirs, "x") == 0)
			continue;
		taken[i]++;
		if (strcmp(theirs, "=") == 0)
			agreed[i]++;
		else
			all = false;
	}
	unanimous += all;
}

/* The examples of docs/reference.md for daylight saving time, in Europe/Berlin: from
 * an hour before the clock is changed to 03:30 by the new one. */
static const struct
{
	const char *text;
	const char *march;
	const char *october;
}			examples[] = {
	{"30 2 * * *", " 03:00", " 02:30"},
	{"0,30 2,3 * * *", " 03:00 03:30", " 02:00 02:30 03:00 03:30"},
	{"*/30 * * * *", " 01:00 01:30 03:00 03:30", " 02:00 02:30 02:00 02:30 03:00 03:30"},
	{"0 * * * *", " 01:00 03:00", " 02:00 02:00 03:00"},
	{"*/30 2 * * *", "", " 02:00 02:30 02:00 02:30"},
};

static void
check_example(const char *text, const char *expected, int64 change, int64 end)
{
	const Zone *berlin = find_zone("Europe/Berlin");
	GqCronZone	z = {next_change, berlin};
	GqCron		cron;
	GqCronError error;
	char		times[128] = "";
	int64		at = change - 3600 - 1;

	if (!gq_cron_parse(text, &cron, &error))
		wrong++;
	while ((at = gq_cron_next(&cron, at, 0, &z)) <= end && at != GQ_CRON_NEVER)
	{
		int			offset;
		int			after;
		int			minute;

		(void) next_change(berlin, at, &offset, &after);
		minute = (int) ((at + offset) / 60 % 1440);
		sprintf(times + strlen(times), " %02d:%02d", minute / 60, minute % 60);
	}
	if (strcmp(times, expected) == 0)
		return;
	wrong++;
	printf("not ok: \"%s\" in the manual:%s and not%s\n", text, times, expected);
}

static void
check_manual(void)
{
	int64		march = 1774746000; /* 2026-03-29 01:00 UTC */
	int64		october = 1792890000;	/* 2026-10-25 01:00 UTC */

	for (int i = 0; i < (int) lengthof(examples); i++)
	{
		check_example(examples[i].text, examples[i].march, march, march + 1800);
		check_example(examples[i].text, examples[i].october, october, october + 5400);
	}
}

int
main(void)
{
	static char line[65536];
	int			cases = 0;

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		char	   *field[10] = {NULL};
		int			n = split(line, field, 10);

		if (n == 3 && strcmp(field[0], "zone") == 0)
			read_zone(field[1], field[2]);
		else if (n == 10 && strcmp(field[0], "case") == 0)
		{
			check_case(field);
			cases++;
		}
		else
		{
			fprintf(stderr, "malformed line of %d fields\n", n);
			return 2;
		}
	}
	check_manual();
	printf("%d cases, %d wrong, all libraries agree in %d\n", cases, wrong, unanimous);
	for (int i = 0; i < LIBRARIES; i++)
		printf("%s: %d of %d\n", libraries[i], agreed[i], taken[i]);
	return wrong > 0 || cases == 0;
}
