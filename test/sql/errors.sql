-- The error table of the reference, line by line: SQLSTATE, message, detail, hint,
-- and that nothing is left behind.
--
-- refused() runs a statement in a subtransaction and compares tasks, settings and
-- locks before and after. Some statements run outside of it too, and the end of
-- this file compares the numbers in shared memory.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- a task in processing and one that waits, which no error may change
SELECT goque_add('errors', '1', priority => -1) AS held \gset
SELECT goque_add('errors', '2', external_id => 'taken') AS waiting \gset
SELECT token FROM goque_fetch('errors') \gset
SELECT array[:held, :held]::text AS two \gset
CREATE TEMP TABLE before AS
SELECT pg_temp.stock() AS stock, (SELECT string_agg(s::text, '/') FROM (SELECT type, ready, scheduled, pending, processing, error, done, attempts_left,
	canceled, total_added, total_fetched, total_completed, total_failed, total_healed, total_exhausted, total_released, total_canceled
	FROM goque.stats WHERE type = 'errors') s) AS stats;

-- error table: NULL where a value is required
SELECT pg_temp.refused('SELECT goque_add(NULL)');
SELECT pg_temp.refused($$SELECT goque_add('errors', NULL)$$);
SELECT pg_temp.refused($$SELECT goque_add_many(NULL, '{}')$$);
SELECT pg_temp.refused($$SELECT goque_add_many('errors', NULL)$$);
SELECT pg_temp.refused($$SELECT goque_add_many('errors', ARRAY['1', NULL]::jsonb[])$$);
SELECT pg_temp.refused('SELECT * FROM goque_fetch(NULL)');
SELECT pg_temp.refused('SELECT * FROM goque_fetch_any(ARRAY[''errors'', NULL])');
SELECT pg_temp.refused('CALL goque_wait(ARRAY[NULL]::text[])');
SELECT pg_temp.refused('SELECT goque_complete(NULL)');
SELECT pg_temp.refused(format('SELECT goque_complete(%s, NULL)', :held));
SELECT pg_temp.refused('SELECT goque_complete_many(NULL)');
SELECT pg_temp.refused('SELECT goque_complete_many(ARRAY[1, NULL])');
SELECT pg_temp.refused('SELECT goque_complete_many(ARRAY[1], NULL)');
SELECT pg_temp.refused(format('SELECT goque_complete_many(ARRAY[1, %s], ARRAY[1, NULL])', :held));
SELECT pg_temp.refused('SELECT goque_fail(NULL, ''x'')');
SELECT pg_temp.refused(format('SELECT goque_fail(%s, NULL)', :held));
SELECT pg_temp.refused(format('SELECT goque_fail(%s, ''x'', NULL)', :held));
SELECT pg_temp.refused('SELECT goque_fail_many(NULL, ''{x}'')');
SELECT pg_temp.refused('SELECT goque_fail_many(ARRAY[1], NULL)');
SELECT pg_temp.refused(format('SELECT goque_fail_many(ARRAY[%s, 1], ARRAY[''x'', NULL])', :held));
SELECT pg_temp.refused(format('SELECT goque_fail_many(ARRAY[%s], ARRAY[''x''], NULL)', :held));
SELECT pg_temp.refused('SELECT goque_release(NULL)');
SELECT pg_temp.refused(format('SELECT goque_release(%s, NULL)', :held));
SELECT pg_temp.refused('SELECT goque_release_many(NULL)');
SELECT pg_temp.refused(format('SELECT goque_release_many(ARRAY[%s], ARRAY[NULL]::bigint[])', :held));
SELECT pg_temp.refused('SELECT goque_heartbeat(NULL)');
SELECT pg_temp.refused(format('SELECT goque_heartbeat(%s, NULL)', :held));
SELECT pg_temp.refused('SELECT goque_heartbeat_many(NULL)');
SELECT pg_temp.refused(format('SELECT goque_heartbeat_many(ARRAY[%s], NULL)', :held));
SELECT pg_temp.refused('SELECT goque_guard(NULL, 1)');
SELECT pg_temp.refused(format('SELECT goque_guard(%s, NULL)', :held));
SELECT pg_temp.refused('SELECT goque_wait_for(NULL)');
SELECT pg_temp.refused('SELECT goque_why(NULL)');
SELECT pg_temp.refused('SELECT goque_cancel(NULL)');
SELECT pg_temp.refused('SELECT goque_cancel_many(NULL)');
SELECT pg_temp.refused(format('SELECT goque_cancel_many(ARRAY[%s, NULL])', :held));
SELECT pg_temp.refused('SELECT goque_cancel_all(NULL)');
SELECT pg_temp.refused('SELECT goque_retry(NULL)');
SELECT pg_temp.refused('SELECT goque_retry_many(NULL)');
SELECT pg_temp.refused('SELECT goque_retry_all(NULL)');
SELECT pg_temp.refused('SELECT goque_reschedule_many(NULL, now())');
SELECT pg_temp.refused('SELECT goque_purge(NULL)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_steps => ARRAY[NULL]::interval[])');
SELECT pg_temp.refused('SELECT goque_grant(NULL, ''work'')');
SELECT pg_temp.refused('SELECT goque_grant(current_user::regrole, NULL)');
SELECT pg_temp.refused('SELECT goque_revoke(NULL, ''work'')');

