-- Hostile names, payloads and search paths.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'hostile%' OR external_id LIKE 'hostile%' ORDER BY id;

-- ---- F53: names ----

-- stored as given, through every call that takes a name
CREATE TEMP TABLE names (n serial, name text);
INSERT INTO names (name) VALUES
	($$hostile 'quoted'$$), ($$hostile "double"$$), ($$hostile '); DROP TABLE goque.settings; --$$), (E'hostile\nnew\r\nline\tand\x01control\x7f'),
	('hostile %s %n %d %% %1$s'), ('hostile \ back \\ slash'), ('hostile $1 $$ {} []'), ('hostile ' || repeat(chr(228), 60)), ('hostile ' || chr(128512) || chr(8364)),
	('hostile '), ('hostile NULL'), ('hostile.' || repeat('x', 120));
CREATE FUNCTION pg_temp.round_trip(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	task bigint;
	fetched record;
BEGIN
	PERFORM goque_configure(name, max_attempts => 7);
	PERFORM goque_pause(name);
	PERFORM goque_resume(name);
	task := goque_add(name, '1', external_id => name, metadata => to_jsonb(name));
	IF goque_add(name, external_id => name, on_conflict => 'ignore') <> task THEN
		RETURN 'external_id';
	END IF;
	SELECT * INTO fetched FROM goque_fetch(name, worker => name);
	IF fetched.type <> name OR fetched.external_id <> name OR fetched.max_attempts <> 7 THEN
		RETURN 'fetch';
	END IF;
	PERFORM goque_fail(task, name, retry_in => '0');
	SELECT * INTO fetched FROM goque_fetch_any(ARRAY[name], worker => name);
	IF fetched.id <> task THEN
		RETURN 'fetch_any';
	END IF;
	PERFORM goque_fail(task, name, retry => false);
	PERFORM 1 FROM goque.tasks t WHERE t.type = name AND t.external_id = name AND t.worker = name AND t.error = name AND t.metadata = to_jsonb(name)
		AND errors NOT LIKE E'%\n%\n%' AND t.status = 'attempts_left';
	IF NOT FOUND THEN
		RETURN 'tasks';
	END IF;
	IF goque_retry_all(name, error_like => 'no such error') <> 0 OR goque_retry_all(name) <> 1 OR goque_cancel_all(name) <> 1 THEN
		RETURN 'all';
	END IF;
	PERFORM 1 FROM goque.stats s JOIN goque.task_types USING (type) WHERE s.type = name AND s.canceled = 1 AND max_attempts = 7;
	IF NOT FOUND THEN
		RETURN 'views';
	END IF;
	IF goque_heal(name) <> 0 OR goque_clean(name) <> 0 OR NOT goque_purge(task) OR NOT goque_unconfigure(name) THEN
		RETURN 'maintenance';
	END IF;
	RETURN 'ok';
END
$$;
SELECT n, octet_length(name), pg_temp.round_trip(name) FROM names ORDER BY n;
-- INSERT takes them too
INSERT INTO goque.tasks (type, external_id) SELECT name, name FROM names;
SELECT count(*), bool_and(t.type = name AND t.external_id = name) FROM names JOIN t ON t.type = name;
SELECT count(*) FROM names, LATERAL goque_fetch(name) f WHERE f.type = name;
-- 128 bytes, and a character across the border: refused, and shown whole
SELECT goque_add('hostile' || repeat(chr(228), 60) || 'x', '"128"') > 0 AS added;
SELECT pg_temp.refused($$SELECT goque_add('hostile' || repeat(chr(228), 61))$$) ~ ('^22023: type of a task is too long\nDETAIL: "hostile' || chr(228) || '{61}" has 129 bytes\.') AS refused;
-- details are cut at 100 characters, not bytes, and stay on one line
SELECT pg_temp.refused($$SELECT goque_add(repeat(chr(228), 100) || 'x')$$) ~ ('DETAIL: "' || chr(228) || '{100}\.\.\." has 201 bytes') AS cut;
SELECT pg_temp.refused($$SELECT goque_add('hostile', on_conflict => E'a\nLOG:  forged\r\t\x01\x7f%s%n')$$);
SELECT goque_add('hostile', external_id => E'hostile\n%s') > 0 AS added;
SELECT regexp_replace(pg_temp.refused($$SELECT goque_add('hostile', external_id => E'hostile\n%s')$$), 'Task [0-9]+', 'Task ID');
-- control characters do not reach the views that go to logs and terminals
SELECT goque_add(E'hostile\nforged line', max_attempts => 1) AS id \gset
SELECT count(*) FROM goque_fetch(E'hostile\nforged line', worker => E'w\nforged');
SELECT goque_fail(:id, E'a\nb');
SELECT count(*) FROM goque.health WHERE detail ~ '[[:cntrl:]]' OR hint ~ '[[:cntrl:]]';
SELECT count(*) FROM goque.workers WHERE what ~ '[[:cntrl:]]';
SELECT detail LIKE '%hostile?forged line (1)%' AS named FROM goque.health WHERE check_name = 'dead_letters';

-- ---- F54: payloads and arrays ----

-- every shape of JSON comes back equal, as payload, metadata, progress and result
CREATE TEMP TABLE shapes (n serial, j jsonb);
INSERT INTO shapes (j) VALUES
	('null'), ('true'), ('false'), ('0'), ('-1.5e-30'), ('123456789012345678901234567890.123456789'), ('""'), ('"text"'), ('"\"\\/\b\f\n\r\t"'), ('"\u00e4\ud83d\ude00"'),
	('[]'), ('{}'), ('[[]]'), ('[null]'), ('[1, "a", {"b": [2, {"c": null}]}]'), ('{"": ""}'), ('{"a": {"a": {"a": 1}}}'), ('{"__proto__": 1, "constructor": 2}'),
	('{"id": 1, "token": 2, "status": "done"}'), ('[1e131071]'), (to_jsonb(repeat('x', 100000))), ((SELECT jsonb_agg(i) FROM generate_series(1, 10000) i)),
	((SELECT jsonb_object_agg(i, i) FROM generate_series(1, 10000) i)), ((repeat('[', 3000) || repeat(']', 3000))::jsonb), ((repeat('{"a":', 2000) || '1' || repeat('}', 2000))::jsonb);
CREATE FUNCTION pg_temp.keeps(j jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	task bigint := goque_add('hostile.shape', j, metadata => j);
	f goque.task;
	t record;
BEGIN
	SELECT * INTO f FROM goque_fetch('hostile.shape');
	IF f.payload IS DISTINCT FROM j OR f.metadata IS DISTINCT FROM j THEN
		RETURN 'fetch';
	END IF;
	PERFORM goque_heartbeat(task, f.token, progress => j);
	IF NOT goque_complete(task, f.token, j) THEN
		RETURN 'complete';
	END IF;
	SELECT * INTO t FROM goque.tasks WHERE id = task;
	IF t.payload IS DISTINCT FROM j OR t.metadata IS DISTINCT FROM j OR t.progress IS DISTINCT FROM j OR t.result IS DISTINCT FROM j THEN
		RETURN 'tasks';
	END IF;
	RETURN 'ok';
END
$$;
SELECT pg_temp.keeps(j) AS keeps, count(*) FROM shapes GROUP BY 1;
-- a payload that is the JSON null is not a missing one
SELECT count(*) FROM t WHERE type = 'hostile.shape' AND payload = 'null';
-- all of them in one call
SELECT count(*) FROM goque_add_many('hostile.shapes', ARRAY(SELECT j FROM shapes ORDER BY n));
SELECT count(*), bool_and(f.payload = s.j) FROM (SELECT payload, row_number() OVER (ORDER BY id) AS n FROM goque_fetch('hostile.shapes', 100)) f JOIN shapes s USING (n);

-- what jsonb itself refuses never gets here
SELECT pg_temp.refused($$SELECT goque_add('hostile', '"\u0000"')$$) ~ '^22P05' AS refused;
SELECT pg_temp.refused($$SELECT goque_add('hostile', '{"a": 1')$$) ~ '^22P02' AS refused;
SELECT pg_temp.refused($$SELECT goque_add('hostile', (repeat('[', 100000) || repeat(']', 100000))::jsonb)$$) ~ '^54001' AS refused;
SELECT pg_temp.refused($$SELECT goque_add('hostile', '{1,2}')$$) ~ '^22P02' AS refused;
SELECT pg_temp.refused($$SELECT goque_add('hostile', NULL::json)$$) ~ '^42883' AS refused;
-- at the limit, and a byte over it
SELECT pg_column_size(to_jsonb(''::text)) - 4 AS overhead \gset
SELECT goque_add('hostile.limit', to_jsonb(repeat('x', 1048576 - :overhead))) > 0 AS added;
SELECT pg_temp.refused(format('SELECT goque_add(''hostile.limit'', to_jsonb(repeat(''x'', 1048577 - %s)))', :overhead)) ~ '^54000: .* 1048577 bytes' AS refused;
-- compressed or not, it is the size of the value that counts; a stored one is not a way around
CREATE TEMP TABLE large AS SELECT to_jsonb(repeat('x', 2000000)) AS j;
SELECT pg_temp.refused($$SELECT goque_add('hostile.limit', j) FROM large$$) ~ '^54000' AS refused;
SELECT pg_temp.refused($$SELECT goque_add_many('hostile.limit', ARRAY['1', j]) FROM large$$) ~ '^54000' AS refused;
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, payload) SELECT 'hostile.limit', j FROM large$$) ~ '^54000' AS refused;
-- a payload from another table does not depend on that table's storage
UPDATE large SET j = to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 10000) i));
SELECT goque_add('hostile.toast', j) > 0 AS added FROM large;
SELECT md5((j #>> '{}')) AS md5 FROM large \gset
DROP TABLE large;
SELECT md5(payload #>> '{}') = :'md5' AS whole FROM goque_fetch('hostile.toast');

-- arrays: nulls, dimensions, bounds
SELECT count(*) FROM goque_add_many('hostile.array', '[0:2]={1,2,3}', '[-5:-3]={a,NULL,c}');
SELECT count(*) FROM goque_add_many('hostile.array', ('[2147483640:2147483641]={1,2}')::jsonb[]);
SELECT payload, external_id FROM t WHERE type = 'hostile.array';
SELECT pg_temp.refused($$SELECT goque_add_many('hostile', '{1,NULL}')$$) ~ '^22004' AS refused;
SELECT pg_temp.refused($$SELECT goque_add_many('hostile', '{{1,2}}')$$) ~ '^22023' AS refused;
SELECT pg_temp.refused($$SELECT goque_add_many('hostile', '{1}', '{{a}}')$$) ~ '^22023' AS refused;
SELECT count(*) FROM goque_fetch_any('[0:1]={hostile.array,hostile.nothing}', 1);
SELECT count(*) FROM goque_add_many('hostile', '{}'), goque_complete_many('{}') a, goque_cancel_many('{}') b;

-- guessed ids and tokens change nothing: A8
CREATE TEMP TABLE before AS SELECT pg_temp.stock() AS stock;
SELECT count(*) FILTER (WHERE goque_complete(i, 1)), count(goque_heartbeat(i, -1)), count(goque_fail(i, 'x', 9007199254740991)), count(*) FILTER (WHERE goque_release(i, -9223372036854775808))
FROM goque.tasks t, LATERAL (SELECT t.id AS i) x;
SELECT count(*) FROM unnest(ARRAY[0, -1, 2147483648, 9223372036854775807, -9223372036854775808]) i
WHERE goque_complete(i) OR goque_cancel(i) OR goque_retry(i) OR goque_purge(i) OR goque_release(i) OR goque_heartbeat(i) IS NOT NULL OR goque_fail(i, 'x') IS NOT NULL;
SELECT stock = pg_temp.stock() AS same FROM before;

-- ---- A1: decoys ----

-- functions, operators, types, tables and casts of the same names, first in every path: none is ever called
CREATE SCHEMA hostile_decoys;
CREATE SEQUENCE hostile_decoys.called;
CREATE FUNCTION hostile_decoys.decoy() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('hostile_decoys.called') $$;
DO $$
DECLARE
	s text;
	f record;
BEGIN
	FOREACH s IN ARRAY '{hostile_decoys,pg_temp}'::text[] LOOP
		-- what goque's SQL calls or may seem to call
		FOR f IN SELECT * FROM (VALUES
			('now', '', 'timestamptz', 'now()'), ('clock_timestamp', '', 'timestamptz', 'now()'), ('current_database', '', 'name', '''x''::name'),
			('format', 'text, VARIADIC text[]', 'text', '''x'''), ('num_nonnulls', 'VARIADIC "any"', 'int', '0'),
			('regexp_replace', 'text, text, text, text', 'text', '''x'''), ('coalesce', 'bigint, bigint', 'bigint', '0'),
			('has_function_privilege', 'oid, text', 'boolean', 'true'), ('left', 'text, int', 'text', '''x'''), ('concat', 'text, text', 'text', '''x'''),
			('snapshot_guard', '', 'boolean', 'true'), ('may_see_payload', '', 'boolean', 'true'),
			('goque_add', 'text, jsonb', 'bigint', '0'), ('goque_fetch', 'text', 'SETOF bigint', '0'), ('goque_complete', 'bigint, bigint', 'boolean', 'true')) v(name, args, returns, value)
			WHERE name NOT IN ('num_nonnulls', 'coalesce')
		LOOP
			EXECUTE format('CREATE FUNCTION %s.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile_decoys.decoy(); RETURN%s %s; END $f$',
				s, f.name, f.args, f.returns, CASE WHEN f.returns LIKE 'SETOF%' THEN ' NEXT' ELSE '' END, f.value);
		END LOOP;
		-- operators that every statement uses
		EXECUTE format('CREATE FUNCTION %1$s.op_text(text, text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile_decoys.decoy(); RETURN true; END $f$', s);
		EXECUTE format('CREATE FUNCTION %1$s.op_int(int, int) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile_decoys.decoy(); RETURN true; END $f$', s);
		EXECUTE format('CREATE FUNCTION %1$s.op_bigint(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile_decoys.decoy(); RETURN true; END $f$', s);
		EXECUTE format('CREATE FUNCTION %1$s.op_time(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM hostile_decoys.decoy(); RETURN true; END $f$', s);
		EXECUTE format('CREATE OPERATOR %1$s.= (FUNCTION = %1$s.op_text, LEFTARG = text, RIGHTARG = text)', s);
		EXECUTE format('CREATE OPERATOR %1$s.<> (FUNCTION = %1$s.op_text, LEFTARG = text, RIGHTARG = text)', s);
		EXECUTE format('CREATE OPERATOR %1$s.= (FUNCTION = %1$s.op_int, LEFTARG = int, RIGHTARG = int)', s);
		EXECUTE format('CREATE OPERATOR %1$s.= (FUNCTION = %1$s.op_bigint, LEFTARG = bigint, RIGHTARG = bigint)', s);
		EXECUTE format('CREATE OPERATOR %1$s.> (FUNCTION = %1$s.op_int, LEFTARG = int, RIGHTARG = int)', s);
		EXECUTE format('CREATE OPERATOR %1$s.< (FUNCTION = %1$s.op_time, LEFTARG = timestamptz, RIGHTARG = timestamptz)', s);
		-- tables and types of goque's and the server's names
		EXECUTE format('CREATE TABLE %s.settings (type text, paused boolean DEFAULT true)', s);
		EXECUTE format('CREATE TABLE %s.tasks (id bigint)', s);
		EXECUTE format('CREATE TABLE %s.tasks_0 (id bigint)', s);
		EXECUTE format('CREATE TABLE %s.key_locks (type text, external_id text)', s);
		EXECUTE format('CREATE TABLE %s.pg_extension (extname name, extversion text)', s);
		EXECUTE format('CREATE TABLE %s.pg_class (oid oid, relname name, relnamespace oid)', s);
		EXECUTE format('CREATE TABLE %s.pg_prepared_xacts (database name)', s);
		EXECUTE format('CREATE DOMAIN %s.jsonb AS text CHECK (hostile_decoys.decoy() > 0)', s);
		EXECUTE format('CREATE DOMAIN %s.interval AS text CHECK (hostile_decoys.decoy() > 0)', s);
	END LOOP;
END $$;
SELECT set_config('search_path', 'pg_temp, hostile_decoys, public, pg_catalog', false);
-- the decoys do work: this is one
SELECT 'a'::text = 'b'::text AS decoy;
SELECT last_value AS called FROM hostile_decoys.called \gset
CREATE FUNCTION public.hostile_all() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a pg_catalog.int8;
	b pg_catalog.int8;
BEGIN
	PERFORM public.goque_configure('hostile.decoy', max_attempts => 4, retention => '1 day', backoff => 'static');
	PERFORM public.goque_pause('hostile.decoy');
	PERFORM public.goque_resume('hostile.decoy');
	a := public.goque_add(type => 'hostile.decoy', payload => '{"n": 1}', external_id => 'k', max_attempts => 3);
	b := public.goque_add(type => 'hostile.decoy', payload => '{"n": 2}', external_id => 'k', on_conflict => 'replace');
	PERFORM public.goque_add_many(type => 'hostile.decoy', payloads => '{1,2}'::pg_catalog._jsonb, external_ids => '{x,y}');
	INSERT INTO goque.tasks (type, external_id) VALUES ('hostile.decoy', 'z');
	PERFORM public.goque_fetch(type => 'hostile.decoy', max_tasks => 3);
	PERFORM public.goque_fetch_any(types => '{hostile.decoy}'::pg_catalog._text);
	PERFORM public.goque_heartbeat(id => a, lease => '1 min');
	PERFORM public.goque_complete(id => a, result => '1');
	PERFORM public.goque_retry(id => a);
	PERFORM public.goque_cancel(id => a);
	PERFORM public.goque_purge(id => a);
	PERFORM public.goque_fail(id => a OPERATOR(pg_catalog.+) 1, error => 'x');
	PERFORM public.goque_release(id => a OPERATOR(pg_catalog.+) 2);
	PERFORM public.goque_cancel_all(type => 'hostile.decoy', status => 'new');
	PERFORM public.goque_retry_all(type => 'hostile.decoy', status => 'canceled', error_like => 'x%');
	PERFORM public.goque_heal();
	PERFORM public.goque_clean();
	PERFORM pg_catalog.count(*) FROM goque.tasks;
	PERFORM pg_catalog.count(*) FROM goque.task_types;
	PERFORM pg_catalog.count(*) FROM goque.stats;
	PERFORM pg_catalog.count(*) FROM goque.workers;
	PERFORM pg_catalog.count(*) FROM goque.health;
	PERFORM public.goque_unconfigure('hostile.decoy');
	RETURN 'done';
END
$$;
SELECT public.hostile_all();
CALL public.goque_wait(NULL, '0');
-- roles, and the trigger of the settings
CREATE ROLE regress_goque_decoy;
SELECT public.goque_grant('regress_goque_decoy', 'admin');
SELECT public.goque_revoke('regress_goque_decoy', 'admin');
DROP ROLE regress_goque_decoy;
-- not one was called
SELECT last_value OPERATOR(pg_catalog.-) :called AS calls FROM hostile_decoys.called;
SELECT pg_catalog.count(*) FROM hostile_decoys.settings;
RESET search_path;
SELECT status, count(*) FROM goque.tasks WHERE type = 'hostile.decoy' GROUP BY status ORDER BY status;

-- the extension is made under such a path as well, and its views mean what they should
SET client_min_messages = warning;
DROP VIEW t;
DROP EXTENSION goque;
SELECT set_config('search_path', 'hostile_decoys, pg_temp, public, pg_catalog', false);
CREATE EXTENSION goque SCHEMA public;
SELECT public.hostile_all();
SELECT last_value OPERATOR(pg_catalog.-) :called AS calls FROM hostile_decoys.called;
RESET search_path;
DROP FUNCTION hostile_all;
DROP SCHEMA hostile_decoys CASCADE;
-- A3: planted before: a schema of that name is not taken over
DROP EXTENSION goque;
CREATE SCHEMA goque;
\set VERBOSITY terse
CREATE EXTENSION goque;
\set VERBOSITY default
DROP SCHEMA goque;
-- a schema whose name needs quotes
CREATE SCHEMA "hostile ' "" $$ schema";
CREATE EXTENSION goque SCHEMA "hostile ' "" $$ schema";
SELECT "hostile ' "" $$ schema".goque_add('hostile', '1') > 0 AS added;
SELECT payload FROM "hostile ' "" $$ schema".goque_fetch('hostile');
SELECT payload FROM goque.tasks;
DROP EXTENSION goque;
DROP SCHEMA "hostile ' "" $$ schema";
CREATE EXTENSION goque;
SELECT goque_add('hostile') > 0 AS added;
