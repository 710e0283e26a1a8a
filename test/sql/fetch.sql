-- Fetching: goque_fetch, goque_fetch_any, goque_wait.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

-- a clean queue, for the fetches of every type
SET client_min_messages = warning;
DROP EXTENSION goque;
CREATE EXTENSION goque;
RESET client_min_messages;

-- what a fetch returns, and what it leaves in the task
SELECT goque_add('fetch', '{"n": 1}', 'ext', 3, max_attempts => 4, metadata => '{"m": 1}') AS id \gset
\x
SELECT id = :id AS id, type, external_id, payload, attempt, max_attempts, priority, ordering_key, metadata,
	errors, progress, created_at IS NOT NULL AS created_at, lease_until > now() AS lease_until,
	token BETWEEN 1 AND 2^53 - 1 AS token, lease
FROM goque_fetch('fetch');
SELECT status, attempts, lease_until - updated_at AS lease, updated_at = started_at AS started,
	worker = current_setting('application_name') || ' ' || pg_backend_pid() AS worker, finished_at
FROM goque.tasks WHERE id = :id;
\x
-- nobody else gets it
SELECT count(*) FROM goque_fetch('fetch', 10);
SELECT count(*) FROM goque_fetch_any(ARRAY['fetch'], 10);
SELECT count(*) FROM goque_fetch('fetch.unknown', 10);

-- the columns of the result, in their order
SELECT attname, format_type(atttypid, atttypmod)
FROM pg_attribute WHERE attrelid = 'goque.task'::regclass AND attnum > 0 ORDER BY attnum;

-- order: smaller priority first, then earlier next_attempt_at, then smaller id
SELECT count(*) FROM (VALUES
	('c', 5, '2001-01-02'), ('b', 5, '2001-01-01'), ('a', -5, '2001-01-03'), ('d', 5, '2001-01-02'),
	('e', 32767, '2001-01-01'), ('first', -32768, '2001-01-04')) t(name, priority, run_at),
	LATERAL goque_add('fetch.order', to_jsonb(name), priority => priority, run_at => run_at::timestamptz);
SELECT payload FROM goque_fetch('fetch.order', 2);
SELECT payload FROM goque_fetch('fetch.order', 100);

-- one by default; NULL for every option
SELECT count(*) FROM goque_add_many('fetch.one', ARRAY['1', '2', '3']::jsonb[]);
SELECT payload, lease FROM goque_fetch('fetch.one');
SELECT payload, lease FROM goque_fetch('fetch.one', NULL, NULL, NULL, NULL);

-- whose lease: the call's, else the task's, else the type's, else the database's
SELECT goque_configure('fetch.lease', timeout => '3 min');
SELECT count(*) FROM goque_add_many('fetch.lease', ARRAY['1', '2']::jsonb[]);
SELECT goque_add('fetch.lease', '3', timeout => '2 min') > 0 AS added;
SELECT payload, lease FROM goque_fetch('fetch.lease', lease => '1 min');
SELECT payload, lease FROM goque_fetch('fetch.lease', 10);
SELECT payload, lease_until - updated_at AS lease FROM goque.tasks WHERE type = 'fetch.lease' ORDER BY id;

-- the worker's name; an empty application_name
SELECT count(*) FROM goque_add_many('fetch.worker', ARRAY['1', '2', '3']::jsonb[]);
SELECT payload FROM goque_fetch('fetch.worker', worker => 'me');
SELECT payload FROM goque_fetch('fetch.worker', worker => repeat('w', 128));
SET application_name = '';
SELECT payload FROM goque_fetch('fetch.worker');
RESET application_name;
SELECT payload, left(replace(worker, pg_backend_pid()::text, 'PID'), 4) AS worker, length(worker) = 128 AS longest
FROM goque.tasks WHERE type = 'fetch.worker' ORDER BY id;

-- not ready: scheduled, expired
SELECT goque_add('fetch.later', '"later"', delay => '1 hour') > 0 AS added;
SELECT goque_add('fetch.later', '"expired"', expires_in => '1 us') > 0 AS added;
SELECT count(*) FROM goque_fetch('fetch.later', 10);
SELECT goque_add('fetch.later', '"expires"', expires_in => '1 hour') > 0 AS added;
SELECT payload FROM goque_fetch('fetch.later', 10);

-- tokens differ, also those of one task
SELECT count(*) FROM goque_add_many('fetch.token', ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 100) n));
CREATE TEMP TABLE tokens AS SELECT id, token, attempt FROM goque_fetch('fetch.token', 1000);
SELECT count(*) FROM goque_release_many(ARRAY(SELECT id FROM tokens));
INSERT INTO tokens SELECT id, token, attempt FROM goque_fetch('fetch.token', 1000);
SELECT count(*), count(DISTINCT token) AS tokens, count(DISTINCT id) AS ids, max(attempt) AS attempt FROM tokens;
DROP TABLE tokens;

