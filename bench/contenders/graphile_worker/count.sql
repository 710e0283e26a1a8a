SELECT count(*) FROM graphile_worker.jobs;
