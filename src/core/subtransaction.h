/*-------------------------------------------------------------------------
 *
 * subtransaction.h
 *	  Work that can be taken back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_CORE_SUBTRANSACTION_H
#define GOQUE_CORE_SUBTRANSACTION_H

/* Does it in a subtransaction; if it returns false, or raises, that is rolled back. */
extern bool gq_in_subtransaction(bool (*work) (void *arg), void *arg);

#endif							/* GOQUE_CORE_SUBTRANSACTION_H */
