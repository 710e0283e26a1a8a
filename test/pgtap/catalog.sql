-- The catalog: the SQL interface as docs and programs know it, comments, rights and
-- paths of functions, what pg_dump keeps.  Nothing here calls goque.
BEGIN;
SELECT plan(36);

-- ---- what belongs to the extension ----

CREATE TEMP VIEW functions AS
SELECT p.*, n.nspname, p.oid::regprocedure AS signature, l.lanname
FROM pg_depend d
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'goque'
JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE d.deptype = 'e';

CREATE TEMP VIEW relations AS
SELECT c.*, n.nspname
FROM pg_depend d
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'goque'
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.deptype = 'e';

SELECT set_eq(
	$$SELECT relkind::text, relname::text FROM relations$$,
	$$SELECT kind, unnest(names) FROM (VALUES
		('r', ARRAY['settings', 'schedule_settings', 'handlers', 'key_locks', 'dependencies', 'fetch_log', 'tasks_0', 'tasks_1', 'tasks_2', 'tasks_3', 'tasks_4', 'tasks_5', 'tasks_6', 'tasks_7']),
		('S', ARRAY['task_id_seq', 'generation_seq', 'emptied_seq', 'quarantine_seq', 'installation_seq']),
		('v', ARRAY['tasks', 'task_types', 'stats', 'workers', 'schedules', 'processors', 'health', 'ring', 'type_names'])) v(kind, names)$$,
	'tables, sequences and views of the extension (F45: made by its script, never at run time)');

SELECT is_empty($$SELECT signature FROM functions WHERE nspname <> CASE WHEN proname LIKE 'goque\_%' THEN current_schema ELSE 'goque' END$$,
	'functions goque_* are in the schema that was asked for, all others in goque');
SELECT is_empty($$SELECT relname FROM relations WHERE nspname <> 'goque'$$, 'all relations are in goque');
SELECT is_empty($$SELECT relname FROM pg_class c WHERE relnamespace = 'goque'::regnamespace AND relkind IN ('r', 'v', 'm', 'S', 'p', 'f')
	AND NOT EXISTS (SELECT FROM relations r WHERE r.oid = c.oid)$$, 'nothing else is in goque');
SELECT is((SELECT extrelocatable FROM pg_extension WHERE extname = 'goque'), false, 'the extension is not relocatable');

-- ---- the functions of the interface ----

