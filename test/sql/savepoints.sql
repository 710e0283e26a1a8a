-- F7: savepoints, exception blocks and many subtransactions around every call.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'savepoints%';
CREATE TEMP VIEW numbers AS SELECT type, ready, scheduled, processing, error, done, attempts_left, canceled,
	total_added AS added, total_fetched AS fetched, total_completed AS completed, total_failed AS failed, total_released AS released, total_canceled AS can
FROM goque.stats WHERE type LIKE 'savepoints%';

-- ---- ROLLBACK TO ----

-- add
BEGIN;
SELECT goque_add('savepoints.add', '1') > 0 AS added;
SAVEPOINT a;
SELECT goque_add('savepoints.add', '2', external_id => 'k') > 0 AS added;
SAVEPOINT b;
SELECT goque_add('savepoints.add', '3') > 0 AS added;
RELEASE b;
ROLLBACK TO a;
-- the key is free again
SELECT goque_add('savepoints.add', '4', external_id => 'k') > 0 AS added;
SAVEPOINT c;
SELECT goque_add('savepoints.add', '5') > 0 AS added;
RELEASE c;
COMMIT;
SELECT payload FROM t WHERE type = 'savepoints.add' ORDER BY id;
SELECT * FROM numbers WHERE type = 'savepoints.add';
SELECT payload FROM goque_fetch('savepoints.add', 10);

-- fetch: taken again at once by the same transaction, and by the next one
SELECT count(*) FROM goque_add_many('savepoints.fetch', ARRAY['1', '2', '3']::jsonb[]);
BEGIN;
SAVEPOINT a;
SELECT payload, attempt FROM goque_fetch('savepoints.fetch', 2);
ROLLBACK TO a;
SELECT payload, attempt FROM goque_fetch('savepoints.fetch');
SAVEPOINT b;
SELECT payload, attempt FROM goque_fetch('savepoints.fetch');
SAVEPOINT c;
SELECT payload, attempt FROM goque_fetch('savepoints.fetch');
ROLLBACK TO c;
ROLLBACK TO b;
COMMIT;
SELECT payload, status, attempts FROM t WHERE type = 'savepoints.fetch' ORDER BY id;
SELECT * FROM numbers WHERE type = 'savepoints.fetch';
SELECT payload, attempt FROM goque_fetch('savepoints.fetch', 10);

-- finish: each call, undone and done; the lease holds in between
CREATE TEMP TABLE fetched AS
SELECT row_number() OVER (ORDER BY id) AS n, id, token FROM
	(SELECT count(*) FROM goque_add_many('savepoints.finish', ARRAY['1', '2', '3', '4', '5']::jsonb[])) a, LATERAL goque_fetch('savepoints.finish', 5 + 0 * count::int);
CREATE FUNCTION pg_temp.id(n bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM fetched f WHERE f.n = $1 $$;
CREATE FUNCTION pg_temp.token(n bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT token FROM fetched f WHERE f.n = $1 $$;
BEGIN;
SAVEPOINT a;
SELECT goque_complete(pg_temp.id(1), pg_temp.token(1)), goque_fail(pg_temp.id(2), 'x', pg_temp.token(2)), goque_release(pg_temp.id(3), pg_temp.token(3)),
	goque_heartbeat(pg_temp.id(4), pg_temp.token(4), '1 hour', '"lost"') > now() AS heartbeat, goque_cancel(pg_temp.id(5));
SELECT goque_complete(pg_temp.id(1), pg_temp.token(1)), goque_heartbeat(pg_temp.id(5), pg_temp.token(5));
ROLLBACK TO a;
SELECT n, status, attempts, progress, lease_until - updated_at AS lease FROM t JOIN fetched USING (id) ORDER BY n;
SELECT goque_complete(pg_temp.id(1), pg_temp.token(1)), goque_release(pg_temp.id(2), pg_temp.token(2)), goque_fail(pg_temp.id(3), 'x', pg_temp.token(3), '1 hour'),
	goque_heartbeat(pg_temp.id(4), pg_temp.token(4), NULL, '"kept"') > now() AS heartbeat;
COMMIT;
SELECT n, status, attempts, progress, lease_until - updated_at AS lease FROM t JOIN fetched USING (id) ORDER BY n;
SELECT * FROM numbers WHERE type = 'savepoints.finish';
SELECT payload, attempt FROM goque_fetch('savepoints.finish', 10);
SELECT goque_complete(pg_temp.id(5), pg_temp.token(5));

-- retry, reschedule, purge, replace, and a whole transaction that comes to nothing
SELECT goque_add('savepoints.steer', '1', external_id => 'k') AS id \gset
BEGIN;
SAVEPOINT a;
SELECT goque_add('savepoints.steer', '2', external_id => 'k', priority => 9, delay => '1 day', on_conflict => 'replace') = :id AS replaced;
ROLLBACK TO a;
SELECT count(*) FROM goque_reschedule_many(ARRAY[:id], now() + interval '1 day', 5);
ROLLBACK TO a;
SELECT payload, priority FROM goque_fetch('savepoints.steer');
SELECT goque_complete(:id);
SAVEPOINT b;
SELECT goque_purge(:id);
ROLLBACK TO b;
SELECT goque_retry(:id);
ROLLBACK TO b;
SELECT status FROM t WHERE id = :id;
ROLLBACK;
SELECT payload, priority, status, attempts FROM t WHERE id = :id;
SELECT * FROM numbers WHERE type = 'savepoints.steer';
SELECT payload FROM goque_fetch('savepoints.steer');

-- settings
BEGIN;
SELECT goque_add('savepoints.pause', '1') > 0 AS added;
SAVEPOINT a;
SELECT goque_pause('savepoints.pause');
SELECT count(*) FROM goque_fetch('savepoints.pause');
ROLLBACK TO a;
SELECT payload FROM goque_fetch('savepoints.pause');
COMMIT;

-- ---- exception blocks ----

-- a worker that does its work in a block: the failure is recorded, the work undone
CREATE TEMP TABLE effects (n int);
SELECT count(*) FROM goque_add_many('savepoints.work', ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 6) n));
DO $$
DECLARE
	task goque.task;
