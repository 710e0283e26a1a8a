/*-------------------------------------------------------------------------
 *
 * status.h
 *	  The words for a task's status.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_STATUS_H
#define GOQUE_CORE_STATUS_H

#include "goque.h"

/* in the order of GqStatus, from GQ_NEW on; ends with NULL */
extern const char *const gq_status_words[];

extern const char *gq_status_name(GqStatus status);

#endif							/* GOQUE_CORE_STATUS_H */