-- rolled back: as it was, attempts included, and to be had again
SELECT goque_add('fetch.rollback', '1') AS id \gset
BEGIN;
SELECT attempt FROM goque_fetch('fetch.rollback');
ROLLBACK;
SELECT status, attempts, worker, started_at, lease_until FROM goque.tasks WHERE id = :id;
SELECT attempt FROM goque_fetch('fetch.rollback');

-- added, fetched and completed in one transaction
BEGIN;
SELECT goque_add('fetch.own', '1') AS id \gset
SELECT payload, token FROM goque_fetch('fetch.own') \gset
SELECT goque_complete(:id, :token);
COMMIT;
SELECT status, attempts FROM goque.tasks WHERE id = :id;

-- a wait of 0 does not wait; one that finds work does not either
SELECT count(*) FROM goque_fetch('fetch.wait', wait => '0');
SELECT goque_add('fetch.wait', '1') > 0 AS added;
SELECT payload FROM goque_fetch('fetch.wait', wait => '1 min');

-- always the best: among many tasks of one time (a fetch reads only some entries at first), and when better ones come in between
CREATE PROCEDURE pg_temp.take_in_order(INOUT taken int, INOUT out_of_order int) LANGUAGE plpgsql AS $$
DECLARE
	best bigint;
	task record;
BEGIN
	LOOP
		SELECT id INTO best FROM goque.tasks WHERE type = 'fetch.best' AND status = 'new' ORDER BY priority, next_attempt_at, id LIMIT 1;
		SELECT id, token INTO task FROM goque_fetch('fetch.best');
		EXIT WHEN task.id IS NULL AND best IS NULL;
		taken := taken + 1;
		out_of_order := out_of_order + (task.id IS DISTINCT FROM best)::int;
		PERFORM goque_complete(task.id, task.token);
		IF taken % 25 = 0 AND taken <= 1000 THEN
			PERFORM goque_add_many('fetch.best', array_fill('1'::jsonb, ARRAY[1 + taken % 20]), priority => taken % 3,
				run_at => now() - taken * interval '7 s');
		END IF;
		COMMIT;
	END LOOP;
END $$;
SELECT count(*) FROM generate_series(0, 29) g, LATERAL goque_add_many('fetch.best', array_fill('1'::jsonb, ARRAY[1 + g * g % 61]),
	priority => g % 2, run_at => now() - g % 10 * interval '10 min') AS id;
CALL pg_temp.take_in_order(0, 0);
SELECT status, count(*) FROM goque.tasks WHERE type = 'fetch.best' GROUP BY status;

-- ---- several types ----

-- the best of them, whichever type
SELECT goque_add('fetch.any.a', '"a 2"', priority => 2) > 0 AND goque_add('fetch.any.b', '"b 1"', priority => 1) > 0
	AND goque_add('fetch.any.c', '"c 0"', priority => 0) > 0 AND goque_add('fetch.any.a', '"a -1"', priority => -1) > 0
	AND goque_add('fetch.any.b', '"b 3"', priority => 3) > 0 AS added;
SELECT type, payload FROM goque_fetch_any(ARRAY['fetch.any.a', 'fetch.any.b', 'fetch.any.unknown'], 3);
-- a type named twice is one type
SELECT type, payload FROM goque_fetch_any(ARRAY['fetch.any.b', 'fetch.any.b'], 3);
-- NULL: every type; what is left of the above but for the later one
SELECT type, payload FROM goque_fetch_any(NULL, 100);
SELECT type, payload FROM goque_fetch_any(NULL, 100);
-- what is being fetched is not fetched: nothing is ready, one is for later; the expired one may be canceled by now
SELECT status, count(*) FROM goque.tasks WHERE payload <> '"expired"' GROUP BY status ORDER BY status;

-- a thousand tasks of ten types in tens
SELECT count(*) FROM generate_series(1, 10) t,
	LATERAL goque_add_many('fetch.thousand.' || t, ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 100) n));
SELECT count(*), count(DISTINCT f.id) FROM generate_series(1, 110) n, LATERAL goque_fetch_any(NULL, 10 + 0 * n) f;

-- ---- goque_wait ----

-- returns when a fetch is worth calling, now; or when the time is up
SELECT goque_add('fetch.call', '1') > 0 AS added;
CALL goque_wait(ARRAY['fetch.call']);
CALL goque_wait(NULL, '1 min');
CALL goque_wait(ARRAY['fetch.call.none'], '0');
CALL goque_wait(timeout => '0', types => ARRAY['fetch.call.none', 'fetch.call.nothing']);
-- it took nothing
SELECT payload FROM goque_fetch('fetch.call');
