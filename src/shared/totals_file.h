/*-------------------------------------------------------------------------
 *
 * totals_file.h
 *	  Keeping the totals of goque.stats over an orderly restart.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_SHARED_TOTALS_FILE_H
#define GOQUE_SHARED_TOTALS_FILE_H

/* Fill the empty types table from the file, if it is true of this cluster, and
 * remove the file.  In the postmaster, before it starts anybody. */
extern void gq_totals_load(void);

/* on_shmem_exit callback of the postmaster: write the file. */
extern void gq_totals_save(int code, Datum arg);

#endif							/* GOQUE_SHARED_TOTALS_FILE_H */
