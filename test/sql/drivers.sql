-- What drivers send: parameters without a type, named notation.

-- no name is overloaded, so that an untyped parameter always resolves
SELECT proname, count(*) FROM pg_proc WHERE proname LIKE 'goque\_%' GROUP BY proname HAVING count(*) > 1;

-- ---- untyped parameters ----

PREPARE add AS SELECT goque_add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) > 0 AS added;
PREPARE add_1 AS SELECT goque_add($1) > 0 AS added;
PREPARE add_2 AS SELECT goque_add($1, $2) > 0 AS added;
PREPARE add_many AS SELECT goque_add_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) > 0 AS added;
PREPARE add_many_2 AS SELECT goque_add_many($1, $2) > 0 AS added;
PREPARE fetch_5 AS SELECT payload, lease FROM goque_fetch($1, $2, $3, $4, $5);
PREPARE fetch_1 AS SELECT payload FROM goque_fetch($1);
PREPARE fetch_any AS SELECT payload FROM goque_fetch_any($1, $2, $3, $4, $5);
PREPARE complete AS SELECT goque_complete($1, $2, $3);
PREPARE complete_1 AS SELECT goque_complete($1);
PREPARE complete_many AS SELECT goque_complete_many($1, $2, $3);
PREPARE fail AS SELECT goque_fail($1, $2, $3, $4, $5);
PREPARE fail_many AS SELECT goque_fail_many($1, $2, $3, $4, $5);
PREPARE release AS SELECT goque_release($1, $2, $3);
PREPARE release_many AS SELECT goque_release_many($1, $2, $3);
PREPARE heartbeat AS SELECT goque_heartbeat($1, $2, $3, $4) IS NOT NULL AS held;
PREPARE heartbeat_many AS SELECT goque_heartbeat_many($1, $2, $3);
PREPARE cancel AS SELECT goque_cancel($1);
PREPARE cancel_many AS SELECT goque_cancel_many($1);
PREPARE cancel_all AS SELECT goque_cancel_all($1, $2, $3);
PREPARE retry AS SELECT goque_retry($1, $2);
PREPARE retry_many AS SELECT goque_retry_many($1, $2);
PREPARE retry_all AS SELECT goque_retry_all($1, $2, $3, $4);
PREPARE reschedule_many AS SELECT goque_reschedule_many($1, $2, $3);
PREPARE purge AS SELECT goque_purge($1);
PREPARE configure AS SELECT goque_configure($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);
PREPARE unconfigure AS SELECT goque_unconfigure($1);
PREPARE pause AS SELECT goque_pause($1);
PREPARE resume AS SELECT goque_resume($1);
PREPARE heal AS SELECT goque_heal($1);
PREPARE clean AS SELECT goque_clean($1);
PREPARE insert AS INSERT INTO goque.tasks (type, payload, external_id, priority, max_attempts, timeout, metadata, next_attempt_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name COLLATE "C";

-- all of them as text, as drivers send them
EXECUTE add ('drivers', '{"n": 1}', 'ext', '-5', NULL, '0', '3', '1 min', NULL, NULL, '{"m": 1}', 'error', 'kept', '1 day');
EXECUTE add ('drivers', '{"n": 2}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
EXECUTE add_1 ('drivers');
EXECUTE add_2 ('drivers', '[1, 2]');
EXECUTE add_many ('drivers', '{"{\"n\": 5}","{\"n\": 6}"}', '{a,NULL}', NULL, '1', NULL, NULL, NULL, NULL, NULL, NULL, 'skip', 'live', NULL);
EXECUTE add_many_2 ('drivers', '{"1","2"}');
EXECUTE insert ('drivers', '{"n": 9}', NULL, '2', '1', '30', NULL, NULL, NULL);
EXECUTE fetch_5 ('drivers', '2', '45 s', '0', 'w');
EXECUTE fetch_1 ('drivers');
EXECUTE fetch_any ('{drivers,"drivers b"}', '100', NULL, NULL, NULL);
SELECT array_agg(id ORDER BY id) AS ids, (array_agg(id ORDER BY id))[1] AS id1, (array_agg(id ORDER BY id))[2] AS id2, (array_agg(id ORDER BY id))[3] AS id3 FROM goque.tasks WHERE type = 'drivers' \gset
EXECUTE heartbeat (:'id1', '0', '1 min', '{"page": 1}');
EXECUTE complete (:'id1', '0', '{"ok": true}');
EXECUTE complete_1 (:'id2');
EXECUTE fail (:'id3', 'x', '0', '1 min', 'true');
SELECT count(*) FROM goque_heartbeat_many(:'ids');
-- the words of the lists too
EXECUTE cancel_all ('drivers', 'error', NULL);
EXECUTE retry_all ('drivers', 'canceled', '1', 'x%');
EXECUTE cancel (:'id3');
EXECUTE retry (:'id3', '2100-01-01');
EXECUTE reschedule_many ('{-1,-2}', NULL, '7');
EXECUTE configure ('drivers', '3', '1 min', 'step', NULL, NULL, '0', '{1 s,1 min}', '1 day', NULL, NULL, NULL, NULL, NULL);
EXECUTE unconfigure ('drivers');
EXECUTE pause ('drivers');
EXECUTE resume ('drivers');
EXECUTE heal ('drivers');
EXECUTE clean ('drivers');
DEALLOCATE ALL;

-- ---- named notation ----

-- every argument of every function has the name that the reference gives it
\pset format unaligned
\pset tuples_only on
SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid) AS result
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE p.proname LIKE 'goque\_%' ORDER BY p.proname COLLATE "C";
\pset format aligned
\pset tuples_only off
-- in any order, and mixed with positions
SELECT goque_add(payload => '{"n": 1}', type => 'drivers.named', priority => -1) > 0 AS added;
SELECT goque_add('drivers.named', priority := 5, payload := '{"n": 2}') > 0 AS added;
SELECT payload, lease FROM goque_fetch(lease => '1 min', type => 'drivers.named', max_tasks => 2);
SELECT goque_complete(result => '1', id => id) FROM goque.tasks WHERE type = 'drivers.named' ORDER BY id;

-- ---- types that need a cast ----

\set VERBOSITY sqlstate
PREPARE typed (text, json) AS SELECT goque_add($1, $2);
PREPARE typed (text, jsonb) AS SELECT goque_add($1, $2) > 0 AS added;
EXECUTE typed ('drivers.typed', '1');
DEALLOCATE typed;
PREPARE typed (text, varchar) AS SELECT goque_add($1, $2);
PREPARE typed (varchar, varchar) AS SELECT goque_add($1, $2::jsonb) > 0 AS added;
EXECUTE typed ('drivers.typed', '2');
DEALLOCATE typed;
PREPARE typed (text, bigint) AS SELECT * FROM goque_fetch($1, $2);
PREPARE typed (text, bigint) AS SELECT payload FROM goque_fetch($1, $2::int);
EXECUTE typed ('drivers.typed', 10);
DEALLOCATE typed;
\set VERBOSITY default
-- an int passes where a bigint is wanted
SELECT goque_complete((-1)::int, 1::smallint), goque_cancel((-1)::smallint);
-- a node array for a jsonb payload becomes an empty object: documented
SELECT goque_add('drivers.node', '{}') > 0 AS added;
SELECT payload FROM goque_fetch('drivers.node');