-- every argument of every function that has no default, but where NULL is every type or the database's defaults
WITH args AS (
	SELECT p.proname, p.prokind, n, a.name, array_agg(CASE WHEN a.name = 'schedule' THEN '''@daily''' WHEN a.type = 'bigint' THEN '1' WHEN a.type = 'bigint[]' THEN '''{1}'''
		WHEN a.type = 'text[]' THEN '''{x}''' WHEN a.type = 'jsonb[]' THEN '''{1}''' WHEN a.type = 'regrole' THEN 'current_user::regrole' ELSE '''errors''' END) OVER (PARTITION BY p.oid ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS valid
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e',
		LATERAL (SELECT n, p.proargnames[n] AS name, format_type(p.proargtypes[n - 1], NULL) AS type FROM generate_series(1, p.pronargs - p.pronargdefaults) n) a
	WHERE p.proname LIKE 'goque\_%'),
calls AS (
	SELECT name, format('%s %s(%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, proname, array_to_string(valid[:n - 1] || 'NULL'::text || valid[n + 1:], ', ')) AS call
	FROM args WHERE (proname, name) NOT IN (('goque_fetch_any', 'types'), ('goque_wait', 'types'), ('goque_configure', 'type'), ('goque_unconfigure', 'type')))
SELECT call FROM calls
WHERE pg_temp.refused(call) <> format(E'22004: argument "%1$s" must not be null\nDETAIL: The value of "%1$s" is NULL.\nHINT: Pass a value for "%1$s".', name)
UNION ALL SELECT count(*)::text FROM calls;

-- error table: type empty or longer than 128 bytes
SELECT pg_temp.refused('SELECT goque_add('''')');
SELECT pg_temp.refused('SELECT goque_add(repeat(''t'', 129))');
SELECT regexp_replace(pg_temp.refused(call), '\n.*', '') FROM unnest(ARRAY[
	'SELECT goque_add_many('''', ''{}'')', 'SELECT goque_fetch('''')', 'SELECT goque_fetch_any(''{""}'')', 'CALL goque_wait(''{""}'')',
	'SELECT goque_cancel_all('''')', 'SELECT goque_retry_all('''')', 'SELECT goque_configure('''')', 'SELECT goque_unconfigure('''')',
	'SELECT goque_pause('''')', 'SELECT goque_resume('''')', 'SELECT goque_heal('''')', 'SELECT goque_clean('''')']) call;
SELECT regexp_replace(pg_temp.refused(replace(call, 'LONG', repeat('t', 129))), '\n.*', '') FROM unnest(ARRAY[
	'SELECT goque_add_many(''LONG'', ''{}'')', 'SELECT goque_fetch(''LONG'')', 'SELECT goque_fetch_any(''{LONG}'')', 'CALL goque_wait(''{LONG}'')',
	'SELECT goque_cancel_all(''LONG'')', 'SELECT goque_retry_all(''LONG'')', 'SELECT goque_configure(''LONG'')', 'SELECT goque_unconfigure(''LONG'')',
	'SELECT goque_pause(''LONG'')', 'SELECT goque_resume(''LONG'')', 'SELECT goque_heal(''LONG'')', 'SELECT goque_clean(''LONG'')']) call;
SELECT pg_temp.refused('SELECT goque_fetch_any(''{}'')');

-- error table: external_id or ordering_key longer than 1024 bytes
SELECT pg_temp.refused('SELECT goque_add(''errors'', external_id => repeat(''e'', 1025))');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ARRAY[''1'', ''2'']::jsonb[], ARRAY[''ok'', repeat(''e'', 1025)])');
SELECT pg_temp.refused('SELECT goque_add(''errors'', ordering_key => repeat(''o'', 1025))');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ARRAY[''1'', ''2'']::jsonb[], ordering_keys => ARRAY[''ok'', repeat(''o'', 1025)])');
SELECT pg_temp.refused('INSERT INTO goque.tasks (type, ordering_key) VALUES (''errors'', repeat(''o'', 1025))');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ARRAY[''1'', ''2'']::jsonb[], ordering_keys => ''{k}'')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', ordering_keys => ''{{a},{b}}'')');
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', worker => repeat(''w'', 129))');

-- error table: unknown on_conflict, unique_while, backoff, status, privilege
SELECT pg_temp.refused('SELECT goque_add(''errors'', on_conflict => ''update'')');
SELECT pg_temp.refused('SELECT goque_add(''errors'', unique_while => '''')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', on_conflict => ''ERROR'')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', unique_while => ''forever'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff => ''linear'')');
SELECT pg_temp.refused('SELECT goque_cancel_all(''errors'', ''waiting'')');
SELECT pg_temp.refused('SELECT goque_retry_all(''errors'', ''failed'')');
SELECT pg_temp.refused('SELECT goque_grant(current_user::regrole, ''superuser'')');
SELECT pg_temp.refused('SELECT goque_revoke(current_user::regrole, ''Work'')');
-- a status that the call is not for
SELECT pg_temp.refused('SELECT goque_cancel_all(''errors'', ''done'')');
SELECT pg_temp.refused('SELECT goque_cancel_all(''errors'', ''canceled'')') ~ '^22023' AS refused;

-- error table: a live status given to goque_retry_all
SELECT pg_temp.refused('SELECT goque_retry_all(''errors'', ''new'')');
SELECT count(*) FROM unnest('{pending,processing,error}'::text[]) s WHERE pg_temp.refused(format('SELECT goque_retry_all(''errors'', %L)', s)) ~ '^22023';

-- error table: max_tasks
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', 0)');
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', 100001)');
SELECT pg_temp.refused('SELECT * FROM goque_fetch_any(''{errors}'', -1)');
SELECT pg_temp.refused('SELECT goque_cancel_all(''errors'', max_tasks => 0)');
SELECT pg_temp.refused('SELECT goque_retry_all(''errors'', max_tasks => -1)');
-- error table: max_attempts
SELECT pg_temp.refused('SELECT goque_add(''errors'', max_attempts => 0)');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', max_attempts => -1)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', max_attempts => 0)');
-- error table: priority out of range
SELECT pg_temp.refused('SELECT goque_add(''errors'', priority => 32768)');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', priority => -32769)');
SELECT pg_temp.refused(format('SELECT goque_reschedule_many(ARRAY[%s], priority => 40000)', :waiting));
-- error table: lease/timeout/delay/wait negative or zero where it must be positive, or infinite
SELECT pg_temp.refused('SELECT goque_add(''errors'', timeout => ''0'')');
SELECT pg_temp.refused('SELECT goque_add(''errors'', timeout => ''-1 s'')');
SELECT pg_temp.refused('SELECT goque_add(''errors'', delay => ''-1 s'')');
SELECT pg_temp.refused('SELECT goque_add(''errors'', expires_in => ''0'')');
SELECT pg_temp.refused('SELECT goque_add(''errors'', expires_in => ''110 years'')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', delay => ''-00:00:00.000001'')');
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', lease => ''0'')');
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', lease => ''1000 years'')');
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', wait => ''-1 s'')');
SELECT pg_temp.refused('SELECT * FROM goque_fetch(''errors'', wait => ''61 s'')');
SELECT pg_temp.refused('CALL goque_wait(NULL, ''-1 s'')');
SELECT pg_temp.refused(format('SELECT goque_fail(%s, ''x'', retry_in => ''-1 s'')', :held));
SELECT pg_temp.refused(format('SELECT goque_fail_many(ARRAY[%s], ''{x}'', retry_in => ''-1 s'')', :held));
SELECT pg_temp.refused(format('SELECT goque_release(%s, delay => ''-1 s'')', :held));
SELECT pg_temp.refused(format('SELECT goque_release_many(ARRAY[%s], delay => ''-1 s'')', :held));
SELECT pg_temp.refused(format('SELECT goque_heartbeat(%s, lease => ''0'')', :held));
SELECT pg_temp.refused(format('SELECT goque_heartbeat_many(ARRAY[%s], lease => ''-1 s'')', :held));
SELECT pg_temp.refused('SELECT goque_configure(''errors'', timeout => ''0'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_base => ''0'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_max => ''-1 s'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_steps => ''{1 s, 0}'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_steps => ''{}'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff => ''step'')');
SELECT pg_temp.refused('SELECT goque_configure(NULL, backoff => ''round_step'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_jitter => -0.1)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_jitter => 1.5)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_jitter => ''NaN'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', retention => ''-1 s'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', retention_failed => ''-1 s'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', max_payload_size => -1)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', max_payload_size => 1048577)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', max_running => -1)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', rate_limit => -1)');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', rate_period => ''0'')');
SELECT pg_temp.refused('SELECT goque_configure(''errors'', rate_period => ''101 years'')');
SELECT pg_temp.refused('SELECT goque_add(''errors'', run_at => ''infinity'')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', run_at => ''-infinity'')');
SELECT pg_temp.refused(format('SELECT goque_retry(%s, ''infinity'')', :waiting));
SELECT pg_temp.refused(format('SELECT goque_retry_many(ARRAY[%s], ''-infinity'')', :waiting));
SELECT pg_temp.refused(format('SELECT goque_reschedule_many(ARRAY[%s], ''infinity'')', :waiting));

