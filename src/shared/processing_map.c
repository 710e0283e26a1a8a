/*-------------------------------------------------------------------------
 *
 * processing_map.c
 *	  In which parts of the generations there may be tasks in processing.
 *
 * No index tells tasks in processing from others, or a claim could not be a HOT
 * update.  Among millions of tasks they are found by this map instead: it has two
 * bits for each segment of GQ_SEGMENT_BLOCKS pages.  CLEAN says that no snapshot
 * which the map is for sees a task in processing there; WATCHED, that nobody has
 * written one since the keeper began to read the segment.
 *
 * Who writes a version of a row that says "processing" takes both bits away after
 * that and before the commit.  The keeper sets WATCHED, reads the segment, and sets
 * CLEAN if WATCHED is still there: if it did not see a version, its writer comes
 * later and takes the bits away.  So a bit that is lost costs time, and none is set
 * that should not be.  All bits are zero at first.
 *
 * Segments share bits beyond the size of the map: they become clean together.
 *
 * Maps are given to installations by their keepers, and taken from those whose
 * database has goque no more.  Where there is none, or it is of another file (the
 * table was truncated or rewritten), or it is for younger snapshots, the reader
 * reads the whole table.
 *
 * Locks: gq_shared->maps_lock for who has which map; atomics for the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"

#include "shared/databases.h"
#include "shared/processing_map.h"
#include "shared/shmem.h"

#define MAPPED_INSTALLATIONS 8
#define SEGMENTS_A_WORD 16

#define CLEAN 1u
#define WATCHED 2u

struct GqProcessingMap
{
	pg_atomic_uint32 file;		/* InvalidOid: not known */
	pg_atomic_uint64 horizon;	/* a FullTransactionId */
	pg_atomic_uint32 words[GQ_MAP_SEGMENTS / SEGMENTS_A_WORD];
};

typedef struct Maps
{
	Oid			database;		/* InvalidOid: free */
	Oid			instance;
	GqProcessingMap generations[GQ_GENERATIONS];
} Maps;

static Maps *all_maps = NULL;

Size
gq_processing_map_shmem_size(void)
{
	return mul_size(sizeof(Maps), MAPPED_INSTALLATIONS);
}

static void
forget(GqProcessingMap *map)
{
	pg_atomic_write_u32(&map->file, InvalidOid);
	pg_memory_barrier();
	pg_atomic_write_u64(&map->horizon, 0);
	for (int i = 0; i < GQ_MAP_SEGMENTS / SEGMENTS_A_WORD; i++)
		pg_atomic_write_u32(&map->words[i], 0);
	pg_memory_barrier();
}

static void
init_map(GqProcessingMap *map)
{
	pg_atomic_init_u32(&map->file, InvalidOid);
	pg_atomic_init_u64(&map->horizon, 0);
	for (int i = 0; i < GQ_MAP_SEGMENTS / SEGMENTS_A_WORD; i++)
		pg_atomic_init_u32(&map->words[i], 0);
}

void
gq_processing_map_shmem_init(void)
{
	bool		found;

	all_maps = ShmemInitStruct("goque processing maps", gq_processing_map_shmem_size(), &found);
	if (found)
		return;
	for (int i = 0; i < MAPPED_INSTALLATIONS; i++)
	{
		all_maps[i].database = InvalidOid;
		for (int g = 0; g < GQ_GENERATIONS; g++)
			init_map(&all_maps[i].generations[g]);
	}
}

/* ---- who has which ---- */

static bool
is_of(const Maps *maps, Oid instance)
{
	return maps->database == MyDatabaseId && maps->instance == instance;
}

/*
 * Without a lock: maps that are taken away meanwhile lose a bit that their next
 * owner sets again, and who does not find those that are being given is seen by the
 * keeper that gives them.
 */
GqProcessingMap *
gq_processing_map(Oid instance, int generation)
{
	static Maps *mine = NULL;

	if (gq_shared == NULL)
		return NULL;
	pg_memory_barrier();
	if (mine == NULL || !is_of(mine, instance))
	{
		mine = NULL;
		for (int i = 0; i < MAPPED_INSTALLATIONS && mine == NULL; i++)
			if (is_of(&all_maps[i], instance))
				mine = &all_maps[i];
	}
	return mine != NULL ? &mine->generations[generation] : NULL;
}