-- name, kind, arguments, result: copied by hand from the contract, in PostgreSQL's
-- spelling.  f: a function, p: a procedure.
CREATE TEMP TABLE interface (name text PRIMARY KEY, kind text, arguments text, result text);
INSERT INTO interface VALUES
('goque_add', 'f', $$type text, payload jsonb DEFAULT '{}'::jsonb, external_id text DEFAULT NULL::text, priority integer DEFAULT 0, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, delay interval DEFAULT NULL::interval, max_attempts integer DEFAULT NULL::integer, timeout interval DEFAULT NULL::interval, ordering_key text DEFAULT NULL::text, after bigint[] DEFAULT NULL::bigint[], metadata jsonb DEFAULT NULL::jsonb, on_conflict text DEFAULT 'error'::text, unique_while text DEFAULT 'kept'::text, expires_in interval DEFAULT NULL::interval$$, 'bigint'),
('goque_add_many', 'f', $$type text, payloads jsonb[], external_ids text[] DEFAULT NULL::text[], ordering_keys text[] DEFAULT NULL::text[], priority integer DEFAULT 0, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, delay interval DEFAULT NULL::interval, max_attempts integer DEFAULT NULL::integer, timeout interval DEFAULT NULL::interval, after bigint[] DEFAULT NULL::bigint[], metadata jsonb DEFAULT NULL::jsonb, on_conflict text DEFAULT 'error'::text, unique_while text DEFAULT 'kept'::text, expires_in interval DEFAULT NULL::interval$$, 'SETOF bigint'),
('goque_fetch', 'f', $$type text, max_tasks integer DEFAULT 1, lease interval DEFAULT NULL::interval, wait interval DEFAULT NULL::interval, worker text DEFAULT NULL::text$$, 'SETOF goque.task'),
('goque_fetch_any', 'f', $$types text[], max_tasks integer DEFAULT 1, lease interval DEFAULT NULL::interval, wait interval DEFAULT NULL::interval, worker text DEFAULT NULL::text$$, 'SETOF goque.task'),
('goque_wait', 'p', $$IN types text[], IN timeout interval DEFAULT '00:01:00'::interval$$, NULL),
('goque_complete', 'f', $$id bigint, token bigint DEFAULT 0, result jsonb DEFAULT NULL::jsonb$$, 'boolean'),
('goque_fail', 'f', $$id bigint, error text, token bigint DEFAULT 0, retry_in interval DEFAULT NULL::interval, retry boolean DEFAULT true$$, 'text'),
('goque_release', 'f', $$id bigint, token bigint DEFAULT 0, delay interval DEFAULT '00:00:00'::interval$$, 'boolean'),
('goque_heartbeat', 'f', $$id bigint, token bigint DEFAULT 0, lease interval DEFAULT NULL::interval, progress jsonb DEFAULT NULL::jsonb$$, 'timestamp with time zone'),
('goque_complete_many', 'f', $$ids bigint[], tokens bigint[] DEFAULT '{}'::bigint[], results jsonb[] DEFAULT NULL::jsonb[]$$, 'SETOF bigint'),
('goque_fail_many', 'f', $$ids bigint[], errors text[], tokens bigint[] DEFAULT '{}'::bigint[], retry_in interval DEFAULT NULL::interval, retry boolean DEFAULT true$$, 'SETOF bigint'),
('goque_release_many', 'f', $$ids bigint[], tokens bigint[] DEFAULT '{}'::bigint[], delay interval DEFAULT '00:00:00'::interval$$, 'SETOF bigint'),
('goque_wait_for', 'f', $$id bigint, timeout interval DEFAULT '00:00:30'::interval$$, 'TABLE(status text, result jsonb, error text)'),
('goque_why', 'f', 'id bigint', 'TABLE(reason text, detail text, hint text)'),
('goque_guard', 'f', 'id bigint, token bigint', 'void'),
('goque_heartbeat_many', 'f', $$ids bigint[], tokens bigint[] DEFAULT '{}'::bigint[], lease interval DEFAULT NULL::interval$$, 'SETOF bigint'),
('goque_cancel', 'f', 'id bigint', 'boolean'),
('goque_cancel_many', 'f', 'ids bigint[]', 'SETOF bigint'),
('goque_cancel_all', 'f', $$type text, status text DEFAULT 'new'::text, max_tasks integer DEFAULT NULL::integer$$, 'bigint'),
('goque_retry', 'f', $$id bigint, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone$$, 'boolean'),
('goque_retry_many', 'f', $$ids bigint[], run_at timestamp with time zone DEFAULT NULL::timestamp with time zone$$, 'SETOF bigint'),
('goque_retry_all', 'f', $$type text, status text DEFAULT 'attempts_left'::text, max_tasks integer DEFAULT NULL::integer, error_like text DEFAULT NULL::text$$, 'bigint'),
('goque_reschedule_many', 'f', $$ids bigint[], run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT NULL::integer$$, 'SETOF bigint'),
('goque_purge', 'f', 'id bigint', 'boolean'),
('goque_configure', 'f', $$type text, max_attempts integer DEFAULT NULL::integer, timeout interval DEFAULT NULL::interval, backoff text DEFAULT NULL::text, backoff_base interval DEFAULT NULL::interval, backoff_max interval DEFAULT NULL::interval, backoff_jitter double precision DEFAULT NULL::double precision, backoff_steps interval[] DEFAULT NULL::interval[], retention interval DEFAULT NULL::interval, max_payload_size integer DEFAULT NULL::integer, max_running integer DEFAULT NULL::integer, rate_limit integer DEFAULT NULL::integer, rate_period interval DEFAULT NULL::interval, retention_failed interval DEFAULT NULL::interval$$, 'void'),
('goque_unconfigure', 'f', 'type text', 'boolean'),
('goque_pause', 'f', 'type text DEFAULT NULL::text', 'void'),
('goque_resume', 'f', 'type text DEFAULT NULL::text', 'void'),
('goque_schedule', 'f', $$name text, schedule text, type text, payload jsonb DEFAULT '{}'::jsonb, timezone text DEFAULT 'UTC'::text, run_on_start boolean DEFAULT false, catch_up text DEFAULT 'one'::text, overlap boolean DEFAULT true, priority integer DEFAULT 0$$, 'void'),
('goque_unschedule', 'f', 'name text', 'boolean'),
('goque_run_schedule', 'f', 'name text', 'bigint'),
('goque_pause_schedule', 'f', 'name text', 'boolean'),
('goque_resume_schedule', 'f', 'name text', 'boolean'),
('goque_next_runs', 'f', $$schedule text, timezone text DEFAULT 'UTC'::text, n integer DEFAULT 5$$, 'SETOF timestamp with time zone'),
('goque_register_processor', 'f', $$type text, handler text, workers integer DEFAULT 1, batch_size integer DEFAULT 1, idle_timeout interval DEFAULT '00:01:00'::interval$$, 'void'),
('goque_unregister_processor', 'f', 'type text', 'boolean'),
('goque_heal', 'f', 'type text DEFAULT NULL::text', 'bigint'),
('goque_clean', 'f', 'type text DEFAULT NULL::text', 'bigint'),
('goque_grant', 'f', 'role regrole, privilege text', 'void'),
('goque_revoke', 'f', 'role regrole, privilege text', 'void');

