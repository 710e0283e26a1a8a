/*-------------------------------------------------------------------------
 *
 * processing_path.h
 *	  A way for the planner to the tasks in processing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOQUE_API_PROCESSING_PATH_H
#define GOQUE_API_PROCESSING_PATH_H

/* Install the planner's hook; only while libraries are preloaded. */
extern void gq_processing_path_init(void);

#endif							/* GOQUE_API_PROCESSING_PATH_H */
