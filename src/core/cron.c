/*-------------------------------------------------------------------------
 *
 * cron.c
 *	  Parsing a schedule.
 *
 *	  [second] minute hour day-of-month month day-of-week
 *	  @yearly @annually @monthly @weekly @daily @midnight @hourly
 *	  @every 1h30m, @every 90 minutes, @every 1 day 02:00
 *
 * A field is a list of *, a, a-b, each with /step, as in Vixie cron; a/step
 * means from a on, as in robfig/cron, croniter and cron-parser.  Names of months
 * and weekdays have three letters, in any case.  ? is * in the fields for days;
 * L is the last day of the month; after a weekday, L means its last one, #n its
 * nth one in the month.  Sunday is 0 and 7.
 *
 * Nothing of the server is called: see cron.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/cron.h"

#define MAX_EVERY (INT64CONST(100) * 366 * 86400)
#define MAX_NUMBER 1000000000	/* larger ones are out of every range */

typedef struct FieldKind
{
	const char *name;
	int			min;
	int			max;
	const char *out_of_range;
	const char *names;			/* three letters each, from min on */
} FieldKind;

enum
{
	SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS
};

static const FieldKind fields[FIELDS] = {
	[SECOND] = {"second", 0, 59, "is not from 0 to 59", ""},
	[MINUTE] = {"minute", 0, 59, "is not from 0 to 59", ""},
	[HOUR] = {"hour", 0, 23, "is not from 0 to 23", ""},
	[DAY] = {"day of month", 1, 31, "is not from 1 to 31", ""},
	[MONTH] = {"month", 1, 12, "is not from 1 to 12", "janfebmaraprmayjunjulaugsepoctnovdec"},
	[WEEKDAY] = {"day of week", 0, 7, "is not from 0 to 7", "sunmontuewedthufrisat"},
};

typedef struct CronParser
{
	const char *text;
	const char *at;
	const FieldKind *field;
	GqCron	   *cron;
	GqCronError *error;
} CronParser;

/* one item of a field's list */
typedef struct ValueRange
{
	int			from;
	int			to;
	bool		names_sunday;	/* `to` was written as a name */
} ValueRange;

/* ---- characters ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool
is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool
ends_field(char c)
{
	return c == '\0' || is_space(c);
}

static void
skip_spaces(CronParser *p)
{
	while (is_space(*p->at))
		p->at++;
}

/* Step over a character, if it is the next one. */
static bool
take(CronParser *p, char c)
{
	if (lower(*p->at) != c)
		return false;
	p->at++;
	return true;
}

static bool
fail(CronParser *p, const char *at, const char *reason)
{
	p->error->position = at - p->text +1;
	p->error->field = p->field != NULL ? p->field->name : NULL;
	p->error->reason = reason;
	return false;
}

static bool
take_number(CronParser *p, int64 *value)
{
	if (!is_digit(*p->at))
		return false;
	for (*value = 0; is_digit(*p->at); p->at++)
		*value = *value < MAX_NUMBER ? *value * 10 + (*p->at - '0') : MAX_NUMBER;
	return true;
}

/* The word at this place, in lower case, is `word`, and ends there. */
static bool
take_word(CronParser *p, const char *word)
{
	const char *at = p->at;

	while (*word != '\0' && lower(*at) == *word)
	{
		at++;
		word++;
	}
	if (*word != '\0' || is_letter(*at))
		return false;
	p->at = at;
	return true;
}

/* ---- fields ---- */

/* A name of three letters; it may be followed by the L of "friL". */
static bool
take_name(CronParser *p, int *value)
{
	const char *names = p->field->names;

	for (int i = 0; names[i] != '\0'; i += 3)
	{
		if (lower(p->at[0]) == names[i] && lower(p->at[1]) == names[i + 1] &&
			lower(p->at[2]) == names[i + 2])
		{
			*value = p->field->min + i / 3;
			p->at += 3;
			return true;
		}
	}
	return false;
}

static bool
parse_value(CronParser *p, int *value, bool *named)
{
	const char *start = p->at;
	int64		number;

	*named = take_name(p, value);
	if (*named)
		return true;
	if (!take_number(p, &number))
	{
		if (ends_field(*start) || *start == ',')
			return fail(p, start, "lacks a value");
		if (is_letter(*start))
			return fail(p, start, p->field->names[0] != '\0' ?
						"has an unknown name (use three letters)" : "has a letter that means nothing here");
		return fail(p, start, "has a character that means nothing here");
	}
	if (number < p->field->min || number > p->field->max)
		return fail(p, start, p->field->out_of_range);
	*value = (int) number;
	return true;
}

