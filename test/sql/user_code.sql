-- A11: nothing of a user's can be attached to goque's tables, so maintenance runs none of it.
-- A13 (F51): event triggers see nothing of goque's work: it does no DDL at run time.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- ---- what a user may not attach, whatever goque granted ----

CREATE ROLE regress_goque_code;
SELECT goque_grant('regress_goque_code', r) FROM unnest('{produce,work,monitor,admin}'::text[]) r;
GRANT CREATE ON SCHEMA public TO regress_goque_code;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_goque_code', current_database()) \gexec
SET ROLE regress_goque_code;
CREATE TABLE public.gq_seen (who text);
CREATE FUNCTION public.gq_see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.gq_seen VALUES (current_user); RETURN NULL; END $$;
CREATE FUNCTION public.gq_see(jsonb) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION public.gq_see(bigint) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
CREATE DOMAIN public.gq_domain AS text CHECK (public.gq_see(1));
RESET ROLE;

CREATE TEMP TABLE attempts (n serial, sql text);
INSERT INTO attempts (sql) SELECT replace(s, 'TABLE_', t) FROM unnest(ARRAY[
	'CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON TABLE_ FOR EACH ROW EXECUTE FUNCTION public.gq_see()',
	'CREATE TRIGGER t AFTER TRUNCATE ON TABLE_ FOR EACH STATEMENT EXECUTE FUNCTION public.gq_see()',
	'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON TABLE_ DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.gq_see()',
	'CREATE RULE r AS ON INSERT TO TABLE_ DO ALSO INSERT INTO public.gq_seen VALUES (1)',
	'CREATE POLICY p ON TABLE_ USING (public.gq_see(1))',
	'ALTER TABLE TABLE_ ENABLE ROW LEVEL SECURITY',
	'CREATE INDEX i ON TABLE_ (public.gq_see(1))',
	'CREATE STATISTICS public.s ON (public.gq_see(1)), (public.gq_see(2)) FROM TABLE_',
	'ALTER TABLE TABLE_ ADD CHECK (public.gq_see(1))',
	'ALTER TABLE TABLE_ ADD COLUMN c public.gq_domain',
	'ALTER TABLE TABLE_ ALTER COLUMN type SET DEFAULT public.gq_see(1)::text',
	'ALTER TABLE TABLE_ ALTER COLUMN type TYPE public.gq_domain',
	'CREATE TABLE public.gq_child () INHERITS (TABLE_)',
	'ALTER TABLE TABLE_ OWNER TO regress_goque_code',
	'DROP TABLE TABLE_', 'TRUNCATE TABLE_', 'LOCK TABLE_ IN ACCESS EXCLUSIVE MODE',
	'CREATE PUBLICATION p FOR TABLE TABLE_'
	]) WITH ORDINALITY AS a(s, n), unnest('{goque.tasks_0,goque.settings,goque.key_locks,goque.handlers}'::text[]) t ORDER BY t, n;
INSERT INTO attempts (sql) VALUES
	('CREATE TABLE public.gq_child (id bigint REFERENCES goque.tasks_0)'),
	('CREATE TRIGGER t INSTEAD OF INSERT ON goque.tasks FOR EACH ROW EXECUTE FUNCTION public.gq_see()'),
	('CREATE RULE r AS ON INSERT TO goque.tasks DO INSTEAD INSERT INTO public.gq_seen VALUES (1)'),
	('CREATE OR REPLACE VIEW goque.tasks AS SELECT 1'),
	('CREATE FUNCTION goque.f() RETURNS int LANGUAGE sql AS ''SELECT 1'''),
	('CREATE OPERATOR goque.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8pl)'),
	('CREATE OR REPLACE FUNCTION public.goque_heal(text) RETURNS bigint LANGUAGE sql AS ''SELECT 1::bigint'''),
	('ALTER FUNCTION goque_heal(text) SECURITY INVOKER'),
	('CREATE CAST (jsonb AS bigint) WITH FUNCTION public.gq_see(jsonb) AS IMPLICIT'),
	('CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION public.gq_see()'),
	('SELECT setval(''goque.generation_seq'', 5)'),
	('ALTER EXTENSION goque ADD TABLE public.gq_seen');