static bool
has_goque(Oid database, const GqDatabaseInfo *databases, int n)
{
	for (int i = 0; i < n; i++)
		if (databases[i].database == database)
			return databases[i].state == GQ_DATABASE_WITH;
	return false;
}

/* Those of this database's last installation, or free ones: there are free ones
 * behind all others.  Else those of a database without goque. */
static Maps *
choose(const GqDatabaseInfo *databases, int n)
{
	Maps	   *chosen = NULL;

	for (int i = 0; i < MAPPED_INSTALLATIONS; i++)
	{
		Maps	   *maps = &all_maps[i];

		if (!OidIsValid(maps->database) || maps->database == MyDatabaseId)
			return maps;
		if (!has_goque(maps->database, databases, n))
			chosen = maps;
	}
	return chosen;
}

void
gq_processing_map_assign(Oid instance)
{
	int			n;
	GqDatabaseInfo *databases;
	Maps	   *maps;

	if (gq_shared == NULL || gq_processing_map(instance, 0) != NULL)
		return;
	databases = gq_databases(&n);
	LWLockAcquire(gq_shared->maps_lock, LW_EXCLUSIVE);
	maps = choose(databases, n);
	if (maps != NULL)
	{
		maps->database = InvalidOid;
		for (int g = 0; g < GQ_GENERATIONS; g++)
			forget(&maps->generations[g]);
		maps->instance = instance;
		pg_write_barrier();
		maps->database = MyDatabaseId;
	}
	LWLockRelease(gq_shared->maps_lock);
	pfree(databases);
}

/* ---- bits ---- */

static pg_atomic_uint32 *
word_of(GqProcessingMap *map, BlockNumber segment)
{
	return &map->words[segment % GQ_MAP_SEGMENTS / SEGMENTS_A_WORD];
}

static int
shift_of(BlockNumber segment)
{
	return segment % SEGMENTS_A_WORD * 2;
}

void
gq_processing_map_note(GqProcessingMap *map, BlockNumber block)
{
	BlockNumber segment = block / GQ_SEGMENT_BLOCKS;
	uint32		bits = (CLEAN | WATCHED) << shift_of(segment);
	pg_atomic_uint32 *word = word_of(map, segment);

	/* the row first */
	pg_memory_barrier();
	if ((pg_atomic_read_u32(word) & bits) != 0)
		(void) pg_atomic_fetch_and_u32(word, ~bits);
}

void
gq_processing_map_forget(GqProcessingMap *map)
{
	pg_memory_barrier();
	pg_atomic_write_u32(&map->file, InvalidOid);
}

bool
gq_processing_map_begin(GqProcessingMap *map, Oid file)
{
	if (pg_atomic_read_u32(&map->file) == file)
		return false;
	forget(map);
	pg_atomic_write_u32(&map->file, file);
	return true;
}

void
gq_processing_map_raise(GqProcessingMap *map, FullTransactionId horizon)
{
	uint64		value = U64FromFullTransactionId(horizon);

	if (value > pg_atomic_read_u64(&map->horizon))
		pg_atomic_write_u64(&map->horizon, value);
	pg_memory_barrier();
}

void
gq_processing_map_watch(GqProcessingMap *map, BlockNumber segment)
{
	(void) pg_atomic_fetch_or_u32(word_of(map, segment), WATCHED << shift_of(segment));
	pg_memory_barrier();
}

void
gq_processing_map_clean(GqProcessingMap *map, BlockNumber segment)
{
	pg_atomic_uint32 *word = word_of(map, segment);
	uint32		bits = pg_atomic_read_u32(word);

	while ((bits & (WATCHED << shift_of(segment))) != 0 &&
		   !pg_atomic_compare_exchange_u32(word, &bits, bits | (CLEAN << shift_of(segment))))
		;
}

bool
gq_processing_map_is_dirty(const GqProcessingMap *map, BlockNumber segment)
{
	return (pg_atomic_read_u32(word_of(unconstify(GqProcessingMap *, map), segment)) &
			(CLEAN << shift_of(segment))) == 0;
}

bool
gq_processing_map_holds(GqProcessingMap *map, Oid file, FullTransactionId xmin)
{
	pg_memory_barrier();
	return pg_atomic_read_u32(&map->file) == file &&
		pg_atomic_read_u64(&map->horizon) <= U64FromFullTransactionId(xmin);
}
