/*-------------------------------------------------------------------------
 *
 * retain.c
 *	  Retention, and the turning of the ring.
 *
 * A finished task is kept until finished_at plus its type's retention.  In a
 * small generation, tasks past that are deleted one by one.  A large one is
 * left alone until few of its tasks are needed: these are moved to the current
 * generation, and a minute later the table is truncated.  So the retention of
 * a busy queue costs neither DELETE nor VACUUM.
 *
 * The next generation becomes current when it is empty and the current one has
 * been in use for a while.  If the next one is not empty (retention is longer
 * than the ring's turn, or readers hold it), the current one grows meanwhile.
 *
 * Nothing in an old generation comes to life: a task that is retried moves to
 * the current one.  So if a scan that began when nobody was writing finds no
 * task that is needed, none will be.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/change.h"
#include "core/counts.h"
#include "core/installation.h"
#include "core/maintain.h"
#include "core/xact.h"
#include "guc.h"
#include "shared/shmem.h"
#include "store/fetch_log.h"
#include "store/key_locks.h"
#include "store/quarantine.h"
#include "store/rotate.h"

#define SMALL_PAGES (64 * 1024 * 1024 / BLCKSZ) /* deleted from, row by row */
#define ROTATE_PAGES (8 * 1024 * 1024 / BLCKSZ) /* worth a turn of the ring */
#define ROTATE_NOW_PAGES (256 * 1024 * 1024 / BLCKSZ)	/* ... as soon as may be */
#define MIN_PERIOD (60 * USECS_PER_SEC)
#define MAX_PERIOD USECS_PER_DAY
/* from the last needed task to TRUNCATE: rule 4 of docs/design.md */
#define QUARANTINE (60 * USECS_PER_SEC)
#define LARGE_SCAN_INTERVAL (300 * USECS_PER_SEC)
#define BATCH 10000				/* rows changed in one transaction of the
								 * keeper */
#define MOVABLE_SHARE 4			/* move if at most a quarter is needed */

/* what a scan of a generation found */
typedef struct Census
{
	int64		needed;			/* tasks that live or are kept */
	int64		live;
	int64		over;			/* past their retention */
	int64		changed;		/* deleted or moved now */
	TimestampTz next_over;		/* when the next one is past its retention */
	BlockNumber pages;
} Census;

typedef enum Treatment
{
	COUNT,
	DELETE_OVER,				/* delete what is past its retention */
	MOVE_NEEDED,				/* move what is not */
	FORGET_OVER					/* take what is past off the statistics: it
								 * goes with the table */
} Treatment;

/* what a keeper knows of each generation; lost with it, without harm */
typedef struct Memory
{
	TimestampTz scan_at;
	TimestampTz unneeded_since; /* 0: there is something needed in it */
} Memory;

static Memory memories[GQ_GENERATIONS];
static int64 position_seen = -1;
static TimestampTz position_since;

/* ---- one task ---- */

/* The time after which it is not needed; DT_NOEND: it lives. */
static TimestampTz
keep_until(const GqTask *task, char **last_type, GqSettings *settings)
{
	if (!GqStatusIsTerminal(task->status))
		return DT_NOEND;
	if (*last_type == NULL || !gq_task_is_of_type(task, *last_type))
	{
		if (*last_type != NULL)
			pfree(*last_type);
		*last_type = gq_task_type(task);
		*settings = *gq_settings(*last_type);
	}
	return gq_time_add(task->finished_at,
					   task->status == GQ_DONE ? settings->retention : settings->retention_failed);
}

static bool
delete_task(GqGeneration *generation, const GqTask *task)
{
	GqDecision	decision = {.remove = true};

	return gq_change_row(generation, task, &decision, false, NULL) == TM_Ok;
}

/* ---- one generation ---- */

typedef struct Pass
{
	GqGeneration *generation;
	GqGeneration *current;		/* to move to, when open */
	const char *only_type;
	Treatment	treatment;
	TimestampTz now;
	int64		max_changes;
	Census	   *census;
	char	   *last_type;		/* settings of the type seen last */
	GqSettings	settings;
} Pass;

