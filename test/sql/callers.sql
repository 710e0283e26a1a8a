-- F13: who calls a fetch, and how. Claimed is what the call returned, no more.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE FUNCTION pg_temp.fill(type text, n int) RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM goque_add_many(type, ARRAY(SELECT to_jsonb(n) FROM generate_series(1, n) n)) $$;
CREATE FUNCTION pg_temp.claimed(of_type text) RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM goque.tasks WHERE type = of_type AND status = 'processing' $$;

-- a cursor: the call claims what it was told to, also if the cursor is not read to its end
SELECT pg_temp.fill('callers.cursor', 10);
BEGIN;
DECLARE c CURSOR FOR SELECT payload FROM goque_fetch('callers.cursor', 3);
SELECT pg_temp.claimed('callers.cursor');
FETCH 1 FROM c;
FETCH 2 FROM c;
FETCH 1 FROM c;
CLOSE c;
COMMIT;
SELECT pg_temp.claimed('callers.cursor');
-- a scrollable one does not claim twice, one WITH HOLD outlives its transaction
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT payload FROM goque_fetch('callers.cursor', 3);
FETCH ALL FROM c;
FETCH ABSOLUTE 1 FROM c;
FETCH BACKWARD ALL FROM c;
COMMIT;
FETCH ABSOLUTE 2 FROM c;
CLOSE c;
SELECT pg_temp.claimed('callers.cursor');
-- one that is never read claims nothing; one that is rolled back neither
BEGIN;
DECLARE c CURSOR FOR SELECT payload FROM goque_fetch('callers.cursor', 3);
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT payload FROM goque_fetch('callers.cursor', 3);
FETCH c;
ROLLBACK;
SELECT pg_temp.claimed('callers.cursor');

-- LIMIT over a call does not stop it halfway; LIMIT 0 does not call it
SELECT pg_temp.fill('callers.limit', 10);
SELECT payload FROM goque_fetch('callers.limit', 3) LIMIT 1;
SELECT pg_temp.claimed('callers.limit');
SELECT payload FROM goque_fetch('callers.limit', 3) LIMIT 0;
SELECT pg_temp.claimed('callers.limit');
SELECT payload FROM goque_fetch('callers.limit', 3) WHERE false;
SELECT EXISTS (SELECT FROM goque_fetch('callers.limit', 2));
SELECT pg_temp.claimed('callers.limit');

-- LATERAL: a call a row
SELECT pg_temp.fill('callers.a', 5), pg_temp.fill('callers.b', 5);
SELECT v.type, f.payload FROM (VALUES ('callers.a', 2), ('callers.b', 1), ('callers.a', 1)) v(type, n), LATERAL goque_fetch(v.type, v.n) f;
SELECT pg_temp.claimed('callers.a'), pg_temp.claimed('callers.b');
-- a join with a call that does not depend on the other side calls it once
SELECT n, payload FROM generate_series(1, 2) n CROSS JOIN goque_fetch('callers.b', 1) ORDER BY n;
SELECT pg_temp.claimed('callers.b');

-- WITH: called once, however often it is read, and not at all if it is not
SELECT pg_temp.fill('callers.with', 10);
WITH f AS (SELECT * FROM goque_fetch('callers.with', 2)) SELECT a.payload, b.payload FROM f a, f b ORDER BY a.id, b.id;
SELECT pg_temp.claimed('callers.with');
WITH f AS (SELECT * FROM goque_fetch('callers.with', 2)) SELECT 1 AS unread;
SELECT pg_temp.claimed('callers.with');
-- fetched and completed in one statement
WITH f AS (SELECT * FROM goque_fetch('callers.with', 2)) SELECT payload, goque_complete(id, token) FROM f;
WITH f AS (SELECT array_agg(id) AS ids, array_agg(token) AS tokens FROM goque_fetch('callers.with', 2))
SELECT count(*) FROM f, LATERAL goque_complete_many(ids, tokens);
SELECT status, count(*) FROM goque.tasks WHERE type = 'callers.with' GROUP BY status ORDER BY status;

