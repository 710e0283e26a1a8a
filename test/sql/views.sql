-- Looking: goque.tasks, task_types, stats, workers, health.

-- a clean queue: the views show all of it
SET client_min_messages = warning;
DROP EXTENSION goque;
CREATE EXTENSION goque;
RESET client_min_messages;

-- ---- empty ----

SELECT count(*) FROM goque.tasks;
SELECT * FROM goque.task_types;
-- what was named in a transaction that came to nothing leaves no row
BEGIN;
SELECT count(goque_add('views.undone'));
SELECT type, ready, total_added FROM goque.stats;
ROLLBACK;
SELECT * FROM goque.stats;
SELECT kind, count(*) FROM goque.workers WHERE kind IN ('waiter', 'holder') GROUP BY kind;

-- ---- columns ----

-- their names, order and types are the contract
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid IN ('goque.tasks'::regclass, 'goque.task_types'::regclass, 'goque.stats'::regclass, 'goque.workers'::regclass, 'goque.health'::regclass)
	AND a.attnum > 0
ORDER BY c.relname, a.attnum;

-- ---- some of everything ----

SELECT goque_configure('views.configured', max_attempts => 3, retention => '1 day');
SELECT goque_pause('views.paused');
CREATE TEMP TABLE added AS
SELECT n, id FROM goque_add_many('views', ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 9) n)) WITH ORDINALITY a(id, n);
SELECT count(*) FROM goque_reschedule_many(ARRAY(SELECT id FROM added WHERE n = 9), '2100-01-01');
SELECT payload FROM goque_fetch('views', 6, worker => 'w');
SELECT count(CASE n WHEN 1 THEN goque_complete(id)::text WHEN 2 THEN goque_fail(id, 'no route', retry => false) WHEN 3 THEN goque_fail(id, 'timed out')
	WHEN 4 THEN goque_release(id)::text WHEN 5 THEN goque_fail(id, 'timed out', retry_in => '0') WHEN 7 THEN goque_cancel(id)::text END) FROM added;
SELECT goque_add('views.b', '"b"', max_attempts => 1) AS id \gset
SELECT count(*) FROM goque_fetch('views.b');
SELECT goque_fail(:id, 'no route');

SELECT n, payload, status, attempts, error FROM goque.tasks JOIN added USING (id) ORDER BY n;
\x
SELECT type, ready, scheduled, pending, processing, error, done, attempts_left, canceled, oldest_ready > '0' AS oldest_ready, total_added, total_fetched,
	total_completed, total_failed, total_healed, total_exhausted, total_released, total_canceled
FROM goque.stats ORDER BY type;
\x
-- I15: goque.stats equals a count
SELECT count(*) FROM goque.stats s
JOIN LATERAL (SELECT count(*) FILTER (WHERE status IN ('new', 'error') AND next_attempt_at <= now()) AS ready,
	count(*) FILTER (WHERE status IN ('new', 'error') AND next_attempt_at > now()) AS scheduled,
	count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'processing') AS processing,
	count(*) FILTER (WHERE status = 'error') AS error, count(*) FILTER (WHERE status = 'done') AS done,
	count(*) FILTER (WHERE status = 'attempts_left') AS attempts_left, count(*) FILTER (WHERE status = 'canceled') AS canceled
	FROM goque.tasks t WHERE t.type = s.type) c ON true
WHERE (s.ready, s.scheduled, s.pending, s.processing, s.error, s.done, s.attempts_left, s.canceled) IS DISTINCT FROM
	(c.ready, c.scheduled, c.pending, c.processing, c.error, c.done, c.attempts_left, c.canceled);
SELECT type, max_attempts, retention, paused, configured FROM goque.task_types ORDER BY type;
-- the oldest ready one of several priorities, past the frontier of what was fetched
SELECT count(*) FROM generate_series(-2, 2) p, goque_add('views.oldest', to_jsonb(p), priority => p, run_at => now() - interval '1 hour' * (3 + p));
SELECT ready, oldest_ready BETWEEN '5 hours' AND '5 hours 1 min' AS oldest FROM goque.stats WHERE type = 'views.oldest';
SELECT payload FROM goque_fetch('views.oldest', 3);
SELECT ready, oldest_ready BETWEEN '5 hours' AND '5 hours 1 min' AS oldest FROM goque.stats WHERE type = 'views.oldest';
SELECT payload FROM goque_fetch('views.oldest', 3);
SELECT ready, oldest_ready FROM goque.stats WHERE type = 'views.oldest';