static void
treat_task(Pass *pass, const GqTask *task)
{
	Census	   *census = pass->census;
	TimestampTz until = keep_until(task, &pass->last_type, &pass->settings);
	bool		over = until <= pass->now;
	bool		room = census->changed < pass->max_changes;

	if (over && pass->treatment == DELETE_OVER && room)
		census->changed += delete_task(pass->generation, task);
	else if (!over && pass->treatment == MOVE_NEEDED && room &&
			 gq_relocate_row(pass->generation, pass->current, task) == TM_Ok)
		census->changed++;
	else if (over)
	{
		if (pass->treatment == FORGET_OVER)
			gq_count_moved(gq_type_of_task(task), task->status, 0, 1);
		census->over++;
	}
	else
	{
		census->needed++;
		census->live += until == DT_NOEND;
		census->next_over = Min(census->next_over, until);
	}
}

static void
scan_generation(Pass *pass)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Relation	table = pass->generation->table;
	TableScanDesc scan = table_beginscan_strat(table, snapshot, 0, NULL, true, false);
	TupleTableSlot *slot = table_slot_create(table, NULL);

	pass->census->pages = RelationGetNumberOfBlocks(table);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		GqTask		task;

		CHECK_FOR_INTERRUPTS();
		gq_task_read(&task, slot);
		if (pass->only_type == NULL || gq_task_is_of_type(&task, pass->only_type))
			treat_task(pass, &task);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

static Census
treat_generation(int number, Treatment treatment, const char *only_type, TimestampTz now,
				 int64 max_changes)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "goque clean",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Census		census = {.next_over = DT_NOEND};
	Pass		pass = {.only_type = only_type,.treatment = treatment,.now = now,
	.max_changes = max_changes,.census = &census};

	pass.generation = gq_generation_open(number);
	if (treatment == MOVE_NEEDED)
		pass.current = gq_generation_open_current();
	scan_generation(&pass);
	if (pass.current != NULL)
		gq_generation_close(pass.current);
	gq_generation_close(pass.generation);
	if (census.changed > 0)
		CommandCounterIncrement();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return census;
}

/* ---- the ring ---- */

static int64
rotation_period(void)
{
	int64		period = gq_settings_default_retention() / (GQ_GENERATIONS - 2);

	return Max(MIN_PERIOD, Min(period, MAX_PERIOD));
}

/* Make the next generation current if it is time; `since`: when this one was. */
static bool
rotate_if_due(int64 position, TimestampTz since, TimestampTz now)
{
	BlockNumber pages = gq_rotate_pages(position % GQ_GENERATIONS);
	int64		age = now - since;

	if (pages < ROTATE_PAGES || age < MIN_PERIOD ||
		(pages < ROTATE_NOW_PAGES && age < rotation_period()) ||
		!gq_generation_is_void((position + 1) % GQ_GENERATIONS))
		return false;
	gq_ring_advance(position + 1);
	return true;
}

/* Truncate an old generation in which nothing is needed. */
static bool
empty_generation(int number, TimestampTz now)
{
	Census		census;

	if (!gq_rotate_is_quiet(number))
		return false;
	census = treat_generation(number, FORGET_OVER, NULL, now, 0);
	return census.needed == 0 && gq_rotate_truncate(number, census.pages);
}

/* ---- the keeper's duty ---- */

static Treatment
choose_treatment(int number, int current, const Census *census)
{
	if (number != current && census->needed <= (census->needed + census->over) / MOVABLE_SHARE &&
		census->over > 0 && gq_rotate_is_quiet(number))
		return MOVE_NEEDED;
	return census->pages <= SMALL_PAGES ? DELETE_OVER : COUNT;
}

static TimestampTz
next_scan(const Census *census, TimestampTz now)
{
	TimestampTz soon = now + (int64) gq_clean_interval * 1000;

	if (census->changed >= BATCH)
		return now;
	if (census->pages > SMALL_PAGES)
		return now + LARGE_SCAN_INTERVAL;
	if (census->live > 0)
		return soon;
	return Max(soon, census->next_over);
}

