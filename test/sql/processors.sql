-- Processors: what can be registered, by whom, and what the views say of it.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

SET client_min_messages = warning;
CREATE SCHEMA h;
CREATE FUNCTION h.takes_payload(p jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.takes_task(t goque.task) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE h.proc(p jsonb) LANGUAGE sql AS '';
CREATE FUNCTION h.both(p jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.both(p goque.task) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.both(a int, b int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.wrong(a int) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.two(a jsonb, b int DEFAULT 1) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.variadic(VARIADIC a jsonb[]) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION h.set(a jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION h."Odd name;--"(a jsonb) RETURNS record LANGUAGE sql AS 'SELECT 1, 2';
CREATE PROCEDURE h.out(a jsonb, OUT b int) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE h.inout(INOUT a jsonb) LANGUAGE sql AS 'SELECT a';
CREATE AGGREGATE h.agg(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb);
CREATE ROLE gq_sql_login LOGIN;
CREATE ROLE gq_sql_group;
SELECT goque_grant('gq_sql_login', 'admin');
SELECT goque_grant('gq_sql_group', 'admin');

-- by name, by signature, on the path
SELECT goque_pause(t) FROM unnest('{p,t,c,b,o,s}'::text[]) t \g /dev/null
SELECT goque_register_processor('p', 'h.takes_payload');
SELECT goque_register_processor('t', 'h.takes_task', 3, 10, '0');
SELECT goque_register_processor('c', 'h.proc', workers => NULL, batch_size => NULL, idle_timeout => NULL);
SELECT goque_register_processor('b', 'h.both(goque.task)');
SELECT goque_register_processor('o', 'h."Odd name;--"');
SET search_path = h, public;
SELECT goque_register_processor('s', ' takes_payload ( jsonb ) ');
RESET search_path;
SELECT type, handler, role = current_user AS mine, workers, running, ok, detail FROM goque.processors ORDER BY type;
SELECT type, batch_size, idle_timeout, home = goque.home() AS here FROM goque.handlers ORDER BY type;
SELECT ok, detail, hint FROM goque.health WHERE check_name = 'processors';
-- the same type again replaces
SELECT goque_register_processor('s', 'h.both(jsonb)', 2);
SELECT handler, workers FROM goque.processors WHERE type = 's';
SELECT goque_unregister_processor('s'), goque_unregister_processor('s');

\pset format unaligned
\pset tuples_only on
-- what is refused
SELECT pg_temp.refused(call) FROM unnest(ARRAY[
	$$SELECT goque_register_processor(NULL, 'h.takes_payload')$$,
	$$SELECT goque_register_processor('', 'h.takes_payload')$$,
	$$SELECT goque_register_processor('x', NULL)$$,
	$$SELECT goque_register_processor('x', 'h.no_such')$$,
	$$SELECT goque_register_processor('x', 'no_schema.f')$$,
	$$SELECT goque_register_processor('x', 'h.no_such(jsonb)')$$,
	$$SELECT goque_register_processor('x', '')$$,
	$$SELECT goque_register_processor('x', 'h.both')$$,
	$$SELECT goque_register_processor('x', 'h.wrong')$$,
	$$SELECT goque_register_processor('x', 'h.wrong(int)')$$,
	$$SELECT goque_register_processor('x', 'h.two')$$,
	$$SELECT goque_register_processor('x', 'h.variadic')$$,
	$$SELECT goque_register_processor('x', 'h.agg')$$,
	$$SELECT goque_register_processor('x', 'h.set')$$,
	$$SELECT goque_register_processor('x', 'h.out')$$,
	$$SELECT goque_register_processor('x', 'h.inout')$$,
	$$SELECT goque_register_processor('x', 'h.proc', 0)$$,
	$$SELECT goque_register_processor('x', 'h.proc', 1025)$$,
	$$SELECT goque_register_processor('x', 'h.proc', batch_size => 0)$$,
	$$SELECT goque_register_processor('x', 'h.proc', idle_timeout => '-1 s')$$,
	$$SELECT goque_unregister_processor(NULL)$$]) call;

-- A4: with the rights of the immediate caller
CREATE FUNCTION pg_temp.fails(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'NOT REFUSED';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, 'DETAIL: ' || detail, 'HINT: ' || hint);
END
$$;
GRANT USAGE ON SCHEMA h TO gq_sql_group;
SET ROLE gq_sql_login;
SELECT pg_temp.fails($$SELECT goque_register_processor('x', 'h.takes_payload')$$);
RESET ROLE;
GRANT USAGE ON SCHEMA h TO gq_sql_login;
REVOKE EXECUTE ON FUNCTION h.takes_task(goque.task) FROM PUBLIC;
SET ROLE gq_sql_login;
SELECT pg_temp.fails($$SELECT goque_register_processor('x', 'h.takes_task')$$);
SELECT goque_register_processor('p', 'h.takes_payload');
SET ROLE gq_sql_group;
SELECT pg_temp.fails($$SELECT goque_register_processor('x', 'h.takes_payload')$$);
RESET ROLE;
SELECT role, ok FROM goque.processors WHERE type = 'p';

-- what is registered and may not run any more: that type alone, and goque.health says why (F34)
CREATE FUNCTION pg_temp.faults() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n', ok, detail, hint) FROM goque.processor_list() WHERE type = 'p'
	UNION ALL SELECT concat_ws(E'\n', ok, detail, hint) FROM goque.health WHERE check_name = 'processors'
	UNION ALL SELECT 'others run: ' || bool_and(ok) FROM goque.processors WHERE type <> 'p'
$$;
SELECT pg_temp.faults();
ALTER ROLE gq_sql_login NOLOGIN;
SELECT pg_temp.faults();
ALTER ROLE gq_sql_login LOGIN;
ALTER ROLE gq_sql_login RENAME TO gq_sql_renamed;
SELECT pg_temp.faults();
ALTER ROLE gq_sql_renamed RENAME TO gq_sql_login;
REVOKE USAGE ON SCHEMA h FROM gq_sql_login;
SELECT pg_temp.faults();
GRANT USAGE ON SCHEMA h TO gq_sql_login;
REVOKE EXECUTE ON FUNCTION h.takes_payload(jsonb) FROM PUBLIC;
SELECT pg_temp.faults();
GRANT EXECUTE ON FUNCTION h.takes_payload(jsonb) TO PUBLIC;
ALTER FUNCTION h.takes_payload(jsonb) OWNER TO gq_sql_group;
SELECT pg_temp.faults();
DROP FUNCTION h.takes_payload(jsonb);
SELECT pg_temp.faults();
CREATE FUNCTION h.takes_payload(p jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
SELECT pg_temp.faults();
-- the role goes, and another one takes its name
DROP FUNCTION h.takes_payload(jsonb);
CREATE FUNCTION h.takes_payload(p jsonb) RETURNS void LANGUAGE sql AS '';
SELECT pg_temp.faults();
DROP OWNED BY gq_sql_login;
DROP ROLE gq_sql_login;
SELECT pg_temp.faults();
CREATE ROLE gq_sql_login LOGIN;
SELECT pg_temp.faults();
-- F47: a copy of a database
UPDATE goque.handlers SET home = 'elsewhere/1' WHERE type = 'o';
SELECT concat_ws(E'\n', ok, detail, hint) FROM goque.processor_list() WHERE type = 'o';
SELECT goque_resume();
SELECT concat_ws(E'\n', ok, detail, hint) FROM goque.processor_list() WHERE type = 'o';

SELECT count(goque_unregister_processor(type)) FROM goque.processors;
SELECT goque_resume(t) FROM unnest('{p,t,c,b,o,s}'::text[]) t \g /dev/null
SELECT detail FROM goque.health WHERE check_name = 'processors';
DROP OWNED BY gq_sql_login, gq_sql_group;
DROP SCHEMA h CASCADE;
DROP ROLE gq_sql_login, gq_sql_group;