SELECT set_eq($$SELECT proname::text FROM functions WHERE proname LIKE 'goque\_%'$$, $$SELECT name FROM interface$$,
	'the functions of the interface');
SELECT is((SELECT count(*) - count(DISTINCT proname) FROM functions), 0::bigint, 'no function name is overloaded');
SELECT is_empty($$SELECT i.name, i.arguments, pg_get_function_arguments(f.oid) FROM interface i JOIN functions f ON f.proname = i.name
	WHERE pg_get_function_arguments(f.oid) <> i.arguments$$, 'names, types, order and defaults of the arguments');
SELECT is_empty($$SELECT i.name, pg_get_function_result(f.oid) FROM interface i JOIN functions f ON f.proname = i.name
	WHERE pg_get_function_result(f.oid) IS DISTINCT FROM i.result$$, 'result types');
SELECT is_empty($$SELECT i.name FROM interface i JOIN functions f ON f.proname = i.name WHERE f.prokind::text <> i.kind$$,
	'functions and procedures');

SELECT is((SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'goque.task'::regclass AND attnum > 0 AND NOT attisdropped),
	'id bigint, type text, external_id text, payload jsonb, attempt integer, max_attempts integer, priority integer, ordering_key text, ' ||
	'metadata jsonb, errors text, progress jsonb, created_at timestamp with time zone, lease_until timestamp with time zone, token bigint, lease interval',
	'attributes of goque.task');

-- ---- the views of the interface ----

CREATE TEMP TABLE columns (view text, names text[]);
INSERT INTO columns VALUES
('tasks', '{id,type,external_id,payload,status,attempts,max_attempts,priority,error,errors,result,progress,metadata,ordering_key,after,timeout,worker,created_at,started_at,expires_at,updated_at,next_attempt_at,lease_until,finished_at}'),
('task_types', '{type,max_attempts,timeout,backoff,backoff_base,backoff_max,backoff_jitter,backoff_steps,retention,max_payload_size,max_running,rate_limit,rate_period,retention_failed,paused}'),
('stats', '{type,ready,scheduled,pending,processing,error,done,attempts_left,canceled,oldest_ready,total_added,total_fetched,total_completed,total_failed,total_healed,total_exhausted,total_released,total_canceled}'),
('workers', '{what,since}'),
('schedules', '{name,schedule,timezone,type,next_run_at,last_run_at,last_task,last_status,paused}'),
('processors', '{type,handler,role,workers,running,ok,detail}'),
('health', '{check_name,ok,detail,hint}');

SELECT is_empty($$SELECT view, name FROM columns, unnest(names) name
	WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = ('goque.' || view)::regclass AND attname = name AND attnum > 0)$$,
	'the views have the columns of the contract');
