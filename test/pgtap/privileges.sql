-- Who may what: every function, every view, every table, for every privilege of
-- goque_grant; what a role without the right to fetch sees; what forged or guessed
-- values do.
BEGIN;
SELECT plan(39);

CREATE ROLE gq_none;
CREATE ROLE gq_produce;
CREATE ROLE gq_work;
CREATE ROLE gq_monitor;
CREATE ROLE gq_admin;
CREATE ROLE gq_monitor_work;
CREATE ROLE gq_dump IN ROLE pg_read_all_data;
CREATE ROLE gq_member IN ROLE gq_work;
SELECT goque_grant(('gq_' || p)::regrole, p) FROM unnest(ARRAY['produce', 'work', 'monitor', 'admin']) p \g /dev/null
SELECT goque_grant('gq_monitor_work', p) FROM unnest(ARRAY['monitor', 'work']) p \g /dev/null

-- The SQLSTATE of a statement under a role; 00000: it works.  It is undone.
CREATE FUNCTION pg_temp.try(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE format('SET LOCAL ROLE %I', role);
		EXECUTE statement;
		RAISE EXCEPTION USING ERRCODE = '00001', MESSAGE = 'undo';
	EXCEPTION
		WHEN OTHERS THEN RETURN CASE WHEN SQLSTATE = '00001' THEN '00000' ELSE SQLSTATE END;
	END;
END
$$;

-- What a query returns under a role, as text.
CREATE FUNCTION pg_temp.see(role text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE query INTO answer;
	RESET ROLE;
	RETURN answer;
END
$$;

-- ---- functions ----

-- who may call it, and a call that is harmless; anything but 42501 means: allowed
CREATE TEMP TABLE calls (name text PRIMARY KEY, roles text[], call text);
INSERT INTO calls VALUES
('goque_add', '{produce,admin}', $$SELECT goque_add('a')$$),
('goque_add_many', '{produce,admin}', $$SELECT goque_add_many('a', ARRAY['1']::jsonb[])$$),
('goque_cancel', '{produce,work,admin}', 'SELECT goque_cancel(1)'),
('goque_cancel_many', '{produce,work,admin}', $$SELECT goque_cancel_many('{1}')$$),
('goque_cancel_all', '{produce,work,admin}', $$SELECT goque_cancel_all('a')$$),
('goque_fetch', '{work,admin}', $$SELECT goque_fetch('a')$$),
('goque_fetch_any', '{work,admin}', $$SELECT goque_fetch_any('{a}')$$),
('goque_wait_for', '{produce,work,admin}', $$SELECT goque_wait_for(1, '0')$$),
('goque_wait', '{work,admin}', $$CALL goque_wait('{a}')$$),
('goque_complete', '{work,admin}', 'SELECT goque_complete(1)'),
('goque_complete_many', '{work,admin}', $$SELECT goque_complete_many('{1}')$$),
('goque_fail', '{work,admin}', $$SELECT goque_fail(1, 'x')$$),
('goque_fail_many', '{work,admin}', $$SELECT goque_fail_many('{1}', '{x}')$$),
('goque_release', '{work,admin}', 'SELECT goque_release(1)'),
('goque_release_many', '{work,admin}', $$SELECT goque_release_many('{1}')$$),
('goque_heartbeat', '{work,admin}', 'SELECT goque_heartbeat(1)'),
('goque_heartbeat_many', '{work,admin}', $$SELECT goque_heartbeat_many('{1}')$$),
('goque_why', '{monitor,admin}', 'SELECT goque_why(1)'),
('goque_guard', '{work,admin}', 'SELECT goque_guard(1, 1)'),
('goque_retry', '{admin}', 'SELECT goque_retry(1)'),
('goque_retry_many', '{admin}', $$SELECT goque_retry_many('{1}')$$),
('goque_retry_all', '{admin}', $$SELECT goque_retry_all('a')$$),
('goque_reschedule_many', '{admin}', $$SELECT goque_reschedule_many('{1}', priority => 1)$$),
('goque_purge', '{admin}', 'SELECT goque_purge(1)'),
('goque_configure', '{admin}', $$SELECT goque_configure('a', max_attempts => 1)$$),
('goque_unconfigure', '{admin}', $$SELECT goque_unconfigure('a')$$),
('goque_pause', '{admin}', $$SELECT goque_pause('a')$$),
('goque_resume', '{admin}', $$SELECT goque_resume('a')$$),
('goque_schedule', '{admin}', $$SELECT goque_schedule('s', '@daily', 'a')$$),
('goque_unschedule', '{admin}', $$SELECT goque_unschedule('s')$$),
('goque_run_schedule', '{admin}', $$SELECT goque_run_schedule('s')$$),
('goque_pause_schedule', '{admin}', $$SELECT goque_pause_schedule('s')$$),
('goque_resume_schedule', '{admin}', $$SELECT goque_resume_schedule('s')$$),
('goque_next_runs', '{monitor,admin}', $$SELECT goque_next_runs('@daily')$$),
('goque_register_processor', '{admin}', $$SELECT goque_register_processor('a', 'no_such')$$),
('goque_unregister_processor', '{admin}', $$SELECT goque_unregister_processor('a')$$),
('goque_heal', '{admin}', 'SELECT goque_heal()'),
('goque_clean', '{admin}', $$SELECT goque_clean('a')$$),
('goque_grant', '{admin}', $$SELECT goque_grant('gq_none', 'work')$$),
('goque_revoke', '{admin}', $$SELECT goque_revoke('gq_none', 'work')$$),
-- under the views
('snapshot_guard', '{produce,monitor,admin}', 'SELECT goque.snapshot_guard()'),
('may_see_payload', '{produce,monitor,admin}', 'SELECT goque.may_see_payload()'),
('processing_places', '{produce,monitor,admin}', 'SELECT goque.processing_places(0)'),
('types_in_use', '{monitor,admin}', 'SELECT goque.types_in_use()'),
('type_counters', '{monitor,admin}', 'SELECT goque.type_counters()'),
('count_tasks', '{monitor,admin}', $$SELECT goque.count_tasks('a')$$),
('count_waiting', '{monitor,admin}', $$SELECT goque.count_waiting('a', now(), now())$$),
('horizon_holders', '{monitor,admin}', 'SELECT goque.horizon_holders()'),
('horizon_costs', '{monitor,admin}', 'SELECT goque.horizon_costs()'),
('settings_of', '{monitor,admin}', $$SELECT goque.settings_of('a')$$),
('held_tasks', '{monitor,admin}', 'SELECT goque.held_tasks()'),
('leases', '{monitor,admin}', 'SELECT goque.leases()'),
('worker_list', '{monitor,admin}', 'SELECT goque.worker_list()'),
('processor_list', '{monitor,admin}', 'SELECT goque.processor_list()'),
('server_state', '{monitor,admin}', 'SELECT goque.server_state()'),
('home', '{monitor,admin}', 'SELECT goque.home()'),
('may_add', '{admin}', 'SELECT goque.may_add()'),
-- for the owner alone
('frontier', '{}', $$SELECT goque.frontier('a', 0, 0)$$),
('announce', '{}', 'SELECT goque.announce()'),
('generation_changed', '{}', 'SELECT goque.generation_changed()'),
('settings_changed', '{}', 'SELECT goque.settings_changed()'),
('tasks_insert', '{}', 'SELECT goque.tasks_insert()'),
('tasks_refuse', '{}', 'SELECT goque.tasks_refuse()');

SELECT set_eq($$SELECT name FROM calls$$,
	$$SELECT p.proname::text FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'goque' JOIN pg_proc p ON p.oid = d.objid
		WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'$$,
	'no function is forgotten here');
SELECT is_empty(format($$SELECT name, pg_temp.try('gq_%1$s', call), roles FROM calls
	WHERE (pg_temp.try('gq_%1$s', call) = '42501') = ('%1$s' = ANY (roles))$$, role), 'functions: ' || role)
FROM unnest('{none,produce,work,monitor,admin}'::text[]) role;
-- so that "allowed" means something: it works, or fails for what it was given
SELECT is_empty($$SELECT name, role, pg_temp.try('gq_' || role, call) FROM calls, unnest(roles) role
	WHERE pg_temp.try('gq_' || role, call) <> CASE name WHEN 'goque_wait' THEN '25001' WHEN 'goque_register_processor' THEN '42883' WHEN 'goque_guard' THEN '55000' ELSE '00000' END$$,
	'whoever may call a function can call it; goque_wait got as far as the transaction block, goque_guard as far as the lease');
SELECT is(pg_temp.try('gq_member', $$SELECT goque_fetch('a')$$), '00000', 'a member of a role has its privileges');

-- ---- views and tables ----

CREATE TEMP TABLE statements (roles text[], statement text);
INSERT INTO statements VALUES
('{monitor,admin}', 'SELECT * FROM goque.tasks'),
('{produce,monitor,admin}', 'SELECT id FROM goque.tasks'),
('{monitor,admin}', 'SELECT payload FROM goque.tasks'),
('{monitor,admin}', 'SELECT count(*) FROM goque.tasks WHERE type IS NULL'),
('{monitor,admin}', 'SELECT * FROM goque.task_types'),
('{monitor,admin}', 'SELECT * FROM goque.stats'),
('{monitor,admin}', 'SELECT * FROM goque.workers'),
('{monitor,admin}', 'SELECT * FROM goque.schedules'),
('{monitor,admin}', 'SELECT * FROM goque.processors'),
('{monitor,admin}', 'SELECT * FROM goque.health'),
('{produce,admin}', $$INSERT INTO goque.tasks (type) VALUES ('a')$$),
('{produce,admin}', $$INSERT INTO goque.tasks (type) VALUES ('a') RETURNING id$$),
('{admin}', $$INSERT INTO goque.tasks (type) VALUES ('a') RETURNING payload$$),
('{}', 'SELECT * FROM goque.ring'),
('{}', 'SELECT * FROM goque.type_names'),
('{}', 'SELECT * FROM goque.settings'),
('{}', 'SELECT * FROM goque.schedule_settings'),
('{}', 'UPDATE goque.schedule_settings SET next_run_at = now()'),
('{}', 'SELECT last_value FROM goque.installation_seq'),
('{}', 'SELECT * FROM goque.handlers'),
('{}', 'SELECT * FROM goque.key_locks'),
('{}', 'SELECT * FROM goque.tasks_0'),
('{}', 'SELECT payload FROM goque.tasks_7'),
('{}', 'UPDATE goque.tasks_0 SET status = 1'),
('{}', 'DELETE FROM goque.tasks_0'),
('{}', 'TRUNCATE goque.tasks_0'),
('{}', $$INSERT INTO goque.key_locks VALUES (1, 'a', 'b')$$),
('{}', $$INSERT INTO goque.settings (type) VALUES ('a')$$),
('{}', $$SELECT nextval('goque.task_id_seq')$$),
('{}', $$SELECT setval('goque.generation_seq', 5)$$),
('{}', 'SELECT last_value FROM goque.emptied_seq'),
('{}', $$SELECT setval('goque.quarantine_seq', 1)$$),
('{}', 'CREATE TABLE goque.t ()'),
('{}', 'LOCK TABLE goque.tasks_0 IN ACCESS EXCLUSIVE MODE'),
('{}', 'CREATE INDEX ON goque.tasks_0 (status)'),
('{}', 'ALTER TABLE goque.settings ADD t int'),
('{}', 'DROP VIEW goque.health'),
('{}', 'ALTER EXTENSION goque UPDATE'),
('{}', 'DROP EXTENSION goque');

SELECT is_empty(format($$SELECT statement, pg_temp.try('gq_%1$s', statement), roles FROM statements
	WHERE pg_temp.try('gq_%1$s', statement) <> CASE WHEN '%1$s' = ANY (roles) THEN '00000' ELSE '42501' END$$, role), 'statements: ' || role)
FROM unnest('{none,produce,work,monitor,admin}'::text[]) role;
SELECT is_empty($$SELECT relname, rolname, privilege FROM pg_class c, pg_roles, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) privilege
	WHERE relnamespace = 'goque'::regnamespace AND relkind IN ('r', 'v') AND relname NOT IN ('tasks', 'task_types', 'stats', 'workers', 'schedules', 'processors', 'health')
	AND rolname LIKE 'gq\_%' AND rolname <> 'gq_dump' AND has_table_privilege(rolname, c.oid, privilege)$$,
	'nobody has any privilege on a table or an inner view');
-- F55: no role may change the view itself but by INSERT
SELECT is_empty($$SELECT rolname, statement, pg_temp.try(rolname, statement) FROM pg_roles,
	unnest(ARRAY['UPDATE goque.tasks SET payload = ''1''', 'DELETE FROM goque.tasks']) statement
	WHERE rolname LIKE 'gq\_%' AND pg_temp.try(rolname, statement) NOT IN ('42501', '0A000')$$, 'F55: nobody updates or deletes in goque.tasks');

-- COPY is an INSERT
SET ROLE gq_produce;
COPY goque.tasks (type, payload) FROM STDIN;
copied	1
\.
RESET ROLE;
SELECT is((SELECT count(*) FROM goque.tasks WHERE type = 'copied'), 1::bigint, 'produce may COPY into goque.tasks');
-- D4: pg_dump under pg_read_all_data
SELECT is(pg_temp.try('gq_dump', 'SELECT * FROM goque.tasks_0 WHERE goque.snapshot_guard()'), '00000', 'pg_read_all_data may dump the tasks');
SELECT is(pg_temp.try('gq_dump', 'SELECT id, type, status FROM goque.tasks'), '00000', '... and read the view');

-- ---- masking ----

SELECT id AS task FROM goque_add('secret', '"payload"', metadata => '"metadata"') id \gset
SELECT count(goque_heartbeat(id, token, progress => '"progress"')) FROM goque_fetch('secret') \g /dev/null
SELECT goque_complete(:task, result => '"result"') \g /dev/null
SELECT format('SELECT concat_ws('','', payload, result, metadata, progress) FROM goque.tasks WHERE id = %s', :task) AS secrets \gset
SELECT is(pg_temp.see('gq_monitor', :'secrets'), '', 'monitor sees no payload, result, metadata or progress');
SELECT is(pg_temp.see('gq_monitor', 'SELECT concat_ws('','', type, status, attempts) FROM goque.tasks WHERE id = ' || :task), 'secret,done,1', '... but the rest');
SELECT is(pg_temp.see('gq_monitor_work', :'secrets'), '"payload","result","metadata","progress"', 'who may also fetch sees them');
SELECT is(pg_temp.see('gq_admin', :'secrets'), '"payload","result","metadata","progress"', '... and admin');
SELECT is(pg_temp.see('gq_dump', :'secrets'), '', 'the view masks for pg_read_all_data too');
-- a predicate must not tell what the column does not
SELECT is(pg_temp.see('gq_monitor', format('SELECT count(*) FROM goque.tasks WHERE id = %s AND payload = ''"payload"''', :task)), '0', 'a condition on it finds nothing');
CREATE FUNCTION leak(jsonb) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN IF $1 IS NOT NULL THEN RAISE 'saw %', $1; END IF; RETURN true; END $$;
GRANT EXECUTE ON FUNCTION leak(jsonb) TO gq_monitor;
SELECT is(pg_temp.see('gq_monitor', 'SELECT count(*) > 0 FROM goque.tasks WHERE leak(payload) AND leak(result) AND leak(progress) AND leak(metadata)'), 'true', '... nor does a cheap function, called early, see it');
DROP FUNCTION leak(jsonb);
-- nothing that monitor may call returns a payload
SELECT is_empty($$SELECT p.proname FROM pg_proc p, unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) t
	WHERE p.pronamespace = 'goque'::regnamespace AND t IN ('jsonb'::regtype, 'goque.task'::regtype)$$, 'no function under the views has a jsonb in it');