-- error table: both run_at and delay
SELECT pg_temp.refused('SELECT goque_add(''errors'', run_at => ''2030-01-02 03:04:05+00'', delay => ''1 s'')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', run_at => ''2030-01-02 03:04:05+00'', delay => ''0'')');
-- error table: arrays of different lengths
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ARRAY[''1'', ''2'']::jsonb[], ARRAY[''a''])');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ARRAY[''1'']::jsonb[], ''{}'')');
SELECT pg_temp.refused(format('SELECT goque_complete_many(ARRAY[%s], ARRAY[1, 2])', :held));
SELECT pg_temp.refused(format('SELECT goque_complete_many(ARRAY[%s], ''{}'', ARRAY[''1'', ''2'']::jsonb[])', :held));
SELECT pg_temp.refused(format('SELECT goque_fail_many(ARRAY[%s], ''{x,y}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_fail_many(ARRAY[%s], ''{}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_release_many(ARRAY[%s, 1, 2], ARRAY[1, 2])', :held));
SELECT pg_temp.refused(format('SELECT goque_heartbeat_many(ARRAY[%s], ARRAY[1, 2])', :held));
-- error table: arrays with more than one dimension
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{{1,2},{3,4}}''::jsonb[])');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1,2}''::jsonb[], ''{{a},{b}}'')');
SELECT pg_temp.refused('SELECT goque_fetch_any(''{{errors}}'')');
SELECT pg_temp.refused('CALL goque_wait(''{{errors}}'')');
SELECT pg_temp.refused(format('SELECT goque_complete_many(''{{%s}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_complete_many(''{%s}'', ''{{1}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_complete_many(''{%s}'', results => ''{{1}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_fail_many(''{%s}'', ''{{x}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_release_many(''{{{%s}}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_heartbeat_many(''{{%s}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_cancel_many(''{{%s}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_retry_many(''{{%s}}'')', :held));
SELECT pg_temp.refused(format('SELECT goque_reschedule_many(''{{%s}}'')', :waiting));
SELECT pg_temp.refused('SELECT goque_configure(''errors'', backoff_steps => ''{{1 s}}'')');