static bool
parse_step(CronParser *p, int *step)
{
	const char *start = p->at;
	int64		number;

	*step = 1;
	if (!take(p, '/'))
		return true;
	if (!take_number(p, &number))
		return fail(p, start + 1, "lacks a number after /");
	if (number < 1 || number > p->field->max)
		return fail(p, start + 1, "has a step that never fits");
	*step = (int) number;
	return true;
}

static void
set_bits(CronParser *p, const ValueRange *item, int step)
{
	GqCron	   *cron = p->cron;
	uint64		bits = 0;

	for (int i = item->from; i <= item->to; i += step)
		bits |= UINT64CONST(1) << i;
	switch (p->field - fields)
	{
		case SECOND:
			cron->seconds |= bits;
			break;
		case MINUTE:
			cron->minutes |= bits;
			break;
		case HOUR:
			cron->hours |= (uint32) bits;
			break;
		case DAY:
			cron->days |= (uint32) bits;
			break;
		case MONTH:
			cron->months |= (uint32) bits;
			break;
		default:
			cron->weekdays |= (uint32) ((bits | bits >> 7) & 0x7f);
			break;
	}
}

/* What may follow a weekday: L, its last one in the month, or #n, its nth. */
static bool
parse_weekday_suffix(CronParser *p, int weekday, bool *found)
{
	const char *start = p->at;
	int64		n;

	*found = true;
	if (take(p, 'l'))
	{
		p->cron->nth[weekday % 7] |= 1;
		return true;
	}
	*found = take(p, '#');
	if (!*found)
		return true;
	if (!take_number(p, &n) || n < 1 || n > 5)
		return fail(p, start + 1, "lacks a number from 1 to 5 after #");
	p->cron->nth[weekday % 7] |= 1 << n;
	return true;
}

/* From a value on: a, a-b, a/step, a-b/step. */
static bool
parse_range(CronParser *p)
{
	const char *start = p->at;
	ValueRange	item;
	bool		named;
	bool		done;
	int			step;

	if (!parse_value(p, &item.from, &named))
		return false;
	item.to = item.from;
	if (p->field == &fields[WEEKDAY])
	{
		if (!parse_weekday_suffix(p, item.from, &done))
			return false;
		if (done)
			return true;
	}
	if (take(p, '-'))
	{
		if (!parse_value(p, &item.to, &item.names_sunday))
			return false;
		if (p->field == &fields[WEEKDAY] && item.names_sunday && item.to == 0 && item.from > 0)
			item.to = 7;		/* sat-sun */
		if (item.to < item.from)
			return fail(p, start, "has a range that ends before it begins");
	}
	else if (*p->at == '/')
		item.to = p->field == &fields[WEEKDAY] ? Max(6, item.from) : p->field->max;
	if (!parse_step(p, &step))
		return false;
	set_bits(p, &item, step);
	return true;
}

static bool
parse_item(CronParser *p)
{
	bool		is_day = p->field == &fields[DAY];

	if (take(p, '*'))
	{
		ValueRange	all = {p->field->min, p->field->max, false};
		int			step;

		if (p->field == &fields[WEEKDAY])
			all.to = 6;
		if (!parse_step(p, &step))
			return false;
		set_bits(p, &all, step);
		return true;
	}
	if ((is_day || p->field == &fields[WEEKDAY]) && take(p, '?'))
	{
		ValueRange	all = {p->field->min, is_day ? 31 : 6, false};

		set_bits(p, &all, 1);
		return true;
	}
	if (is_day && take(p, 'l'))
	{
		p->cron->last_day = true;
		return true;
	}
	return parse_range(p);
}

/*
 * What a field begins with decides, as in Vixie cron, whether days of month and
 * week are both to match, and whether the schedule follows the clock.
 */
static void
note_star(CronParser *p)
{
	bool		star = *p->at == '*' || *p->at == '?';

	switch (p->field - fields)
	{
		case DAY:
			p->cron->any_day = star;
			break;
		case WEEKDAY:
			p->cron->any_weekday = star;
			break;
		case MONTH:
			break;
		default:
			p->cron->follows_clock |= star;
			break;
	}
}

static bool
parse_field(CronParser *p, const FieldKind *field)
{
	p->field = field;
	note_star(p);
	do
	{
		if (!parse_item(p))
			return false;
	} while (take(p, ','));
	if (!ends_field(*p->at))
		return fail(p, p->at, "has a character that means nothing here");
	skip_spaces(p);
	return true;
}