-- ---- grant and revoke ----

SELECT lives_ok($$SELECT goque_grant('gq_produce', 'produce')$$, 'granted again');
SELECT goque_grant('gq_produce', 'work') \g /dev/null
SELECT goque_revoke('gq_produce', 'work') \g /dev/null
SELECT is(concat_ws(' ', pg_temp.try('gq_produce', $$SELECT goque_fetch('a')$$), pg_temp.try('gq_produce', 'SELECT goque_cancel(1)'),
	pg_temp.try('gq_produce', $$INSERT INTO goque.tasks (type) VALUES ('a') RETURNING id$$)), '42501 00000 00000',
	'what another privilege gives as well stays when one is revoked');
SELECT goque_revoke(('gq_' || p)::regrole, p) FROM unnest('{produce,work,monitor,admin}'::text[]) p \g /dev/null
SELECT goque_revoke('gq_monitor_work', p) FROM unnest('{work,monitor}'::text[]) p \g /dev/null
SELECT is_empty($$SELECT name, rolname FROM calls, pg_roles WHERE rolname LIKE 'gq\_%' AND pg_temp.try(rolname, call) <> '42501' AND NOT (rolname = 'gq_dump' AND name IN ('snapshot_guard', 'may_see_payload', 'processing_places'))$$,
	'all revoked: no function is left');