-- error table: payload, result, metadata or progress larger than the limit
-- A9: only sizes are shown, never the values
SELECT pg_temp.refused('SELECT goque_add(''errors'', to_jsonb(repeat(''secret'', 200000)))');
SELECT pg_temp.refused('SELECT goque_add(''errors'', metadata => to_jsonb(repeat(''secret'', 200000)))');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ARRAY[''1'', to_jsonb(repeat(''secret'', 200000))])');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', metadata => to_jsonb(repeat(''secret'', 200000)))');
SELECT pg_temp.refused(format('SELECT goque_complete(%s, result => to_jsonb(repeat(''secret'', 200000)))', :held));
SELECT pg_temp.refused(format('SELECT goque_complete_many(ARRAY[%s], results => ARRAY[to_jsonb(repeat(''secret'', 200000))])', :held));
SELECT pg_temp.refused(format('SELECT goque_heartbeat(%s, progress => to_jsonb(repeat(''secret'', 200000)))', :held));
-- the server's limit, lowered
SET goque.max_payload_size = '1kB';
SELECT pg_temp.refused('SELECT goque_add(''errors'', to_jsonb(repeat(''secret'', 200)))');
RESET goque.max_payload_size;

-- error table: external_id clash with on_conflict = 'error'
SELECT regexp_replace(pg_temp.refused('SELECT goque_add(''errors'', external_id => ''taken'')'), 'Task [0-9]+', 'Task ID');
SELECT regexp_replace(pg_temp.refused('SELECT goque_add_many(''errors'', ''{1,2}'', ''{free,taken}'')'), 'Task [0-9]+', 'Task ID');