-- in INSERT ... SELECT, in IN, in a select list, in a scalar subquery
SELECT pg_temp.fill('callers.places', 10);
CREATE TEMP TABLE got AS SELECT * FROM goque_fetch('callers.places', 2);
INSERT INTO got SELECT * FROM goque_fetch('callers.places', 2);
SELECT payload, lease FROM got ORDER BY id;
SELECT payload FROM goque.tasks WHERE id IN (SELECT id FROM goque_fetch('callers.places', 2)) ORDER BY id;
SELECT (goque_fetch('callers.places', 2)).payload;
SELECT (SELECT payload FROM goque_fetch('callers.places'));
SELECT pg_temp.claimed('callers.places');
-- the row as goque.task, to functions and as JSON
SELECT (f).payload, (f).attempt FROM goque_fetch('callers.places') f;
SELECT pg_temp.claimed('callers.places'), count(*) FROM got;

-- EXPLAIN calls nothing, EXPLAIN ANALYZE does
SELECT pg_temp.fill('callers.explain', 10);
DO $$
BEGIN
	EXECUTE 'EXPLAIN SELECT * FROM goque_fetch(''callers.explain'', 2)';
	EXECUTE 'EXPLAIN VERBOSE SELECT goque_add(''callers.explain'')';
END $$;
SELECT pg_temp.claimed('callers.explain'), ready FROM goque.stats WHERE type = 'callers.explain';
DO $$
BEGIN
	EXECUTE 'EXPLAIN ANALYZE SELECT * FROM goque_fetch(''callers.explain'', 2)';
	EXECUTE 'EXPLAIN ANALYZE SELECT goque_add(''callers.explain'')';
END $$;
SELECT pg_temp.claimed('callers.explain'), ready FROM goque.stats WHERE type = 'callers.explain';

-- prepared, with a plan that is used again; from SQL and PL/pgSQL functions
SELECT pg_temp.fill('callers.prepared', 20);
SET plan_cache_mode = force_generic_plan;
PREPARE f (text, int) AS SELECT payload FROM goque_fetch($1, $2);
EXECUTE f ('callers.prepared', 2);
EXECUTE f ('callers.prepared', 2);
RESET plan_cache_mode;
CREATE FUNCTION pg_temp.in_sql() RETURNS SETOF goque.task LANGUAGE sql AS $$ SELECT * FROM goque_fetch('callers.prepared', 2) $$;
SELECT payload FROM pg_temp.in_sql();
CREATE FUNCTION pg_temp.in_plpgsql() RETURNS SETOF goque.task LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT * FROM goque_fetch('callers.prepared', 2); END $$;
SELECT payload FROM pg_temp.in_plpgsql();
SELECT pg_temp.claimed('callers.prepared');

-- ---- parallel plans ----

SELECT set_config(CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode' ELSE 'debug_parallel_query' END, 'on', false) AS parallel;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT pg_temp.fill('callers.parallel', 20);
SELECT payload FROM goque_fetch('callers.parallel', 2);
SELECT payload, goque_complete(id, token) FROM goque_fetch('callers.parallel', 2);
SELECT goque_add('callers.parallel', '"p"') > 0 AS added;
SELECT status, count(*) FROM goque.tasks WHERE type = 'callers.parallel' GROUP BY status ORDER BY status;
SELECT ready, processing, done FROM goque.stats WHERE type = 'callers.parallel';
SELECT type, max_attempts FROM goque.task_types WHERE type = 'callers.parallel';
SELECT count(*) > 0 AS healthy FROM goque.health;
-- all that changes something is unsafe in a parallel plan
SELECT proname, proparallel FROM pg_proc WHERE proname LIKE 'goque%' AND proparallel <> 'u';
-- who lies about it is told
CREATE FUNCTION callers_lie(call text) RETURNS void LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN
	EXECUTE 'SELECT ' || call;
END $$;
\set VERBOSITY terse
SELECT callers_lie($$goque_add('callers.parallel')$$);
SELECT callers_lie($$goque_add_many('callers.parallel', '{1}')$$);
SELECT callers_lie($$goque_fetch('callers.parallel')$$);
SELECT callers_lie($$goque_fetch_any(NULL)$$);
SELECT callers_lie($$goque_complete(1)$$);
SELECT callers_lie($$goque_heartbeat(1)$$);
SELECT callers_lie($$goque_guard(1, 1)$$);
SELECT callers_lie($$goque_wait_for(1, '0')$$);
SELECT callers_lie($$goque_why(1)$$);
SELECT callers_lie($$goque_cancel_all('callers.parallel')$$);
SELECT callers_lie($$goque_heal()$$);
SELECT callers_lie($$goque_clean()$$);
SELECT callers_lie($$goque_pause('callers.parallel')$$);
\set VERBOSITY default
SELECT ready, processing, done, canceled FROM goque.stats WHERE type = 'callers.parallel';
DROP FUNCTION callers_lie;