SELECT is_empty($$SELECT relname, relacl FROM pg_class WHERE relnamespace = 'goque'::regnamespace AND relacl::text LIKE '%gq\_%'
	UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attacl::text LIKE '%gq\_%'
	UNION ALL SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'goque' AND nspacl::text LIKE '%gq\_%'
	UNION ALL SELECT proname, proacl FROM pg_proc WHERE proacl::text LIKE '%gq\_%'$$, '... and no view, column or schema');
SELECT lives_ok($$SELECT goque_revoke('gq_none', 'admin')$$, 'what was never granted can be revoked');

-- A6: names that are SQL, quotes, format strings
CREATE TEMP TABLE odd (name text PRIMARY KEY);
INSERT INTO odd VALUES ('gq "quoted"'), ('gq '' -- x'), ('GQ_Upper'), ('gq%s%n%1$s'), ('gq;drop table t'), ('gq\slash'), ('gq $$dollar$$'), (E'gq new\nline'), ('gq ' || repeat('x', 60)), ('select');
UPDATE odd SET name = left(name, 63);
-- 19 refuses it itself
DELETE FROM odd WHERE name LIKE E'%\n%' AND current_setting('server_version_num')::int >= 190000;
DO $do$ DECLARE n text; BEGIN FOR n IN SELECT name FROM odd LOOP EXECUTE format('CREATE ROLE %I', n); PERFORM goque_grant(quote_ident(n)::regrole, 'work'); END LOOP; END $do$;
SELECT is_empty($$SELECT name, pg_temp.try(name, 'SELECT goque_fetch(''a'')'), pg_temp.try(name, 'SELECT goque_add(''a'')') FROM odd
	WHERE pg_temp.try(name, 'SELECT goque_fetch(''a'')') <> '00000' OR pg_temp.try(name, 'SELECT goque_add(''a'')') <> '42501'$$, 'A6: grants to roles with odd names');
