/*-------------------------------------------------------------------------
 *
 * detail.c
 *	  A user's value, fit to be shown in the detail of an error.
 *
 * Cut, since it may be long, and with control characters escaped, so that one error
 * stays one line of the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "core/detail.h"
#include "goque.h"

static void
append_escaped(StringInfo buf, unsigned char c)
{
	switch (c)
	{
		case '\n':
			appendStringInfoString(buf, "\\n");
			break;
		case '\r':
			appendStringInfoString(buf, "\\r");
			break;
		case '\t':
			appendStringInfoString(buf, "\\t");
			break;
		default:
			appendStringInfo(buf, "\\x%02x", c);
	}
}

char *
gq_detail(const char *value)
{
	int			len = strlen(value);
	int			cut = pg_mbcharcliplen(value, len, GQ_DETAIL_CHARS);
	StringInfoData buf;

	/* in a server encoding, no byte of a longer character looks like ASCII */
	initStringInfo(&buf);
	for (int i = 0; i < cut; i++)
	{
		unsigned char c = (unsigned char) value[i];

		if (c < 0x20 || c == 0x7f)
			append_escaped(&buf, c);
		else
			appendStringInfoChar(&buf, (char) c);
	}
	if (cut < len)
		appendStringInfoString(&buf, "...");
	return buf.data;
}