/* Returns when this generation is to be looked at again. */
static TimestampTz
clean_generation(int number, int current, TimestampTz now)
{
	Memory	   *memory = &memories[number];
	Census		census = treat_generation(number, COUNT, NULL, now, 0);
	Treatment	treatment = choose_treatment(number, current, &census);

	if (census.needed == 0 && number != current)
	{
		if (memory->unneeded_since == 0)
			memory->unneeded_since = now;
		if (now - memory->unneeded_since < QUARANTINE)
			return memory->unneeded_since + QUARANTINE;
		return empty_generation(number, now) ? DT_NOEND : now + QUARANTINE;
	}
	memory->unneeded_since = 0;
	if ((treatment == DELETE_OVER && census.over > 0) || treatment == MOVE_NEEDED)
		census = treat_generation(number, treatment, NULL, now, BATCH);
	return next_scan(&census, now);
}

static void
notice_position(int64 position, TimestampTz now)
{
	if (position == position_seen)
		return;
	position_seen = position;
	position_since = now;
	memories[position % GQ_GENERATIONS].scan_at = 0;
}

/* A generation can get its first task at any time. */
static TimestampTz
look_at_generation(int number, int current, TimestampTz now)
{
	Memory	   *memory = &memories[number];

	if (gq_generation_is_void(number))
	{
		memory->scan_at = 0;
		memory->unneeded_since = 0;
		return DT_NOEND;
	}
	/* what is small is looked at whenever the duty is done */
	if (memory->scan_at <= now || gq_rotate_pages(number) <= SMALL_PAGES)
		memory->scan_at = clean_generation(number, current, now);
	return memory->scan_at;
}

TimestampTz
gq_duty_clean(TimestampTz now)
{
	int64		position = gq_ring_position();
	TimestampTz next = DT_NOEND;

	if (!gq_key_locks_shrink())
		next = now + (int64) gq_clean_interval * 1000;
	gq_fetch_log_thin();
	notice_position(position, now);
	if (rotate_if_due(position, position_since, now))
		notice_position(++position, now);
	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		TimestampTz at = look_at_generation(g, position % GQ_GENERATIONS, now);

		next = Min(next, at);
	}
	return next;
}

/* ---- by hand ---- */

/*
 * Empty the old generation that an earlier call found without tasks, if that was
 * a minute ago; else remember one that has none.  One is emptied at a time.
 *
 * The time is that after the look: the last task may have left since the call
 * began.
 */
static void
empty_by_hand(bool *was_empty, int current, TimestampTz now)
{
	TimestampTz looked_at = GetCurrentTimestamp();
	TimestampTz since;
	int			marked;

	was_empty[current] = false;
	if (gq_quarantine_read(&marked, &since) && was_empty[marked] &&
		since <= looked_at + USECS_PER_SEC)
	{
		if (looked_at - since < QUARANTINE || !empty_generation(marked, now))
			return;
		was_empty[marked] = false;
	}
	gq_quarantine_end();
	for (int g = 0; g < GQ_GENERATIONS; g++)
		if (was_empty[g])
		{
			gq_quarantine_begin(g, looked_at);
			return;
		}
}

int64
gq_clean_all(const char *type, TimestampTz now)
{
	bool		was_empty[GQ_GENERATIONS] = {0};
	int64		deleted = 0;

	for (int g = 0; g < GQ_GENERATIONS; g++)
	{
		Census		census;

		if (gq_generation_is_void(g))
			continue;
		census = treat_generation(g, DELETE_OVER, type, now, PG_INT64_MAX);
		deleted += census.changed;
		was_empty[g] = type == NULL && census.changed + census.needed + census.over == 0;
	}
	if (type == NULL)
	{
		int64		position = gq_ring_position();

		gq_fetch_log_thin();
		empty_by_hand(was_empty, position % GQ_GENERATIONS, now);
		(void) rotate_if_due(position, 0, now);
	}
	return deleted;
}
