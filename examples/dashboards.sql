-- dashboards.sql: queries for a dashboard or an alert.  A role with the privilege
-- 'monitor' may run them all.  The first four cost the same at any number of tasks;
-- the others read goque.tasks.
\set ON_ERROR_STOP on

-- What there is, by type.
SELECT type, ready, scheduled, processing, done, attempts_left, canceled, oldest_ready
FROM goque.stats ORDER BY type;

-- What happened, as counters that only rise (for a rate over time).
SELECT type, total_added, total_fetched, total_completed, total_failed, total_healed, total_exhausted
FROM goque.stats ORDER BY type;

-- An alert: anything that a person should look at, and what to do.
SELECT check_name, detail, hint FROM goque.health WHERE NOT ok;

-- An alert: work waits longer than it should.
SELECT type, ready, oldest_ready FROM goque.stats WHERE oldest_ready > interval '5 min';

-- Who works on what.
SELECT worker, type, count(*), min(started_at) AS first, min(lease_until) AS next_lease_ends
FROM goque.tasks WHERE status = 'processing' GROUP BY worker, type ORDER BY first;

-- Tasks that were not touched for five minutes: no heartbeat, no end.
SELECT id, type, worker, started_at, updated_at, lease_until
FROM goque.tasks WHERE status = 'processing' AND updated_at < now() - interval '5 minutes';

-- Dead letters by cause.
SELECT type, error, count(*), max(finished_at) AS last
FROM goque.tasks WHERE status = 'attempts_left' GROUP BY type, error ORDER BY count(*) DESC;

-- Tasks that keep failing and are still retried.
SELECT id, type, attempts, max_attempts, next_attempt_at, error
FROM goque.tasks WHERE status = 'error' ORDER BY attempts DESC LIMIT 20;

-- How long finished tasks waited and ran, by type, over the last hour.
SELECT type, count(*),
	percentile_cont(0.5) WITHIN GROUP (ORDER BY started_at - created_at) AS waited_p50,
	percentile_cont(0.95) WITHIN GROUP (ORDER BY started_at - created_at) AS waited_p95,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY finished_at - started_at) AS ran_p50,
	percentile_cont(0.95) WITHIN GROUP (ORDER BY finished_at - started_at) AS ran_p95
FROM goque.tasks WHERE status = 'done' AND finished_at > now() - interval '1 hour'
GROUP BY type ORDER BY type;

-- How much room the tables of tasks take.
SELECT c.relname, pg_size_pretty(pg_total_relation_size(c.oid)) AS size
FROM pg_class c WHERE c.relnamespace = 'goque'::regnamespace AND c.relname ~ '^tasks_[0-7]$' ORDER BY 1;
