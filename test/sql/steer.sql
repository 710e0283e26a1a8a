-- Deciding about tasks: cancel, retry, reschedule, purge.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'steer%';

-- One task in each status that a task can have now, by its name.
CREATE TEMP TABLE named (name text PRIMARY KEY, id bigint);
CREATE FUNCTION pg_temp.make(type text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	names text[] := '{new,later,processing,error,done,attempts_left,canceled}';
	ids bigint[] := ARRAY(SELECT goque_add_many(type, ARRAY(SELECT to_jsonb(n) FROM unnest(names) n)));
BEGIN
	TRUNCATE named;
	INSERT INTO named SELECT * FROM unnest(names, ids);
	PERFORM goque_reschedule_many(ids[2:2], now() + interval '1 day');
	PERFORM goque_reschedule_many(ids[3:6], priority => -1);
	PERFORM goque_fetch(type, 4, worker => 'w');
	PERFORM goque_fail(ids[4], 'failed', retry_in => '1 hour');
	PERFORM goque_complete(ids[5], 0, '1');
	PERFORM goque_fail(ids[6], 'failed for good', retry => false);
	PERFORM goque_cancel(ids[7]);
END
$$;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM named n WHERE n.name = $1 $$;
CREATE TEMP VIEW now AS
SELECT n.name, t.status, t.attempts, t.priority, t.error, t.errors IS NOT NULL AS errors, t.result,
	t.lease_until IS NOT NULL AS leased, t.finished_at IS NOT NULL AS finished,
	t.next_attempt_at > clock_timestamp() AS later
FROM named n LEFT JOIN t USING (id) ORDER BY n.id;

SELECT pg_temp.make('steer');
SELECT * FROM pg_temp.now;

-- ---- cancel ----

-- any but the terminal; once; the holder is told
SELECT name, goque_cancel(id), goque_cancel(id) AS again FROM named ORDER BY id;
SELECT * FROM pg_temp.now;
SELECT goque_complete(pg_temp.id('processing')), goque_heartbeat(pg_temp.id('processing')), goque_fail(pg_temp.id('processing'), 'x');
SELECT goque_cancel(-1), goque_cancel(9223372036854775807);
SELECT count(*) FROM goque_fetch('steer', 100);

SELECT pg_temp.make('steer.cancel_many');
-- in input order, each id once
SELECT n.name FROM goque_cancel_many(ARRAY[pg_temp.id('error'), -1, pg_temp.id('done'), pg_temp.id('new'), pg_temp.id('error'), pg_temp.id('processing')]) WITH ORDINALITY c(id, n1)
	JOIN named n USING (id) ORDER BY n1;
SELECT goque_cancel_many('{}');
SELECT name, status FROM pg_temp.now;

SELECT pg_temp.make('steer.cancel_all');
SELECT pg_temp.make('steer.cancel_all');
-- new by default, those for later too
SELECT goque_cancel_all('steer.cancel_all', max_tasks => 1);
SELECT goque_cancel_all('steer.cancel_all');
SELECT goque_cancel_all('steer.cancel_all', 'error'), goque_cancel_all('steer.cancel_all', 'pending', NULL),
	goque_cancel_all('steer.cancel_all', 'processing', 1), goque_cancel_all('steer.cancel_all', NULL, NULL), goque_cancel_all('steer.nothing');
SELECT status, count(*) FROM t WHERE type = 'steer.cancel_all' GROUP BY status ORDER BY status;
SELECT ready, scheduled, processing, error, done, attempts_left, canceled, total_canceled FROM goque.stats WHERE type = 'steer.cancel_all';

-- ---- retry ----

-- attempts start again at 0; false for pending and processing; a new one is made ready
SELECT pg_temp.make('steer.retry');
SELECT name, goque_retry(id) FROM named ORDER BY id;
SELECT * FROM pg_temp.now;
SELECT goque_retry(-1);
SELECT count(*), min(attempt), max(attempt) FROM goque_fetch('steer.retry', 100);

-- at run_at, whatever the status; attempts of a new one are kept
SELECT pg_temp.make('steer.retry_at');
SELECT pg_temp.change(pg_temp.id('new'), 'attempts = 2');
SELECT name, goque_retry(id, '2100-01-01') FROM named ORDER BY id;
SELECT name, status, attempts, later, finished FROM pg_temp.now;
SELECT count(*) FROM t WHERE type = 'steer.retry_at' AND next_attempt_at = '2100-01-01';
SELECT count(*) FROM goque_fetch('steer.retry_at', 100);

-- many: in input order, each id once
SELECT pg_temp.make('steer.retry_many');
SELECT n.name FROM goque_retry_many(ARRAY[pg_temp.id('error'), pg_temp.id('processing'), pg_temp.id('done'), pg_temp.id('error'), -1, pg_temp.id('canceled')], '2100-01-01') WITH ORDINALITY c(id, n1)
	JOIN named n USING (id) ORDER BY n1;
SELECT name, status, later FROM pg_temp.now;
SELECT goque_retry_many('{}');

-- all: the dead letters by default
SELECT pg_temp.make('steer.retry_all');
SELECT pg_temp.make('steer.retry_all');
SELECT goque_retry_all('steer.retry_all', max_tasks => 1);
SELECT goque_retry_all('steer.retry_all', error_like => 'no such %'), goque_retry_all('steer.retry_all', error_like => 'failed'),
	goque_retry_all('steer.retry_all', NULL, NULL, 'failed%good');
SELECT goque_retry_all('steer.retry_all', 'done'), goque_retry_all('steer.retry_all', 'canceled', NULL, NULL), goque_retry_all('steer.nothing');
SELECT status, count(*) FROM t WHERE type = 'steer.retry_all' GROUP BY status ORDER BY status;
SELECT ready, scheduled, processing, error, done, attempts_left, canceled FROM goque.stats WHERE type = 'steer.retry_all';

-- a dead letter that is retried runs to its end again, with its history
SELECT goque_add('steer.again', max_attempts => 1) AS id \gset
SELECT count(*) FROM goque_fetch('steer.again', worker => 'w1');
SELECT goque_fail(:id, 'first');
SELECT goque_retry(:id);
SELECT attempt, errors LIKE 'attempt 1: first (%' AS errors FROM goque_fetch('steer.again', worker => 'w2');
SELECT goque_complete(:id, 0, '"done"');
SELECT status, attempts, error, result, finished_at = updated_at AS finished FROM t WHERE id = :id;

-- a task that is retried has no result until it is done again
SELECT goque_retry(:id);
SELECT status, result FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('steer.again');
SELECT goque_complete(:id);
SELECT status, result FROM t WHERE id = :id;

-- one that expired does not expire again
SELECT goque_add('steer.expired', expires_in => '1 hour') AS id \gset
BEGIN;
SELECT pg_temp.change(:id, $$expires_at = now() - interval '1 s'$$);
SELECT goque_heal();
COMMIT;
SELECT status, attempts, error ~ '^expired at .* before it was fetched$' AS error, finished_at IS NOT NULL AS finished FROM t WHERE id = :id;
SELECT goque_retry(:id);
SELECT goque_heal();
SELECT status, expires_at FROM t WHERE id = :id;
SELECT attempt FROM goque_fetch('steer.expired');

-- ---- reschedule ----

-- those that wait: new, error; in time, rank, or both
SELECT pg_temp.make('steer.reschedule');
SELECT n.name FROM goque_reschedule_many(ARRAY(SELECT id FROM named ORDER BY id DESC), run_at => '2100-01-01', priority => 9) WITH ORDINALITY c(id, n1)
	JOIN named n USING (id) ORDER BY n1;
SELECT name, status, attempts, priority, later FROM pg_temp.now;
SELECT count(*) FROM goque_reschedule_many(ARRAY[pg_temp.id('error')], now());
SELECT count(*) FROM goque_reschedule_many(ARRAY[pg_temp.id('new'), pg_temp.id('later'), -1], '2001-01-01', -7);
SELECT count(*) FROM goque_reschedule_many(ARRAY[pg_temp.id('later')], priority => -8);
SELECT name, status, attempts, priority, later FROM pg_temp.now;
SELECT count(*) FROM goque_reschedule_many('{}', now());
SELECT payload, attempt, priority FROM goque_fetch('steer.reschedule', 10);

-- ---- purge ----

SELECT pg_temp.make('steer.purge');
SELECT name, goque_purge(id), goque_purge(id) AS again FROM named ORDER BY id;
SELECT goque_purge(-1);
SELECT name, status FROM pg_temp.now;
SELECT done, attempts_left, canceled, processing, error FROM goque.stats WHERE type = 'steer.purge';
-- nothing of the payload is left in the tables
SELECT count(*) FROM goque.ring WHERE payload IN ('"done"', '"attempts_left"', '"canceled"') AND type = 'steer.purge';

-- all of it rolls back
SELECT pg_temp.make('steer.rollback');
BEGIN;
SELECT goque_purge(pg_temp.id('done')), goque_retry(pg_temp.id('attempts_left')), goque_cancel(pg_temp.id('processing')), goque_cancel(pg_temp.id('new'));
SELECT name, status FROM pg_temp.now;
ROLLBACK;
SELECT name, status, attempts, leased FROM pg_temp.now;
SELECT ready, scheduled, processing, error, done, attempts_left, canceled, total_canceled FROM goque.stats WHERE type = 'steer.rollback';
-- what was canceled in vain is fetched; what was held is completed
SELECT payload FROM goque_fetch('steer.rollback');
SELECT goque_complete(pg_temp.id('processing'));