/* Five fields, or six with the seconds first. */
static bool
parse_fields(CronParser *p)
{
	int			n = 0;
	int			first;

	for (const char *c = p->at; *c != '\0'; c++)
	{
		if (is_space(*c) || (n > 0 && !is_space(c[-1])))
			continue;
		if (++n > FIELDS)
			return fail(p, c, "is one field too many");
	}
	if (n < FIELDS - 1)
	{
		for (p->at = p->text; *p->at != '\0'; p->at++)
			;
		return fail(p, p->at, "is the end, but there must be five or six fields");
	}
	first = FIELDS - n;
	if (first == MINUTE)
		p->cron->seconds = 1;
	for (int i = first; i < FIELDS; i++)
	{
		if (!parse_field(p, &fields[i]))
			return false;
	}
	return true;
}

/* ---- words with @ ---- */

static const struct
{
	const char *word;
	const char *fields;
}			words[] = {
	{"yearly", "0 0 1 1 *"},
	{"annually", "0 0 1 1 *"},
	{"monthly", "0 0 1 * *"},
	{"weekly", "0 0 * * 0"},
	{"daily", "0 0 * * *"},
	{"midnight", "0 0 * * *"},
	{"hourly", "0 * * * *"},
};

static const struct
{
	const char *word;
	int			seconds;
}			units[] = {
	{"s", 1}, {"sec", 1}, {"secs", 1}, {"second", 1}, {"seconds", 1},
	{"m", 60}, {"min", 60}, {"mins", 60}, {"minute", 60}, {"minutes", 60},
	{"h", 3600}, {"hour", 3600}, {"hours", 3600},
	{"d", 86400}, {"day", 86400}, {"days", 86400},
	{"w", 604800}, {"week", 604800}, {"weeks", 604800},
};

/* hh:mm or hh:mm:ss, of which the hours are read already */
static bool
parse_clock(CronParser *p, int64 hours)
{
	int64		seconds = hours * 3600;

	for (int unit = 60; unit >= 1 && take(p, ':'); unit /= 60)
	{
		const char *start = p->at;
		int64		number;

		if (!take_number(p, &number) || number > 59)
			return fail(p, start, "is not from 0 to 59");
		seconds += number * unit;
	}
	p->cron->every += seconds;
	return true;
}

static bool
parse_unit(CronParser *p, int64 number)
{
	skip_spaces(p);
	for (int i = 0; i < (int) lengthof(units); i++)
	{
		if (take_word(p, units[i].word))
		{
			p->cron->every += number * units[i].seconds;
			return true;
		}
	}
	return fail(p, p->at, "is not a unit (use weeks, days, hours, minutes or seconds)");
}

static bool
parse_every(CronParser *p)
{
	const char *start;

	skip_spaces(p);
	start = p->at;
	do
	{
		const char *at = p->at;
		int64		number;

		if (!take_number(p, &number))
			return fail(p, at, "is not a number");
		if (*p->at == ':')
		{
			if (!parse_clock(p, number))
				return false;
		}
		else if (!parse_unit(p, number))
			return false;
		if (p->cron->every > MAX_EVERY)
			return fail(p, at, "makes it longer than 100 years");
		skip_spaces(p);
	} while (*p->at != '\0');
	if (p->cron->every == 0)
		return fail(p, start, "is shorter than a second");
	return true;
}

static bool
parse_word(CronParser *p)
{
	const char *start = p->at;

	p->at++;
	if (take_word(p, "every"))
		return parse_every(p);
	for (int i = 0; i < (int) lengthof(words); i++)
	{
		if (take_word(p, words[i].word))
		{
			skip_spaces(p);
			if (*p->at != '\0')
				return fail(p, p->at, "follows a word that stands alone");
			return gq_cron_parse(words[i].fields, p->cron, p->error);
		}
	}
	return fail(p, start, "is an unknown word (use @yearly, @monthly, @weekly, @daily, @hourly or @every)");
}

bool
gq_cron_parse(const char *text, GqCron *cron, GqCronError *error)
{
	CronParser	p;

	p.text = p.at = text;

	p.field = NULL;
	p.cron = cron;
	p.error = error;
	memset(cron, 0, sizeof(*cron));
	skip_spaces(&p);
	if (p.at[0] == '@')
		return parse_word(&p);
	return parse_fields(&p);
}