SELECT is((SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'goque.tasks'::regclass AND attnum > 0),
	(SELECT names FROM columns WHERE view = 'tasks'), 'goque.tasks has them in its order, and no others');
SELECT is_empty($$SELECT f.arguments FROM interface f, unnest('{max_attempts,timeout,backoff,backoff_base,backoff_max,backoff_jitter,backoff_steps,retention,max_payload_size,max_running,rate_limit,rate_period,retention_failed}'::text[]) setting
	WHERE f.name = 'goque_configure' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE attrelid = 'goque.task_types'::regclass AND attname = setting
		AND f.arguments LIKE '% ' || setting || ' ' || format_type(atttypid, atttypmod) || ' %')$$,
	'goque.task_types shows each setting in its own type');

-- ---- the server settings ----

-- in the units of pg_settings
CREATE TEMP TABLE settings (name text, value text, unit text);
INSERT INTO settings VALUES
('goque.max_payload_size', '1024', 'kB'),
('goque.heal_interval', '5000', 'ms'),
('goque.clean_interval', '60000', 'ms'),
('goque.max_processor_workers', '8', NULL),
('goque.release_on_disconnect', 'off', NULL),
('goque.async_claims', 'on', NULL);

LOAD 'goque';
SELECT set_eq($$SELECT name, boot_val, unit FROM pg_settings WHERE name LIKE 'goque.%'$$, $$SELECT * FROM settings$$,
	'server settings, their defaults and units');
SELECT is((SELECT context FROM pg_settings WHERE name = 'goque.release_on_disconnect'), 'backend',
	'goque.release_on_disconnect is settable at connection start only');
SELECT is_empty($$SELECT name FROM pg_settings WHERE name LIKE 'goque.%' AND (coalesce(short_desc, '') = '' OR coalesce(extra_desc, '') = '')$$,
	'each has a short and a long description');

-- ---- comments ----

SELECT is_empty($$SELECT signature FROM functions WHERE coalesce(obj_description(oid, 'pg_proc'), '') = ''$$, 'every function has a comment');
SELECT is_empty($$SELECT relname FROM relations WHERE coalesce(obj_description(oid, 'pg_class'), '') = ''$$,
	'every table, view and sequence has a comment');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM columns JOIN pg_attribute ON attrelid = ('goque.' || view)::regclass AND attnum > 0
	WHERE coalesce(col_description(attrelid, attnum), '') = ''$$, 'every column of the five views has a comment');
SELECT ok(obj_description('goque.task'::regtype, 'pg_type') <> '' AND obj_description('goque'::regnamespace, 'pg_namespace') <> '',
	'the type and the schema have one');
SELECT ok(obj_description((SELECT oid FROM pg_extension WHERE extname = 'goque'), 'pg_extension') <> '', 'so has the extension');

-- ---- rights and paths (A7) ----

SELECT set_eq($$SELECT signature::text FROM functions WHERE prosecdef AND array_remove(proconfig, 'jit=off') IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']$$,
	'{}'::text[], 'A7: every function that runs as its owner pins its search_path');
SELECT set_eq($$SELECT proname::text FROM functions WHERE proname LIKE 'goque\_%' AND NOT prosecdef$$, ARRAY['goque_wait', 'goque_add', 'goque_fetch', 'goque_complete', 'goque_schedule', 'goque_register_processor'],
	'goque_wait and goque_register_processor run with the rights of the caller, goque_schedule looks at them; three switch rights in C, which attacks.sql tests');
SELECT set_eq($$SELECT proname::text FROM functions WHERE proname NOT LIKE 'goque\_%' AND prosecdef$$,
	ARRAY['tasks_insert', 'tasks_refuse', 'settings_changed', 'generation_changed', 'count_tasks', 'count_waiting', 'horizon_holders', 'horizon_costs', 'held_tasks'],
	'of the others, triggers run as their owner, and what counts tasks for the views');
SELECT is_empty($$SELECT signature FROM functions WHERE lanname = 'sql' AND prosqlbody IS NULL$$,
	'A1: functions in SQL were parsed when they were made');