-- each of them is refused
CREATE FUNCTION pg_temp.try(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE sql;
	RETURN 'NOT REFUSED: ' || sql;
EXCEPTION WHEN OTHERS THEN
	RETURN CASE WHEN SQLSTATE <> '42501' THEN SQLSTATE || ' ' || SQLERRM || ': ' || sql END;
END
$$;
GRANT SELECT ON attempts TO regress_goque_code;
SET ROLE regress_goque_code;
SELECT try FROM attempts, pg_temp.try(sql) WHERE try IS NOT NULL ORDER BY n;
SELECT count(*) FROM attempts;
RESET ROLE;

-- ---- triggers that a superuser made: goque's own work fires none ----

CREATE FUNCTION public.gq_fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired: % of %', tg_op, tg_relid::regclass; END $$;
SELECT format('CREATE TRIGGER gq_fired BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION public.gq_fired()', c.oid::regclass)
FROM pg_class c WHERE c.relnamespace = 'goque'::regnamespace AND c.relname ~ '^(tasks_\d|key_locks|fetch_log)$' ORDER BY c.relname \gexec

-- ---- event triggers: no DDL, but what a user asked for ----

CREATE FUNCTION public.gq_tripped() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'tripped: % by %', tg_event, tg_tag; END $$;
CREATE FUNCTION public.gq_handler(p jsonb) RETURNS void LANGUAGE sql AS '';
SELECT goque_configure('user_code.run', retention => '0');
CREATE EVENT TRIGGER gq_rewrite ON table_rewrite EXECUTE FUNCTION public.gq_tripped();
CREATE EVENT TRIGGER gq_drop ON sql_drop EXECUTE FUNCTION public.gq_tripped();
CREATE EVENT TRIGGER gq_end ON ddl_command_end EXECUTE FUNCTION public.gq_tripped();
ALTER EVENT TRIGGER gq_end DISABLE;
CREATE EVENT TRIGGER gq_start ON ddl_command_start EXECUTE FUNCTION public.gq_tripped();
ALTER EVENT TRIGGER gq_end ENABLE;

-- a life in full
SELECT goque_configure('user_code', max_attempts => 2, rate_limit => 100, rate_period => '1 min', max_running => 50, backoff => 'static', backoff_base => '1 us');
SELECT goque_add('user_code', external_id => 'k', ordering_key => 'o') AS a \gset
SELECT goque_add('user_code', after => ARRAY[:a]) AS b \gset
SELECT count(*) FROM goque_add_many('user_code', '{1,2,3}');
INSERT INTO goque.tasks (type) VALUES ('user_code');
SELECT count(*) FROM goque_fetch('user_code', 4, lease => '1 min') WHERE goque_heartbeat(id, token, progress => '1') IS NOT NULL AND goque_guard(id, token) IS NOT NULL;
SELECT goque_fail(:a, 'x'), goque_retry(:a) IS NOT NULL;
SELECT goque_add('user_code', external_id => 'k', on_conflict => 'replace', payload => '2') = :a AS replaced;
SELECT goque_complete(id, token) FROM goque_fetch('user_code', 10) WHERE id = :a;
SELECT count(*) >= 0 FROM goque_heal('user_code');
SELECT status FROM goque.tasks WHERE id = :b;
SELECT goque_cancel(:b), goque_retry(:b), goque_cancel(:b), goque_purge(:b);
SELECT count(*) > 0 FROM goque_cancel_all('user_code');
SELECT goque_pause('user_code'), goque_resume('user_code');
SELECT goque_schedule('user_code', '@yearly', 'user_code'), goque_run_schedule('user_code') > 0, goque_unschedule('user_code');
SELECT goque_register_processor('user_code.run', 'gq_handler');
SELECT goque_add('user_code.run') AS run \gset
DO $$ BEGIN FOR i IN 1 .. 6000 LOOP EXIT WHEN NOT EXISTS (SELECT FROM goque.tasks WHERE type = 'user_code.run'); COMMIT; PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT count(*) FROM goque.tasks WHERE type = 'user_code.run';
SELECT goque_unregister_processor('user_code.run');
SELECT count(goque_purge(id)) > 0 FROM goque.tasks WHERE type = 'user_code';
SELECT goque_clean() >= 0;
SELECT goque_unconfigure('user_code'), goque_unconfigure('user_code.run');

-- they do trip
CREATE TABLE gq_t ();
ALTER EVENT TRIGGER gq_start DISABLE;
DROP EVENT TRIGGER gq_rewrite, gq_drop, gq_end, gq_start;
\set VERBOSITY terse
SELECT format('DROP TRIGGER gq_fired ON %s', c.oid::regclass)
FROM pg_class c WHERE c.relnamespace = 'goque'::regnamespace AND c.relname ~ '^(tasks_\d|key_locks|fetch_log)$' ORDER BY c.relname \gexec
DROP FUNCTION public.gq_fired, public.gq_tripped, public.gq_handler;
SELECT goque_revoke('regress_goque_code', r) FROM unnest('{produce,work,monitor,admin}'::text[]) r;
DROP OWNED BY regress_goque_code;
DROP ROLE regress_goque_code;