-- error table: after names a task that does not exist; it closes a cycle
SELECT pg_temp.refused('SELECT goque_add(''errors'', after => ''{0}'')');
SELECT pg_temp.refused('SELECT goque_add_many(''errors'', ''{1}'', after => ''{-1}'')');
-- (a cycle over others: see after)
BEGIN;
SELECT goque_add('errors.cycle', external_id => 'a') AS a \gset
SELECT goque_add('errors.cycle', external_id => 'b', after => ARRAY[:a]) AS b \gset
SELECT replace(replace(pg_temp.refused(format('SELECT goque_add(''errors.cycle'', external_id => ''a'', after => ARRAY[%s], on_conflict => ''replace'')', :b)),
	:'a', 'A'), :'b', 'B');
ROLLBACK;

-- error table: goque_guard of a lease that does not hold
SELECT pg_temp.refused('SELECT goque_guard(-1, 1)');
SELECT regexp_replace(pg_temp.refused(format('SELECT goque_guard(%s, 1)', :held)), 'Task \d+(.*) of worker [^\n]*', 'Task ID\1 of WORKER');
SELECT regexp_replace(pg_temp.refused(format('SELECT goque_guard(%s, 0)', :waiting)), 'Task \d+', 'Task ID');

-- error table: a processor registered by a role that may not log in
-- (and a handler that is not there, or there twice; more of them: see processors)
BEGIN;
CREATE FUNCTION pg_temp.one(p jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION pg_temp.two(p jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION pg_temp.two(p goque.task) RETURNS void LANGUAGE sql AS '';
SELECT pg_temp.refused('SELECT goque_register_processor(''errors'', ''pg_temp.none'')');
SELECT pg_temp.refused('SELECT goque_register_processor(''errors'', ''pg_temp.two'')');
SELECT pg_temp.refused('SELECT goque_register_processor(''errors'', NULL)');
SELECT pg_temp.refused('SELECT goque_register_processor(''errors'', ''pg_temp.one'', workers => 0)');
CREATE ROLE regress_goque_group;
SELECT goque_grant('regress_goque_group', 'admin');
CREATE FUNCTION public.regress_goque_handler(p jsonb) RETURNS void LANGUAGE sql AS '';
SET ROLE regress_goque_group;
DO $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM goque_register_processor('errors', 'public.regress_goque_handler');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE NOTICE E'%: %\n%\n%', SQLSTATE, SQLERRM, detail, hint;
END
$$;
RESET ROLE;
ROLLBACK;

-- error table: malformed cron expression or unknown time zone
-- (more of them: see schedule)
SELECT pg_temp.refused('SELECT goque_schedule(''errors'', ''0 25 * * *'', ''errors'')');
SELECT pg_temp.refused('SELECT goque_schedule(''errors'', ''* * *'', ''errors'')');
SELECT pg_temp.refused('SELECT goque_schedule(''errors'', ''@daily'', ''errors'', timezone => ''Mars/Olympus'')');
SELECT pg_temp.refused('SELECT goque_next_runs(''0 25 * * *'')');
SELECT pg_temp.refused('SELECT goque_next_runs(''@daily'', ''Mars/Olympus'')');

-- ... and goque_wait_for: how long, and for what
SELECT pg_temp.refused('SELECT goque_wait_for(1, ''-1 s'')');
SELECT pg_temp.refused('SELECT goque_wait_for(1, ''61 s'')');
BEGIN;
SELECT regexp_replace(pg_temp.refused(format('SELECT goque_wait_for(%s)', goque_add('errors'))), 'Task \d+', 'Task ID');
ROLLBACK;

-- error table: goque_wait inside a transaction block
SELECT pg_temp.refused('CALL goque_wait(NULL, ''0'')');
BEGIN;
CALL goque_wait(ARRAY['errors'], '0');
ROLLBACK;
DO $$ BEGIN CALL goque_wait(ARRAY['errors'], '0'); END $$;
BEGIN;
DO $$ BEGIN CALL goque_wait(ARRAY['errors'], '0'); END $$;
ROLLBACK;

-- error table: called on a standby or in a read-only transaction
-- (each function: the test readonly; a standby: test/t)
BEGIN READ ONLY;
SELECT goque_add('errors');
ROLLBACK;

-- error table: not permitted
CREATE ROLE regress_goque_nobody;
SET ROLE regress_goque_nobody;
SELECT goque_add('errors');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM goque_fetch('errors');
SELECT count(*) FROM goque.tasks;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO goque.tasks (type) VALUES ('errors');
SELECT goque_grant('regress_goque_nobody', 'admin');
RESET ROLE;
-- a role that was dropped
SELECT regrole AS gone FROM (SELECT 'regress_goque_nobody'::regrole::oid AS regrole) r \gset
DROP ROLE regress_goque_nobody;
SELECT replace(pg_temp.refused(format('SELECT goque_grant(%s::oid::regrole, ''work'')', :gone)), :'gone', 'OID');

-- a table that somebody has put aside
BEGIN;
ALTER TABLE goque.key_locks RENAME TO aside;
SELECT goque_add('errors', external_id => 'free');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- the same outside of a subtransaction
SELECT goque_add('errors', priority => 99999);
\set VERBOSITY terse
SELECT goque_add_many('errors', ARRAY['1', '2']::jsonb[], ARRAY['new', 'new']);
\set VERBOSITY default
SELECT goque_complete_many(:'two', ARRAY[:token, NULL]::bigint[]);
SELECT * FROM goque_fetch('errors', lease => '-1 s');
SELECT goque_configure('errors', max_attempts => 7, timeout => '-1 s');

-- nothing was left behind, in the numbers neither
SELECT stock = pg_temp.stock() AS same, stats = (SELECT string_agg(s::text, '/') FROM (SELECT type, ready, scheduled, pending, processing, error, done, attempts_left,
	canceled, total_added, total_fetched, total_completed, total_failed, total_healed, total_exhausted, total_released, total_canceled
	FROM goque.stats WHERE type = 'errors') s) AS same_numbers FROM before;
-- and both tasks go on
SELECT goque_complete(:held, :token);
SELECT payload FROM goque_fetch('errors', 10);
