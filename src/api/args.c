/*-------------------------------------------------------------------------
 *
 * args.c
 *	  Reading and checking the arguments of SQL-callable functions.
 *
 * Every error that a user's argument can cause has its text and SQLSTATE here,
 * so that all functions say the same thing of the same mistake.  An offending
 * value is shown through gq_detail() only: cut, and with its control
 * characters escaped, so that one event stays one line of the log.  Payloads
 * are never shown, only their sizes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/args.h"
#include "core/interval.h"

void
gq_err_null(const char *arg)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", arg),
			 errdetail("The value of \"%s\" is NULL.", arg),
			 errhint("Pass a value for \"%s\".", arg)));
}

/* The executor would refuse these; rule 8 of docs/design.md. */
void
gq_require_writable(const char *function)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s during recovery", function),
				 errdetail("This server is a standby."),
				 errhint("Connect to the primary server.")));
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s in a read-only transaction", function),
				 errdetail("The setting transaction_read_only is on."),
				 errhint("Begin the transaction with READ WRITE, and look at default_transaction_read_only.")));
	PreventCommandIfParallelMode(function);
}

char *
gq_check_type(text *value)
{
	char	   *type;
	int			len;

	if (value == NULL)
		gq_err_null("type");

	type = text_to_cstring(value);
	len = strlen(type);
	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("type of a task must not be empty"),
				 errdetail("The value of \"type\" is \"\"."),
				 errhint("Use a name of 1 to %d bytes.", GQ_MAX_TYPE_BYTES)));
	if (len > GQ_MAX_TYPE_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("type of a task is too long"),
				 errdetail("\"%s\" has %d bytes.", gq_detail(type), len),
				 errhint("Use a name of 1 to %d bytes.", GQ_MAX_TYPE_BYTES)));
	return type;
}

char *
gq_arg_type(FunctionCallInfo fcinfo, int n)
{
	return gq_check_type(PG_ARGISNULL(n) ? NULL : PG_GETARG_TEXT_PP(n));
}

char *
gq_check_name(const char *arg, text *value)
{
	char	   *name = text_to_cstring(value);
	int			len = strlen(name);

	if (len == 0 || len > GQ_MAX_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 len == 0 ?
				 errmsg("argument \"%s\" must not be empty", arg) :
				 errmsg("argument \"%s\" is too long", arg),
				 errdetail("\"%s\" has %d bytes.", gq_detail(name), len),
				 errhint("Use a name of 1 to %d bytes.", GQ_MAX_NAME_BYTES)));
	return name;
}

/* As SQL names an element of an array: ordering_keys[2]. */
static const char *
arg_name(const char *arg, int element)
{
	return element == 0 ? arg : psprintf("%s[%d]", arg, element);
}

void
gq_check_key(const char *arg, int element, text *value)
{
	int			len = VARSIZE_ANY_EXHDR(value);

	if (len > GQ_MAX_KEY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is too long", arg_name(arg, element)),
				 errdetail("\"%s\" has %d bytes.", gq_detail(text_to_cstring(value)), len),
				 errhint("Use at most %d bytes, a hash of a longer key for instance.", GQ_MAX_KEY_BYTES)));
}

char *
gq_interval_text(Interval *value)
{
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(value)));
}

int64
gq_check_interval(const char *arg, Interval *value, bool zero_allowed)
{
	int64		usecs = gq_interval_usecs(value);

	if (usecs < 0 || (usecs == 0 && !zero_allowed))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 zero_allowed ?
				 errmsg("argument \"%s\" must not be negative", arg) :
				 errmsg("argument \"%s\" must be positive", arg),
				 errdetail("The value of \"%s\" is %s.", arg, gq_interval_text(value)),
				 errhint("Use an interval such as '30 s'.")));
	/* 1,200 months of 30 days are less than 100 years */
	if (usecs > GQ_MAX_INTERVAL_USECS || value->month > 100 * MONTHS_PER_YEAR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is too large", arg),
				 errdetail("The value of \"%s\" is %s.", arg, gq_interval_text(value)),
				 errhint("Use at most 100 years.")));
	return usecs;
}

TimestampTz
gq_check_timestamp(const char *arg, TimestampTz value)
{
	if (TIMESTAMP_NOT_FINITE(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be finite", arg),
				 errdetail("The value of \"%s\" is %s.", arg, timestamptz_to_str(value)),
				 errhint("Use a point in time.")));
	return value;
}

int32
gq_check_range(const char *arg, int64 value, int64 min, int64 max)
{
	Assert(min >= PG_INT32_MIN && max <= PG_INT32_MAX);

	if (value < min || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is out of range", arg),
				 errdetail("The value of \"%s\" is %lld.", arg, (long long) value),
				 errhint("Use a value from %lld to %lld.", (long long) min, (long long) max)));
	return (int32) value;
}

static char *
word_list(const char *const *words)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; words[i] != NULL; i++)
		appendStringInfo(&buf, "%s'%s'", i == 0 ? "" : ", ", words[i]);
	return buf.data;
}

int
gq_check_word(const char *arg, text *value, const char *const *words)
{
	char	   *word;

	if (value == NULL)
		gq_err_null(arg);

	word = text_to_cstring(value);
	for (int i = 0; words[i] != NULL; i++)
	{
		if (strcmp(word, words[i]) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" has an unknown value", arg),
			 errdetail("The value of \"%s\" is \"%s\".", arg, gq_detail(word)),
			 errhint("Use one of %s.", word_list(words))));
}

static void
refuse_null_element(const char *arg, int position)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not contain nulls", arg),
			 errdetail("Element %d of \"%s\" is NULL.", position, arg),
			 errhint("Leave the element out, or pass a value.")));
}

int
gq_check_array(const char *arg, ArrayType *value, bool nulls_allowed,
			   Datum **elements, bool **nulls)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;
	bool	   *isnull;
	int			n;

	if (value == NULL)
		gq_err_null(arg);
	if (ARR_NDIM(value) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a one-dimensional array", arg),
				 errdetail("It has %d dimensions.", ARR_NDIM(value)),
				 errhint("Pass a plain list of values.")));

	get_typlenbyvalalign(ARR_ELEMTYPE(value), &typlen, &typbyval, &typalign);
	deconstruct_array(value, ARR_ELEMTYPE(value), typlen, typbyval, typalign,
					  elements, &isnull, &n);
	for (int i = 0; !nulls_allowed && i < n; i++)
	{
		if (isnull[i])
			refuse_null_element(arg, i + 1);
	}
	if (nulls != NULL)
		*nulls = isnull;
	return n;
}

void
gq_check_lengths(const char *arg1, int n1, const char *arg2, int n2)
{
	if (n1 != n2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"%s\" and \"%s\" must be of the same length", arg1, arg2),
				 errdetail("The length of \"%s\" is %d, that of \"%s\" is %d.", arg1, n1, arg2, n2),
				 errhint("Pass one element of \"%s\" for each of \"%s\".", arg2, arg1)));
}