SELECT is((SELECT count(goque_revoke(quote_ident(name)::regrole, 'work')) FROM odd), (SELECT count(*) FROM odd), '... and takes them back');
SELECT is_empty($$SELECT name FROM odd WHERE pg_temp.try(name, 'SELECT goque_fetch(''a'')') <> '42501'$$, '... all');

-- ---- A8: forged fields, guessed ids and tokens ----

SELECT goque_grant(('gq_' || p)::regrole, p) FROM unnest('{produce,work}'::text[]) p \g /dev/null
CREATE TEMP TABLE forged (assignment text, value text);
INSERT INTO forged VALUES ('id', '1'), ('status', '''done'''), ('attempts', '0'), ('error', '''x'''), ('errors', '''x'''), ('result', '''1'''), ('progress', '''1'''),
	('worker', '''me'''), ('created_at', 'now()'), ('started_at', 'now()'), ('updated_at', 'now()'), ('lease_until', '''2100-01-01'''), ('finished_at', 'now()');
SELECT is_empty($$SELECT assignment, pg_temp.try('gq_produce', format('INSERT INTO goque.tasks (type, %I) VALUES (''a'', %s)', assignment, value)) FROM forged
	WHERE pg_temp.try('gq_produce', format('INSERT INTO goque.tasks (type, %I) VALUES (''a'', %s)', assignment, value)) <> '0A000'$$, 'A8, F55: an INSERT sets only what goque_add takes');
