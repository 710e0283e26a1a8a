/*-------------------------------------------------------------------------
 *
 * disconnect.c
 *	  Ending this session's leases when it ends: goque.release_on_disconnect.
 *
 * While the setting is on, the session remembers the leases that it began, by
 * their tokens.  When it ends, in whatever way a callback is run (a kill -9 of
 * this process is none; the server restarts), it marks those that still hold in
 * shared memory and wakes the keeper, which ends them as it ends leases whose
 * time is over.  The mark is for one token: a task that was given back and
 * fetched by somebody else is not concerned.
 *
 * The list may stand for too much: a claim that was rolled back, a lease that was
 * ended.  Shared memory knows which of them hold, so the list is thinned out by
 * that whenever it is full, and stays as large as what the session holds at a
 * time.  A lease that shared memory has no room for ends at its time.
 *
 * The callback is one of on_shmem_exit, since those run after the session's open
 * transaction was rolled back: only then the rows are free for the keeper.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "core/disconnect.h"
#include "shared/databases.h"
#include "shared/leases.h"

#define MIN_ROOM 64

typedef struct OwnLease
{
	Oid			instance;
	int64		id;
	int64		token;
} OwnLease;

static OwnLease *own;			/* in TopMemoryContext */
static int64 nown;
static int64 room;

static void
end_own_leases(int code, Datum arg)
{
	bool		any = false;

	for (int64 i = 0; i < nown; i++)
		any |= gq_lease_session_ended(own[i].instance, own[i].id, own[i].token);
	if (any)
		gq_database_due(MyDatabaseId, GQ_DUE_AT_ONCE);
}

static void
thin_out(void)
{
	int64		kept = 0;

	for (int64 i = 0; i < nown; i++)
		if (gq_lease_is_known(own[i].instance, own[i].id, own[i].token))
			own[kept++] = own[i];
	nown = kept;
}

static void
make_room(void)
{
	if (own == NULL)
	{
		own = MemoryContextAlloc(TopMemoryContext, sizeof(OwnLease) * MIN_ROOM);
		room = MIN_ROOM;
		on_shmem_exit(end_own_leases, (Datum) 0);
		return;
	}
	thin_out();
	if (nown < room / 2)
		return;
	own = repalloc_huge(own, sizeof(OwnLease) * room * 2);
	room *= 2;
}

void
gq_disconnect_note(Oid instance, int64 id, int64 token)
{
	if (nown == room)
		make_room();
	own[nown++] = (OwnLease)
	{
		instance, id, token
	};
}
