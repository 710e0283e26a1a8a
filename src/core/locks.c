/*-------------------------------------------------------------------------
 *
 * locks.c
 *	  Keys that this transaction holds: external ids, ordering keys.
 *
 * A call takes all keys that it needs at once, sorted, so that two calls do not
 * deadlock (rule 6 of docs/design.md); see store/key_locks.c for what a lock is.
 * What is held is known here, in TopTransactionContext, with the
 * (sub)transaction that took it: a key is taken once in a transaction, however
 * often it is needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "core/locks.h"

/* kind, length of the type, type, key */
typedef struct HeldName
{
	char	   *bytes;
	Size		len;
} HeldName;

typedef struct Held
{
	HeldName	name;			/* the hash key */
	TransactionId taken_by;
} Held;

static HTAB *held_locks;

/* ---- what is held ---- */

static uint32
hash_name(const void *key, Size keysize)
{
	const HeldName *name = key;

	return hash_bytes((const unsigned char *) name->bytes, (int) name->len);
}

static int
match_names(const void *a, const void *b, Size keysize)
{
	const HeldName *x = a;
	const HeldName *y = b;

	return x->len == y->len ? memcmp(x->bytes, y->bytes, x->len) : 1;
}

static HeldName
name_of(const GqKeyLock *lock)
{
	text	   *type = DatumGetTextPP(lock->type);
	text	   *key = DatumGetTextPP(lock->key);
	Size		type_len = VARSIZE_ANY_EXHDR(type);
	Size		key_len = VARSIZE_ANY_EXHDR(key);
	HeldName	name;
	char	   *p;

	name.len = 1 + 1 + type_len + key_len;
	name.bytes = p = palloc(name.len);
	*p++ = (char) lock->kind;
	*p++ = (char) type_len;		/* GQ_MAX_TYPE_BYTES */
	memcpy(p, VARDATA_ANY(type), type_len);
	memcpy(p + type_len, VARDATA_ANY(key), key_len);
	return name;
}

static void
make_table(void)
{
	HASHCTL		ctl = {.keysize = sizeof(HeldName),.entrysize = sizeof(Held),
	.hash = hash_name,.match = match_names,.hcxt = TopTransactionContext};

	held_locks = hash_create("goque locks", 64, &ctl,
							 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

bool
gq_locks_hold(const GqKeyLock *lock)
{
	HeldName	name;
	const Held *held;

	if (held_locks == NULL)
		return false;
	name = name_of(lock);
	held = hash_search(held_locks, &name, HASH_FIND, NULL);
	pfree(name.bytes);
	/* what an aborted subtransaction took is free again */
	return held != NULL && TransactionIdIsCurrentTransactionId(held->taken_by);
}

static void
remember(const GqKeyLock *lock)
{
	TransactionId taken_by = GetCurrentTransactionId();
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	HeldName	name = name_of(lock);
	Held	   *held;
	bool		found;

	if (held_locks == NULL)
		make_table();
	/* last: an entry stays, should there be no memory for the rest of it */
	held = hash_search(held_locks, &name, HASH_ENTER, &found);
	held->taken_by = taken_by;
	if (found)
		pfree(name.bytes);
	MemoryContextSwitchTo(old);
}

bool
gq_locks_taken(void)
{
	return held_locks != NULL;
}

void
gq_locks_forget(void)
{
	held_locks = NULL;			/* its memory goes with the transaction */
}

/* ---- taking ---- */

static int
compare_texts(Datum a, Datum b)
{
	return DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID, a, b));
}

int
gq_locks_compare(const void *a, const void *b)
{
	const GqKeyLock *x = a;
	const GqKeyLock *y = b;
	int			cmp;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	cmp = compare_texts(x->type, y->type);
	return cmp != 0 ? cmp : compare_texts(x->key, y->key);
}

void
gq_locks_take(const GqKeyLock *locks, int64 n)
{
	GqKeyLock  *sorted;
	int64		count = 0;

	if (n == 0)
		return;
	sorted = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(GqKeyLock) * n);
	for (int64 i = 0; i < n; i++)
		if (!gq_locks_hold(&locks[i]))
			sorted[count++] = locks[i];
	qsort(sorted, count, sizeof(GqKeyLock), gq_locks_compare);
	n = count;
	count = 0;
	for (int64 i = 0; i < n; i++)
		if (i == 0 || gq_locks_compare(&sorted[count - 1], &sorted[i]) != 0)
			sorted[count++] = sorted[i];
	gq_key_locks_take(sorted, count);
	for (int64 i = 0; i < count; i++)
		remember(&sorted[i]);
	pfree(sorted);
}

bool
gq_locks_try(const GqKeyLock *lock)
{
	if (gq_locks_hold(lock))
		return true;
	if (!gq_key_locks_try(lock))
		return false;
	remember(lock);
	return true;
}
