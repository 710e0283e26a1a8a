-- Attacks by names: decoys in the path of the caller, overloads beside our functions,
-- objects that are there before CREATE EXTENSION, schemas whose names are SQL.
BEGIN;
SELECT plan(36);

CREATE ROLE gq_victim;
CREATE ROLE gq_attacker;
SELECT goque_grant('gq_victim', 'admin') \g /dev/null

-- ---- A1: decoys in the caller's path ----

-- Each decoy that is called raises.  They match better than, or as well as, what
-- pg_catalog has, and stand before it.
CREATE SCHEMA decoys AUTHORIZATION gq_attacker;
GRANT USAGE ON SCHEMA decoys TO PUBLIC;
SELECT n.oid AS catalog FROM pg_namespace n WHERE nspname = 'pg_catalog' \gset
SET LOCAL ROLE gq_attacker;
CREATE FUNCTION decoys.called(name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN RAISE EXCEPTION 'decoy % was called', name; END $$;
RESET ROLE;

-- copies of every function of pg_catalog that our own SQL could mean
CREATE FUNCTION pg_temp.decoy(p pg_proc) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE FUNCTION decoys.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', p.proname,
		pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid),
		format('BEGIN PERFORM decoys.called(%L); RETURN NULL; END', p.proname));
END
$$;
SELECT count(pg_temp.decoy(p)) > 50 AS made FROM pg_proc p
WHERE pronamespace = :catalog AND prokind = 'f' AND proname IN ('now', 'clock_timestamp', 'coalesce', 'format', 'concat', 'left', 'regexp_replace', 'num_nonnulls',
	'current_database', 'has_function_privilege', 'lower', 'length', 'nextval', 'setval', 'jsonb_typeof', 'to_jsonb', 'pg_backend_pid', 'texteq', 'int8eq', 'int2eq', 'timestamptz_le', 'timestamptz_gt', 'int4', 'int8', 'text', 'interval_gt')
	AND pronargs > 0 AND NOT 'internal'::regtype = ANY (proargtypes) AND provariadic = 0 AND proargnames IS NULL \g /dev/null