SELECT set_eq($$SELECT attname::text FROM pg_attribute WHERE attrelid = 'goque.tasks'::regclass AND attnum > 0$$,
	$$SELECT assignment FROM forged UNION SELECT unnest('{type,payload,external_id,priority,max_attempts,timeout,metadata,ordering_key,after,next_attempt_at,expires_at}'::text[])$$, '... no column is forgotten here');

CREATE FUNCTION pg_temp.stock() RETURNS text LANGUAGE sql AS $$ SELECT md5(string_agg(r::text, '/' ORDER BY id)) FROM goque.ring r $$;
SELECT id AS held FROM goque_add('held') id \gset
SELECT token FROM goque_fetch('held') \gset
SELECT pg_temp.stock() AS stock \gset
SELECT is((SELECT string_agg(pg_temp.see('gq_work', replace(call, 'ID, T', :held || ', ' || t)), ' ') FROM unnest(ARRAY[:token - 1, :token + 1, 1, -1, 9007199254740991]) t,
	unnest(ARRAY['SELECT goque_complete(ID, T)', 'SELECT goque_release(ID, T)', 'SELECT goque_heartbeat(ID, T) IS NOT NULL']) call),
	repeat('false ', 14) || 'false', 'A8: a guessed token is refused');
SELECT is(pg_temp.stock(), :'stock', '... and changes nothing');
SELECT is(pg_temp.see('gq_produce', 'SELECT goque_cancel(' || :held || ')'), 'true', 'who may cancel may do so for every task');

SELECT * FROM finish();
ROLLBACK;