BEGIN
	FOR task IN SELECT * FROM goque_fetch('savepoints.work', 6) LOOP
		BEGIN
			INSERT INTO effects VALUES ((task.payload #>> '{}')::int);
			PERFORM goque_complete(task.id, task.token);
			PERFORM 1 / ((task.payload #>> '{}')::int % 3);
		EXCEPTION WHEN division_by_zero THEN
			PERFORM goque_fail(task.id, SQLERRM, task.token);
		END;
	END LOOP;
END $$;
SELECT payload, status, error FROM t WHERE type = 'savepoints.work' ORDER BY id;
SELECT n FROM effects ORDER BY n;
SELECT * FROM numbers WHERE type = 'savepoints.work';

-- an error of goque itself inside of a block
DO $$
BEGIN
	PERFORM goque_add('savepoints.error', '1', external_id => 'k');
	BEGIN
		PERFORM goque_add_many('savepoints.error', ARRAY['2', '3']::jsonb[], ARRAY['free', 'k']);
	EXCEPTION WHEN unique_violation THEN
		PERFORM goque_add('savepoints.error', '4', external_id => 'free');
	END;
END $$;
SELECT payload FROM goque_fetch('savepoints.error', 10);
SELECT * FROM numbers WHERE type = 'savepoints.error';

-- ---- many ----

-- 200 subtransactions, one in two undone, of adds, then fetches, then finishes
DO $$
BEGIN
	FOR i IN 1 .. 200 LOOP
		BEGIN
			PERFORM goque_add('savepoints.many', to_jsonb(i));
			IF i % 2 = 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	END LOOP;
END $$;
SELECT count(*), bool_and((payload #>> '{}')::int % 2 = 1) AS odd FROM t WHERE type = 'savepoints.many';
SELECT * FROM numbers WHERE type = 'savepoints.many';
DO $$
BEGIN
	FOR i IN 1 .. 200 LOOP
		BEGIN
			PERFORM * FROM goque_fetch('savepoints.many');
			IF i % 2 = 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	END LOOP;
END $$;
SELECT status, attempts, count(*) FROM t WHERE type = 'savepoints.many' GROUP BY 1, 2 ORDER BY 1;
SELECT * FROM numbers WHERE type = 'savepoints.many';
SELECT count(*) FROM goque_fetch('savepoints.many', 200);
DO $$
DECLARE
	task record;
BEGIN
	FOR task IN SELECT id, token, row_number() OVER (ORDER BY id) AS n FROM goque.ring WHERE type = 'savepoints.many' LOOP
		BEGIN
			IF task.n % 3 = 0 THEN
				PERFORM goque_complete(task.id, task.token);
			ELSIF task.n % 3 = 1 THEN
				PERFORM goque_fail(task.id, 'x', task.token, '0');
			ELSE
				PERFORM goque_release(task.id, task.token);
			END IF;
			IF task.n % 2 = 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	END LOOP;
END $$;
SELECT status, attempts, count(*) FROM t WHERE type = 'savepoints.many' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM numbers WHERE type = 'savepoints.many';
SELECT count(*) FROM goque_fetch('savepoints.many', 200);
SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM t WHERE type = 'savepoints.many' AND status = 'processing'));
SELECT * FROM numbers WHERE type = 'savepoints.many';

-- 100 levels deep, undone from the middle
CREATE FUNCTION pg_temp.nest(level int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM goque_add('savepoints.deep', to_jsonb(level));
	BEGIN
		IF level < 100 THEN
			PERFORM pg_temp.nest(level + 1);
		END IF;
		IF level = 50 THEN
			RAISE EXCEPTION 'undo';
		END IF;
	EXCEPTION WHEN raise_exception THEN NULL;
	END;
END $$;
SELECT pg_temp.nest(1);
SELECT count(*), min((payload #>> '{}')::int), max((payload #>> '{}')::int) FROM goque_fetch('savepoints.deep', 200);
SELECT * FROM numbers WHERE type = 'savepoints.deep';
