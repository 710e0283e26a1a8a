SELECT task_identifier, count(*) FROM graphile_worker.jobs GROUP BY 1
