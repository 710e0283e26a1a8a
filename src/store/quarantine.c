/*-------------------------------------------------------------------------
 *
 * quarantine.c
 *	  Which generation was found without tasks, and when, from one call of
 *	  goque_clean() to the next.
 *
 * A keeper remembers that by itself.  Calls by hand come from many sessions
 * (cron makes one each time), so that it must be stored: in a sequence, as are
 * the other cursors of the ring.  A crash may take it back; that ends every
 * snapshot for whose sake there is a quarantine.
 *
 * The number holds seconds and the turn of the ring: a generation that was
 * emptied by a keeper and came to be used again is not taken for the one that
 * was found without tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "store/quarantine.h"
#include "store/relations.h"
#include "store/ring.h"
#include "store/sequence.h"

#define TURN_BITS 28			/* of the number; seconds stand above */
#define TURN_MASK ((INT64CONST(1) << TURN_BITS) - 1)

/* When, in turns of the ring, this generation last became current. */
static int64
turn_of(int number)
{
	int64		position = gq_ring_position();
	int64		turn = position - position % GQ_GENERATIONS + number;

	return (turn > position ? turn - GQ_GENERATIONS : turn) & TURN_MASK;
}

bool
gq_quarantine_read(int *number, TimestampTz *since)
{
	int64		mark = gq_sequence_read(gq_relid(GQ_REL_QUARANTINE_SEQ));

	*number = mark % GQ_GENERATIONS;
	*since = (mark >> TURN_BITS) * USECS_PER_SEC;
	return mark != 0 && turn_of(*number) == (mark & TURN_MASK);
}

void
gq_quarantine_begin(int number, TimestampTz now)
{
	int64		second = (now + USECS_PER_SEC - 1) / USECS_PER_SEC;

	gq_sequence_write(gq_relid(GQ_REL_QUARANTINE_SEQ), second << TURN_BITS | turn_of(number));
}

void
gq_quarantine_end(void)
{
	if (gq_sequence_read(gq_relid(GQ_REL_QUARANTINE_SEQ)) != 0)
		gq_sequence_write(gq_relid(GQ_REL_QUARANTINE_SEQ), 0);
}
