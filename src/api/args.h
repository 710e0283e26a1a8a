/*-------------------------------------------------------------------------
 *
 * args.h
 *	  Reading and checking the arguments of SQL-callable functions; the text
 *	  and SQLSTATE of every error that a user's argument can cause.
 *
 * `arg` is the argument's SQL name, for the message.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_API_ARGS_H
#define GOQUE_API_ARGS_H

#include "fmgr.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "core/detail.h"
#include "goque.h"

/* 22004 */
extern void gq_err_null(const char *arg);

/* 25006 on a standby or in a read-only transaction, before anything changed;
 * also refuses parallel workers.  `function` as in "goque_add()". */
extern void gq_require_writable(const char *function);

/* A type's name: not null, 1 to 128 bytes.  Palloc'd, NUL-terminated. */
extern char *gq_check_type(text *value);
extern char *gq_arg_type(FunctionCallInfo fcinfo, int n);

/* A name that is not a type: 1 to 128 bytes.  Palloc'd, NUL-terminated. */
extern char *gq_check_name(const char *arg, text *value);

/* external_id, ordering_key: at most 1024 bytes.  In an array it is the element
 * of this number (from 1), else 0. */
extern void gq_check_key(const char *arg, int element, text *value);

/* As it is shown in a detail.  Palloc'd. */
extern char *gq_interval_text(Interval *value);

/* Microseconds of an interval (a month counts 30 days): 22023 when it is
 * infinite, negative, or zero where it must be positive, or beyond 100 years. */
extern int64 gq_check_interval(const char *arg, Interval *value, bool zero_allowed);

/* 22023 unless finite */
extern TimestampTz gq_check_timestamp(const char *arg, TimestampTz value);

/* 22023 outside [min, max] */
extern int32 gq_check_range(const char *arg, int64 value, int64 min, int64 max);

/* Index of value in a NULL-terminated list of words; 22023 with the list as hint. */
extern int	gq_check_word(const char *arg, text *value, const char *const *words);

/* Elements of an array: at most one dimension (22023), any lower bound.  With
 * nulls_allowed false a NULL element is 22004, and `nulls` may be NULL.
 * Returns the count. */
extern int	gq_check_array(const char *arg, ArrayType *value, bool nulls_allowed,
						   Datum **elements, bool **nulls);

/* Two arrays that belong together: 22023 unless of the same length. */
extern void gq_check_lengths(const char *arg1, int n1, const char *arg2, int n2);

#endif							/* GOQUE_API_ARGS_H */
