-- F11: a read-only transaction gets 25006 before anything is changed.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

-- something to change for each call
SELECT goque_add('readonly', '1') AS held \gset
SELECT goque_add('readonly', '2', external_id => 'k') AS waiting \gset
SELECT goque_add('readonly', '3') AS done \gset
SELECT count(*) FROM goque_fetch('readonly');
SELECT goque_cancel(:done);
SELECT goque_configure('readonly', max_attempts => 4);

CREATE TEMP TABLE calls (n serial, call text);
INSERT INTO calls (call) SELECT replace(replace(replace(c, 'HELD', :'held'), 'WAITING', :'waiting'), 'DONE', :'done') FROM unnest(ARRAY[
	$$goque_add('readonly')$$, $$goque_add('readonly', external_id => 'k', on_conflict => 'ignore')$$, $$goque_add('readonly', external_id => 'k', on_conflict => 'replace')$$,
	$$goque_add_many('readonly', '{1}')$$, $$goque_add_many('readonly', '{}')$$,
	$$goque_fetch('readonly')$$, $$goque_fetch('readonly.nothing')$$, $$goque_fetch('readonly.nothing', wait => '1 min')$$, $$goque_fetch_any(NULL)$$,
	$$goque_complete(HELD)$$, $$goque_complete(-1)$$, $$goque_complete_many('{HELD}')$$, $$goque_fail(HELD, 'x')$$, $$goque_fail_many('{HELD}', '{x}')$$,
	$$goque_release(HELD)$$, $$goque_release_many('{HELD}')$$, $$goque_heartbeat(HELD)$$, $$goque_heartbeat_many('{HELD}')$$, $$goque_guard(HELD, 0)$$,
	$$goque_cancel(WAITING)$$, $$goque_cancel_many('{WAITING}')$$, $$goque_cancel_all('readonly')$$, $$goque_retry(DONE)$$, $$goque_retry_many('{DONE}')$$,
	$$goque_retry_all('readonly', 'canceled')$$, $$goque_reschedule_many('{WAITING}', now())$$, $$goque_purge(DONE)$$,
	$$goque_configure('readonly', max_attempts => 5)$$, $$goque_unconfigure('readonly')$$, $$goque_pause('readonly')$$, $$goque_pause()$$, $$goque_resume('readonly')$$, $$goque_resume()$$,
	$$goque_schedule('s', '@daily', 'readonly')$$, $$goque_unschedule('s')$$, $$goque_run_schedule('s')$$, $$goque_pause_schedule('s')$$, $$goque_resume_schedule('s')$$,
	$$goque_register_processor('readonly', 'f')$$, $$goque_unregister_processor('readonly')$$,
	$$goque_heal()$$, $$goque_clean()$$, $$goque_grant('pg_monitor', 'monitor')$$, $$goque_revoke('pg_monitor', 'monitor')$$]) c;
-- every function that there is, but those that change nothing
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE p.proname LIKE 'goque\_%' AND p.prokind = 'f' AND p.proname NOT IN ('goque_wait_for', 'goque_why', 'goque_next_runs') AND NOT EXISTS (SELECT FROM calls WHERE call LIKE p.proname || '(%');

\pset format unaligned
\pset tuples_only on
CREATE TEMP TABLE before AS SELECT pg_temp.stock() AS stock;

BEGIN READ ONLY;
SELECT split_part(pg_temp.refused('SELECT ' || call), E'\n', 1) FROM calls ORDER BY n;
SELECT pg_temp.refused($$SELECT goque_add('readonly')$$);
SELECT count(*) FROM calls WHERE pg_temp.refused('SELECT ' || call) ~ '^25006: cannot execute goque_.*\nDETAIL: .*\nHINT: ';
SELECT count(*) FROM calls;
-- INSERT, COPY, UPDATE and DELETE of the view
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type) VALUES ('readonly')$$);
SELECT pg_temp.refused($$DELETE FROM goque.tasks$$) ~ '^(25006|0A000)' AS refused;
COPY goque.tasks (type) FROM STDIN;
readonly
\.
ROLLBACK;

-- turned read-only in the middle, in a subtransaction, and back again
BEGIN;
SELECT goque_add('readonly', '"before"') > 0 AS added;
SAVEPOINT s;
SET TRANSACTION READ ONLY;
SELECT pg_temp.refused($$SELECT goque_add('readonly')$$) ~ '^25006' AS refused;
SELECT pg_temp.refused($$SELECT goque_fetch('readonly')$$) ~ '^25006' AS refused;
ROLLBACK TO s;
SELECT goque_add('readonly', '"after"') > 0 AS added;
ROLLBACK;

-- default_transaction_read_only, as a pooler or a role may set it
SET default_transaction_read_only = on;
SELECT count(*) FROM calls WHERE pg_temp.refused('SELECT ' || call) ~ '^25006';
SELECT goque_add('readonly');
SELECT * FROM goque_fetch('readonly');
INSERT INTO goque.tasks (type) VALUES ('readonly');
-- reading goes on, and so does waiting
SELECT count(*) FROM goque.tasks WHERE type = 'readonly';
SELECT ready, processing, canceled FROM goque.stats WHERE type = 'readonly';
SELECT max_attempts FROM goque.task_types WHERE type = 'readonly';
SELECT count(*) > 0 AS healthy FROM goque.health;
SELECT count(*) FROM goque.workers WHERE kind = 'holder' AND pid = pg_backend_pid();
CALL goque_wait('{readonly}', '0');
SELECT status FROM goque_wait_for(:done, '0');
SELECT reason FROM goque_why(:done);
-- a transaction may be made read-write again
BEGIN READ WRITE;
SELECT count(*) FROM goque_fetch('readonly');
ROLLBACK;
RESET default_transaction_read_only;

-- the same at the stricter levels
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT count(*) FROM calls WHERE split_part(call, '(', 1) <> '' AND pg_temp.refused('SELECT ' || call) ~ '^25006';
COMMIT;

-- nothing was changed
SELECT stock = pg_temp.stock() AS same FROM before;
SELECT payload FROM goque_fetch('readonly', 10);
SELECT goque_complete(:held);