-- ---- workers and health ----

SELECT kind, pid = pg_backend_pid() AS mine, database = current_database() AS here, what, since <= clock_timestamp() AS since FROM goque.workers WHERE kind = 'holder';
SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'views.oldest' AND payload <> '0'));
SELECT kind, what FROM goque.workers WHERE kind = 'holder';
SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'views.oldest'));
SELECT kind, regexp_replace(what, '[0-9]+', 'N') AS what FROM goque.workers WHERE kind = 'holder';
SELECT kind, database FROM goque.workers WHERE kind = 'launcher';

SELECT check_name, ok IS NOT NULL AS judged, detail <> '' AS detail, (hint IS NULL) = ok AS hint FROM goque.health ORDER BY check_name;
SELECT check_name, ok, detail, hint FROM goque.health WHERE check_name IN ('library_preloaded', 'dead_letters', 'unfetched_types', 'payloads_near_limit', 'long_leases', 'worker_slots') ORDER BY check_name;
-- what is wrong is told, by type
SELECT goque_add('views.large', to_jsonb(repeat(md5('x'), 28000))) > 0 AS added;
SELECT goque_add('views.long') > 0 AS added;
SELECT count(*) FROM goque_fetch('views.long', lease => '2 hours');
SELECT ok, detail FROM goque.health WHERE check_name = 'payloads_near_limit';
SELECT ok, regexp_replace(detail, 'since .*', 'since TIME') AS detail FROM goque.health WHERE check_name = 'long_leases';

-- ---- the user's own queries, as they stand ----

SET search_path = goque, public;
CREATE TEMP TABLE first AS
SELECT status, COUNT(*) FROM tasks GROUP BY status;
SELECT * FROM first ORDER BY status;
SELECT * FROM tasks WHERE status = 'processing' AND updated_at < NOW() - INTERVAL '5 minutes';
CREATE TEMP TABLE third AS
SELECT type, error, COUNT(*) FROM tasks WHERE status = 'attempts_left' GROUP BY type, error;
SELECT * FROM third ORDER BY type, error;
-- the second finds a stuck one, and not one whose heart beats
BEGIN;
UPDATE tasks_0 SET updated_at = updated_at - interval '6 min', lease_until = now() - interval '5 min' WHERE type IN ('views', 'views.long') AND status = 3;
SELECT type, payload, attempts, worker FROM tasks WHERE status = 'processing' AND updated_at < NOW() - INTERVAL '5 minutes' AND worker = 'w';
SELECT goque_heartbeat(id, lease => '30 s') IS NOT NULL AS held FROM tasks WHERE type = 'views' AND status = 'processing';
SELECT type, payload, attempts, worker FROM tasks WHERE status = 'processing' AND updated_at < NOW() - INTERVAL '5 minutes' AND worker = 'w';
ROLLBACK;
RESET search_path;

-- ---- plans ----

-- a task by its id, and ids that do not exist: one index each, no scan of a table
SET enable_seqscan = off;
CREATE FUNCTION pg_temp.scans(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	line text;
	scans bigint := 0;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		scans := scans + (line ~ 'Seq Scan on tasks_')::int;
	END LOOP;
	RETURN scans;
END
$$;
SELECT pg_temp.scans('SELECT * FROM goque.tasks WHERE id = 1') AS by_id,
	pg_temp.scans($$SELECT * FROM goque.tasks WHERE type = 'views' AND external_id = 'x'$$) AS by_external_id,
	pg_temp.scans($$SELECT count(*) FROM goque.tasks WHERE type = 'views'$$) AS by_type,
	pg_temp.scans($$SELECT * FROM goque.tasks WHERE status = 'processing' AND updated_at < now() - interval '5 minutes'$$) AS in_processing;
RESET enable_seqscan;

-- the totals are kept by DROP and CREATE EXTENSION for nobody
SET client_min_messages = warning;
DROP EXTENSION goque;
CREATE EXTENSION goque;
RESET client_min_messages;
SELECT goque_add('views') > 0 AS added;
SELECT type, ready, done, total_added, total_completed FROM goque.stats;
