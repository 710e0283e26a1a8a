/*-------------------------------------------------------------------------
 *
 * status.c
 *	  The words for a task's status.
 *
 * A row holds the number, which is smaller and sorts; views and functions say the
 * word.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/status.h"

const char *const gq_status_words[] = {
	"new", "pending", "processing", "error", "done", "attempts_left", "canceled", NULL
};

const char *
gq_status_name(GqStatus status)
{
	return gq_status_words[status - GQ_NEW];
}
