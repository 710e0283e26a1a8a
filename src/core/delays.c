/*-------------------------------------------------------------------------
 *
 * delays.c
 *	  What a transaction changes in the numbers of delayed tasks.
 *
 * Like all numbers they must be exact: notes carry the nesting level, and those
 * of a subtransaction that aborts are dropped.  See core/xact.c, which calls this
 * when a (sub)transaction ends, and shared/delays.c for what is counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "core/delays.h"
#include "core/notes.h"
#include "shared/shmem.h"

/* how far back a note is looked for that a new one can be added to */
#define NOTES_SEARCHED 16

typedef struct DelayNote
{
	GqType	   *entry;
	int			level;
	GqDelay		delay;
} DelayNote;

static DelayNote *notes;		/* in TopTransactionContext */
static int	nnotes;
static int64 room;

static DelayNote *
find_note(const GqSpan *span, int level)
{
	for (int i = nnotes - 1; i >= 0 && i >= nnotes - NOTES_SEARCHED; i--)
	{
		if (notes[i].level != level)
			break;
		if (gq_span_equals(&notes[i].delay.span, span))
			return &notes[i];
	}
	return NULL;
}

static void
merge(GqDelay *into, const GqDelay *delay)
{
	into->n += delay->n;
	into->first = Min(into->first, delay->first);
	into->last = Max(into->last, delay->last);
}

static int
compare_spans(const void *a, const void *b)
{
	return memcmp(&((const DelayNote *) a)->delay.span, &((const DelayNote *) b)->delay.span,
				  sizeof(GqSpan));
}

/* One note for each span: there are few of them, whatever the tasks. */
static void
merge_notes(int level)
{
	int			begin = nnotes;
	int			end;

	while (begin > 0 && notes[begin - 1].level == level)
		begin--;
	qsort(notes + begin, nnotes - begin, sizeof(DelayNote), compare_spans);
	end = begin;
	for (int i = begin; i < nnotes; i++)
	{
		if (end > begin && gq_span_equals(&notes[end - 1].delay.span, &notes[i].delay.span))
			merge(&notes[end - 1].delay, &notes[i].delay);
		else
			notes[end++] = notes[i];
	}
	nnotes = end;
}

static DelayNote *
append_note(int level)
{
	if (nnotes == room)
	{
		merge_notes(level);
		if (nnotes > room / 2 || room == 0)
			notes = gq_notes_grow(notes, &room, sizeof(DelayNote));
	}
	return &notes[nnotes++];
}

void
gq_delays_note(GqType *entry, TimestampTz at, TimestampTz told, int n)
{
	int			level;
	GqDelay		delay;
	DelayNote  *note;

	if (entry == NULL || !gq_delay_of(entry, at, told, &delay))
		return;
	level = GetCurrentTransactionNestLevel();
	note = find_note(&delay.span, level);
	delay.n = n;
	if (note != NULL)
	{
		merge(&note->delay, &delay);
		return;
	}
	note = append_note(level);
	note->entry = entry;
	note->level = level;
	note->delay = delay;
}

GqDelay *
gq_delays_known(int *n)
{
	GqDelay    *known;

	*n = 0;
	if (gq_shared == NULL)
		return NULL;
	known = gq_delays_copy(n);
	if (nnotes == 0)
		return known;
	known = repalloc_huge(known, sizeof(GqDelay) * ((Size) *n + nnotes));
	for (int i = 0; i < nnotes; i++)
		known[(*n)++] = notes[i].delay;
	gq_delays_sort(known, *n);
	return known;
}

bool
gq_delays_noted(void)
{
	return nnotes > 0;
}

void
gq_delays_commit(void)
{
	for (int i = 0; i < nnotes; i++)
		if (notes[i].delay.n != 0)
			gq_delays_add(notes[i].entry, &notes[i].delay);
}

void
gq_delays_commit_sub(int level)
{
	for (int i = nnotes - 1; i >= 0 && notes[i].level >= level; i--)
		notes[i].level = level - 1;
}

void
gq_delays_abort_sub(int level)
{
	while (nnotes > 0 && notes[nnotes - 1].level >= level)
		nnotes--;
}

void
gq_delays_forget_notes(void)
{
	notes = NULL;
	nnotes = room = 0;
}