CREATE FUNCTION decoys.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM decoys.called('now'); RETURN NULL; END $$;
CREATE FUNCTION decoys.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM decoys.called('clock_timestamp'); RETURN NULL; END $$;
CREATE FUNCTION decoys.current_database() RETURNS name LANGUAGE plpgsql AS $$ BEGIN PERFORM decoys.called('current_database'); RETURN NULL; END $$;
-- operators
CREATE FUNCTION decoys.compare(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM decoys.called('an operator'); RETURN NULL; END $$;
CREATE FUNCTION pg_temp.decoy_operator(name text, type regtype) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE FUNCTION decoys.compare(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql AS %2$L', type, 'BEGIN PERFORM decoys.called(''an operator''); RETURN NULL; END');
EXCEPTION WHEN duplicate_function THEN NULL;
END
$$;
SELECT count(pg_temp.decoy_operator('=', t)) FROM unnest('{text,int2,int4,int8,timestamptz,interval,jsonb,bool,regrole,oid}'::regtype[]) t \g /dev/null
DO $$
DECLARE
	type regtype;
	name text;
BEGIN
	FOREACH type IN ARRAY '{text,int2,int4,int8,timestamptz,interval,jsonb,bool,oid}'::regtype[] LOOP
		FOREACH name IN ARRAY '{=,<>,<,<=,>,>=,-,+}'::text[] LOOP
			EXECUTE format('CREATE OPERATOR decoys.%s (LEFTARG = %2$s, RIGHTARG = %2$s, FUNCTION = decoys.compare)', name, type);
		END LOOP;
	END LOOP;
END
$$;
-- types, tables and views of our names, here and in pg_temp
CREATE TYPE decoys.task AS (x int);
CREATE DOMAIN decoys.jsonb AS text CHECK (false);
CREATE DOMAIN decoys.interval AS text CHECK (false);
CREATE TABLE decoys.settings (type text);
CREATE TABLE decoys.key_locks (type text, external_id text);
CREATE TABLE decoys.tasks_0 (id bigint);
CREATE VIEW decoys.tasks AS SELECT 1 AS id;
CREATE TEMP TABLE settings (type text);
CREATE TEMP TABLE tasks_0 (id bigint);
CREATE TEMP TABLE pg_class (oid oid);
CREATE FUNCTION decoys.snapshot_guard() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM decoys.called('snapshot_guard'); RETURN true; END $$;
CREATE FUNCTION decoys.may_see_payload() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM decoys.called('may_see_payload'); RETURN true; END $$;
GRANT ALL ON ALL TABLES IN SCHEMA decoys TO PUBLIC;
SELECT current_schema AS home \gset
-- A2: overloads beside ours, that match untyped or int arguments better
CREATE FUNCTION goque_complete(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'overload was called'; END $$;
CREATE FUNCTION goque_fetch(text, int, pg_catalog.interval, pg_catalog.interval, name) RETURNS SETOF goque.task LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'overload was called'; END $$;

-- pgTAP itself must not meet them, so each statement gets the path by itself.
CREATE FUNCTION pg_temp.under_decoys(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE gq_victim;
	PERFORM pg_catalog.set_config('search_path', 'pg_temp, decoys, pg_catalog', true);
	EXECUTE statement;
	RESET ROLE;
	RESET search_path;
	RETURN 'went on';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) SQLERRM;
END
$$;
-- they are there to be called
SELECT is(pg_temp.under_decoys('SELECT now()'), 'P0001 decoy now was called', 'A1: who names a decoy calls it');
SELECT is(pg_temp.under_decoys('SELECT 1 = 1'), 'P0001 decoy an operator was called', 'A1: ... and an operator');
CREATE TEMP TABLE harmless (statement text);
ALTER ROLE gq_victim LOGIN;		-- may have a processor
INSERT INTO harmless VALUES
	($$SELECT HOME.goque_add('a', '1'::pg_catalog.jsonb, 'k', timeout => '1 min'::pg_catalog.interval, on_conflict => 'replace')$$),
	($$SELECT HOME.goque_add('never seen', ordering_key => 'k'::text, expires_in => '1 h'::pg_catalog.interval)$$),
	($$SELECT HOME.goque_add_many('a', ARRAY['1', '2']::pg_catalog.jsonb[], ARRAY['k', 'l'], on_conflict => 'skip')$$),
	($$INSERT INTO goque.tasks (type, payload) VALUES ('a', '1'::pg_catalog.jsonb)$$),
	($$SELECT HOME.goque_fetch('a', 1, worker => 'w'::text), HOME.goque_fetch_any('{a}', 1)$$),
	($$SELECT HOME.goque_complete_many('{1,2}'), HOME.goque_cancel_many('{1,2}'), HOME.goque_fail(1, 'x'), HOME.goque_retry_all('a', error_like => '%x%'), HOME.goque_cancel_all('a')$$),
	($$SELECT HOME.goque_heal(), HOME.goque_clean()$$),
	($$SELECT HOME.goque_configure('a', backoff => 'static', retention => '1 day'::pg_catalog.interval), HOME.goque_pause(), HOME.goque_resume()$$),
	($$SELECT HOME.goque_grant('gq_attacker', 'monitor'), HOME.goque_revoke('gq_attacker', 'monitor')$$),
	($$SELECT * FROM goque.tasks$$),
	($$SELECT HOME.goque_complete(1::pg_catalog.int8), HOME.goque_release(1), HOME.goque_heartbeat(1), HOME.goque_cancel(1), HOME.goque_retry(1), HOME.goque_purge(1)$$),
	($$SELECT HOME.goque_fail_many('{1}', '{x}'), HOME.goque_release_many('{1}'), HOME.goque_heartbeat_many('{1}'), HOME.goque_retry_many('{1}'), HOME.goque_reschedule_many('{1}', priority => 1)$$),
	($$SELECT HOME.goque_why(1), HOME.goque_wait_for(-1, '0'), HOME.goque_unconfigure('a')$$),
	($$SELECT HOME.goque_schedule('s', '@daily', 'a', '1'::pg_catalog.jsonb, timezone => 'Europe/Berlin'), HOME.goque_run_schedule('s'), HOME.goque_next_runs('@daily', n => 2)$$),
	($$SELECT HOME.goque_pause_schedule('s'), HOME.goque_resume_schedule('s'), HOME.goque_unschedule('s')$$),
	($$SELECT HOME.goque_register_processor('a', 'pg_catalog.jsonb_typeof(pg_catalog.jsonb)'), HOME.goque_unregister_processor('a')$$),
	($$SELECT * FROM goque.stats, goque.task_types, goque.workers$$),
	($$SELECT * FROM goque.schedules, goque.processors, goque.horizon_holders()$$),
	($$SELECT * FROM goque.health$$);
SELECT is(pg_temp.under_decoys(replace(statement, 'HOME', :'home')), 'went on', 'A1: ' || statement) FROM harmless;
SELECT is(pg_temp.under_decoys(format('SELECT %I.goque_guard(-1, 1)', :'home')), '55000 the lease does not hold the task', 'A1: goque_guard');
-- goque_wait ends its transaction, and so cannot be called here
SELECT set_eq($$SELECT p.proname::text FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'goque' JOIN pg_proc p ON p.oid = d.objid
		WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND p.proname LIKE 'goque\_%'
		AND NOT EXISTS (SELECT FROM harmless WHERE statement LIKE '%HOME.' || p.proname || '(%')$$,
	ARRAY['goque_wait', 'goque_guard'], 'A1: all other functions were called so');

-- goque_add, goque_fetch and goque_complete switch rights and path in C: what an
-- index of the owner's calls meanwhile sees that it is the owner, with a pinned path.
CREATE FUNCTION seen(status smallint) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.set_config('gq.seen', pg_catalog.format('%s %s', current_user, pg_catalog.current_setting('search_path')), false);
	RETURN status;
END
$$;
REVOKE ALL ON FUNCTION seen(smallint) FROM PUBLIC;
DO $$
BEGIN
	FOR g IN 0..7 LOOP
		EXECUTE pg_catalog.format('CREATE INDEX ON goque.tasks_%s (seen(status))', g);
	END LOOP;
END
$$;
CREATE FUNCTION seen(parent bigint) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.set_config('gq.seen', pg_catalog.format('%s %s', current_user, pg_catalog.current_setting('search_path')), false);
	RETURN parent;
END
$$;
REVOKE ALL ON FUNCTION seen(bigint) FROM PUBLIC;
CREATE INDEX seen_dependencies ON goque.dependencies (seen(parent));
CREATE FUNCTION pg_temp.seen_in(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.set_config('gq.seen', 'nothing', false);
	RETURN pg_temp.under_decoys(statement) OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) pg_catalog.current_setting('gq.seen');
END
$$;
SELECT is(pg_temp.seen_in(replace(replace(statement, 'HOME', :'home'), 'ID', currval('goque.task_id_seq')::text)), format('went on: %s pg_catalog, pg_temp', current_user), 'A1, A7: as owner: ' || statement)
FROM (VALUES
	($$SELECT HOME.goque_add('as owner', '1'::pg_catalog.jsonb)$$),
	($$SELECT HOME.goque_fetch('as owner')$$),
	($$SELECT HOME.goque_complete(ID::pg_catalog.int8)$$)) v(statement);
SELECT is(pg_temp.seen_in(format('SELECT %1$I.goque_add(''as owner'', after => ARRAY[%1$I.goque_add(''as owner'')])', :'home')), format('went on: %s pg_catalog, pg_temp', current_user), 'A1, A7: as owner: a row of goque.dependencies');
SET LOCAL ROLE gq_victim;
SELECT is(pg_temp.under_decoys(format('SELECT %I.goque_add(NULL)', :'home')), '22004 argument "type" must not be null', 'A7: an error in one of them');
SELECT is(current_user, 'gq_victim', 'A7: leaves nobody with the rights of the owner');
RESET ROLE;

-- ---- A3: planted before CREATE EXTENSION ----

DROP FUNCTION goque_complete(int), goque_fetch(text, int, pg_catalog.interval, pg_catalog.interval, name);
SET LOCAL client_min_messages = warning;
DROP EXTENSION goque CASCADE;
RESET client_min_messages;
SELECT is((SELECT count(*) FROM pg_namespace WHERE nspname = 'goque'), 0::bigint, 'DROP EXTENSION takes the schema along');

-- what a statement raises, and nothing of it stays
CREATE FUNCTION pg_temp.try(VARIADIC statements text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	FOREACH statement IN ARRAY statements LOOP
		EXECUTE statement;
	END LOOP;
	RAISE EXCEPTION 'undo';
EXCEPTION WHEN OTHERS THEN
	RETURN CASE WHEN SQLERRM = 'undo' THEN 'went on' ELSE SQLSTATE END;
END
$$;
SELECT is(pg_temp.try('CREATE SCHEMA goque AUTHORIZATION gq_attacker', 'CREATE EXTENSION goque'), '42P06', 'A3: a schema goque that is there already is refused');
SELECT is(pg_temp.try($$CREATE FUNCTION goque_complete(id bigint, token bigint, result jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true'$$, 'CREATE EXTENSION goque'), '42723', 'A3: so is a function of ours');
SELECT is(pg_temp.try('SET LOCAL ROLE gq_attacker', 'CREATE EXTENSION goque'), '42501', 'A3: it is not trusted: a superuser installs it');
SELECT is(pg_temp.try('GRANT CREATE ON DATABASE ' || quote_ident(current_database()) || ' TO gq_attacker', 'SET LOCAL ROLE gq_attacker', 'CREATE EXTENSION goque'), '42501', 'A3: ... whoever may create in the database');

-- a schema whose name is SQL, for our functions
CREATE SCHEMA "odd "" ' $$ %s; DROP SCHEMA goque; --";
CREATE EXTENSION goque SCHEMA "odd "" ' $$ %s; DROP SCHEMA goque; --";
SELECT "odd "" ' $$ %s; DROP SCHEMA goque; --".goque_grant('gq_attacker', 'produce') \g /dev/null
SET LOCAL ROLE gq_attacker;
SELECT "odd "" ' $$ %s; DROP SCHEMA goque; --".goque_add('a', '1') > 0 AS added \gset
RESET ROLE;
SELECT is(:'added'::text, 't', 'A3: a schema with quotes in its name; a role that was granted produce has USAGE on it');
SELECT is((SELECT payload FROM "odd "" ' $$ %s; DROP SCHEMA goque; --".goque_fetch('a')), '1'::jsonb, '... and all works');

SELECT * FROM finish();
ROLLBACK;