SELECT set_eq($$SELECT signature::text, grantee::regrole::text, privilege_type FROM functions, aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee <> proowner$$,
	$$VALUES ('goque.snapshot_guard()', 'pg_read_all_data', 'EXECUTE'), ('goque.may_see_payload()', 'pg_read_all_data', 'EXECUTE'), ('goque.processing_places(integer)', 'pg_read_all_data', 'EXECUTE')$$,
	'A7: nobody but the owner may call a function, PUBLIC included; pg_dump may call its filter');
SELECT is_empty($$SELECT relname, grantee, privilege_type FROM relations, aclexplode(relacl) WHERE grantee <> relowner
	UNION ALL SELECT attname, grantee, privilege_type FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid, aclexplode(attacl) WHERE grantee <> relowner
	UNION ALL SELECT nspname, grantee, privilege_type FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'goque' AND grantee <> nspowner$$,
	'A7: nobody but the owner may use a table, a view, a sequence, a column or the schema');

-- ---- volatility and the like ----

SELECT is_empty($$SELECT signature FROM functions WHERE proname LIKE 'goque\_%' AND (provolatile <> 'v' OR proparallel <> 'u' OR proisstrict OR proleakproof OR proretset <> (pg_get_function_result(oid) ~ '^(SETOF |TABLE)'))$$,
	'what changes tasks is volatile, never run in a parallel worker (F13), and called with NULLs');
SELECT set_eq($$SELECT proname::text FROM functions WHERE proname NOT LIKE 'goque\_%' AND provolatile = 's'$$,
	ARRAY['snapshot_guard', 'may_see_payload', 'processing_places', 'types_in_use', 'type_counters', 'frontier', 'count_tasks', 'count_waiting', 'horizon_holders', 'horizon_costs', 'held_tasks', 'settings_of', 'leases', 'worker_list', 'processor_list', 'server_state', 'home', 'may_add'],
	'what the views call is stable: goque.snapshot_guard must not be volatile, or it would not be called on an empty table (D4)');
SELECT is((SELECT array_agg(DISTINCT probin) FROM functions WHERE lanname = 'c'), ARRAY['$libdir/goque'], 'the functions in C are in the library of the extension');
SELECT is_empty($$SELECT signature, prosrc FROM functions WHERE lanname = 'c' AND prosrc <> regexp_replace(proname, '^(goque_)?', 'goque_')$$,
	'their symbols are called as they are, with goque_ before');

-- ---- tables ----

SELECT is_empty($$SELECT relname FROM relations r WHERE relkind = 'r' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = r.oid AND indisprimary)$$,
	'F50: every table has a primary key, so that a publication FOR ALL TABLES stops nothing');
SELECT set_eq(
	$$SELECT c::regclass::text, condition FROM pg_extension, unnest(extconfig, extcondition) AS u(c, condition) WHERE extname = 'goque'$$,
	$$SELECT 'goque.tasks_' || n AS name, 'WHERE goque.snapshot_guard()' AS condition FROM generate_series(0, 7) n
		UNION ALL VALUES ('goque.settings', ''), ('goque.schedule_settings', ''), ('goque.dependencies', ''), ('goque.handlers', ''), ('goque.task_id_seq', ''), ('goque.generation_seq', '')$$,
	'F44: pg_dump keeps all tasks, under the guard, and the settings and sequences');
SELECT is((SELECT count(DISTINCT columns) FROM (
		SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attcollation, attnotnull, attstorage), ', ' ORDER BY attnum) AS columns
		FROM pg_attribute WHERE attrelid IN (SELECT oid FROM relations WHERE relname LIKE 'tasks\__') AND attnum > 0 GROUP BY attrelid) t),
	1::bigint, 'all generations have the same columns');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute JOIN relations r ON attrelid = r.oid
	WHERE relkind = 'r' AND atttypid = 'text'::regtype AND attname IN ('type', 'external_id', 'ordering_key') AND attcollation <> '"C"'::regcollation$$,
	'F48: keys compare in "C"');

SELECT * FROM finish();
ROLLBACK;
