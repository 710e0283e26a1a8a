/*
 * sql.c: the contender's SQL files, with :name for values, and connections.
 *
 * A statement is prepared once per connection and run with bound values, as a
 * program in production would.  With BENCH_SIMPLE=1 it is parsed and planned
 * anew at each call (an unnamed prepared statement).
 */
#include "driver.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const variable_names[VAR_COUNT] = {
	"payload", "payloads", "n", "type", "priority", "key", "lease", "id", "ids", "token", "tokens"
};

static const char *const statement_names[STATEMENT_COUNT] = {
	"add", "add_batch", "fetch", "fetch_batch", "complete", "complete_batch", "fail"
};

static struct
{
	char	   *text;			/* with $1, $2 ...; NULL: the contender has no such file */
	int			n;
	enum variable params[VAR_COUNT];
}			statements[STATEMENT_COUNT];

static char *
read_file(enum statement s)
{
	char		path[4096];
	FILE	   *f;
	char	   *text;
	size_t		len;

	snprintf(path, sizeof(path), "%s/%s.sql", opt.sql, statement_names[s]);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	text = calloc(1, 65536);
	len = fread(text, 1, 65535, f);
	fclose(f);
	while (len > 0 && (isspace((unsigned char) text[len - 1]) || text[len - 1] == ';'))
		text[--len] = 0;
	return text;
}

static int
param_number(enum statement s, enum variable v)
{
	for (int i = 0; i < statements[s].n; i++)
		if (statements[s].params[i] == v)
			return i + 1;
	statements[s].params[statements[s].n++] = v;
	return statements[s].n;
}

static int
find_variable(const char *name, size_t len)
{
	for (int v = 0; v < VAR_COUNT; v++)
		if (strlen(variable_names[v]) == len && strncmp(variable_names[v], name, len) == 0)
			return v;
	return -1;
}

/* :name becomes $n.  Not after a colon, so that a cast stays one. */
static void
parse(enum statement s, const char *from)
{
	char	   *to = statements[s].text = calloc(1, 2 * strlen(from) + 1);

	for (char before = 0; *from; before = *from++)
	{
		size_t		len = 0;
		int			v;

		if (*from == ':' && before != ':')
			while (isalpha((unsigned char) from[len + 1]))
				len++;
		if (len == 0)
		{
			*to++ = *from;
			continue;
		}
		v = find_variable(from + 1, len);
		if (v < 0)
		{
			fprintf(stderr, "driver: %s.sql names an unknown value: %.30s\n", statement_names[s], from);
			exit(1);
		}
		to += sprintf(to, "$%d", param_number(s, v));
		from += len;
	}
}

void
sql_load(void)
{
	for (int s = 0; s < STATEMENT_COUNT; s++)
	{
		char	   *text = read_file(s);

		if (text)
			parse(s, text);
		free(text);
	}
}

bool
sql_has(enum statement s)
{
	return statements[s].text != NULL;
}

void
client_set(struct client *c, enum variable v, long value)
{
	snprintf(c->number[v], sizeof(c->number[v]), "%ld", value);
	c->values[v] = c->number[v];
}

bool
client_connect(struct client *c)
{
	if (c->conn)
		PQfinish(c->conn);
	memset(c->prepared, 0, sizeof(c->prepared));
	c->conn = PQconnectdb("");
	return PQstatus(c->conn) == CONNECTION_OK;
}

/* NULL: it failed, and has been reported. */
PGresult *
client_run(struct client *c, enum statement s)
{
	const char *values[VAR_COUNT];
	PGresult   *r;
	int			n = statements[s].n;

	for (int i = 0; i < n; i++)
		values[i] = c->values[statements[s].params[i]];

	if (!opt.simple && !c->prepared[s])
	{
		r = PQprepare(c->conn, statement_names[s], statements[s].text, 0, NULL);
		c->prepared[s] = PQresultStatus(r) == PGRES_COMMAND_OK;
		if (!c->prepared[s])
			complain(statement_names[s], c->conn);
		PQclear(r);
	}
	if (opt.simple)
		r = PQexecParams(c->conn, statements[s].text, n, NULL, values, NULL, NULL, 0);
	else
		r = PQexecPrepared(c->conn, statement_names[s], n, values, NULL, NULL, 0);
	if (PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK)
		return r;
	complain(statement_names[s], c->conn);
	PQclear(r);
	return NULL;
}
