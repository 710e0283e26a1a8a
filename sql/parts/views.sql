-- The views that users read: tasks, task_types, stats, workers, health.
--
-- Tables in them are read with the owner's rights, functions are called with the
-- reader's: that is how the masking knows who asks.

CREATE VIEW goque.tasks AS
SELECT
	r.id,
	r.type,
	r.external_id,
	CASE WHEN (SELECT goque.may_see_payload()) THEN r.payload END AS payload,
	CASE r.status
		WHEN 1 THEN 'new'
		WHEN 2 THEN 'pending'
		WHEN 3 THEN 'processing'
		WHEN 4 THEN 'error'
		WHEN 5 THEN 'done'
		WHEN 6 THEN 'attempts_left'
		WHEN 7 THEN 'canceled'
	END AS status,
	r.attempts,
	r.max_attempts,
	r.priority::int AS priority,
	r.error,
	r.errors,
	CASE WHEN (SELECT goque.may_see_payload()) THEN r.result END AS result,
	CASE WHEN (SELECT goque.may_see_payload()) THEN r.progress END AS progress,
	CASE WHEN (SELECT goque.may_see_payload()) THEN r.metadata END AS metadata,
	r.ordering_key,
	r.after,
	r.timeout,
	r.worker,
	r.created_at,
	r.started_at,
	r.expires_at,
	r.updated_at,
	coalesce(r.run_at, r.next_attempt_at) AS next_attempt_at,
	r.lease_until,
	r.finished_at
FROM goque.ring r;
COMMENT ON VIEW goque.tasks IS 'every task, live or finished. Takes INSERT and COPY; all other changes go through the functions';
COMMENT ON COLUMN goque.tasks.id IS 'number of the task';
COMMENT ON COLUMN goque.tasks.type IS 'the queue that it is in';
COMMENT ON COLUMN goque.tasks.external_id IS 'the caller''s name for it, unique within its type';
COMMENT ON COLUMN goque.tasks.payload IS 'the work; null for who may not fetch';
COMMENT ON COLUMN goque.tasks.status IS 'new, pending, processing, error, done, attempts_left (no attempts are left: a dead letter) or canceled';
COMMENT ON COLUMN goque.tasks.attempts IS 'how often it was fetched, released attempts not counted';
COMMENT ON COLUMN goque.tasks.max_attempts IS 'a failure of this attempt is final';
COMMENT ON COLUMN goque.tasks.priority IS 'smaller runs sooner';
COMMENT ON COLUMN goque.tasks.error IS 'message of the last failure';
COMMENT ON COLUMN goque.tasks.errors IS 'a line for each failure: attempt, message, time, worker';
COMMENT ON COLUMN goque.tasks.result IS 'what goque_complete was given; null for who may not fetch';
COMMENT ON COLUMN goque.tasks.progress IS 'what the last goque_heartbeat with progress was given; null for who may not fetch';
COMMENT ON COLUMN goque.tasks.metadata IS 'what goque_add was given; null for who may not fetch';
COMMENT ON COLUMN goque.tasks.ordering_key IS 'tasks of one type and key run one at a time';
COMMENT ON COLUMN goque.tasks.after IS 'the tasks that had to be done first';
COMMENT ON COLUMN goque.tasks.timeout IS 'the lease that a fetch takes; null: the setting of the type';
COMMENT ON COLUMN goque.tasks.worker IS 'who fetched it last';
COMMENT ON COLUMN goque.tasks.created_at IS 'when it was added';
COMMENT ON COLUMN goque.tasks.started_at IS 'when it was last fetched';
COMMENT ON COLUMN goque.tasks.expires_at IS 'canceled if not fetched by then';
COMMENT ON COLUMN goque.tasks.updated_at IS 'when it last changed, heartbeats included';
COMMENT ON COLUMN goque.tasks.next_attempt_at IS 'not fetched before';
COMMENT ON COLUMN goque.tasks.lease_until IS 'the end of the current lease';
COMMENT ON COLUMN goque.tasks.finished_at IS 'when it ended';

ALTER VIEW goque.tasks ALTER COLUMN payload SET DEFAULT '{}', ALTER COLUMN priority SET DEFAULT 0;

CREATE TRIGGER tasks_insert INSTEAD OF INSERT ON goque.tasks
FOR EACH ROW EXECUTE FUNCTION goque.tasks_insert();

CREATE FUNCTION goque.tasks_refuse()
RETURNS trigger
LANGUAGE C
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_tasks_refuse';
COMMENT ON FUNCTION goque.tasks_refuse() IS 'refuses UPDATE and DELETE of goque.tasks';
REVOKE ALL ON FUNCTION goque.tasks_refuse() FROM PUBLIC;

CREATE TRIGGER tasks_refuse BEFORE UPDATE OR DELETE ON goque.tasks
FOR EACH STATEMENT EXECUTE FUNCTION goque.tasks_refuse();
CREATE TRIGGER tasks_refuse_row INSTEAD OF UPDATE OR DELETE ON goque.tasks
FOR EACH ROW EXECUTE FUNCTION goque.tasks_refuse();

CREATE VIEW goque.task_types AS
SELECT
	n.type,
	e.max_attempts,
	e.timeout,
	e.backoff,
	e.backoff_base,
	e.backoff_max,
	e.backoff_jitter,
	e.backoff_steps,
	e.retention,
	e.retention_failed,
	e.max_payload_size,
	e.max_running,
	e.rate_limit,
	e.rate_period,
	e.paused,
	coalesce(pg_catalog.num_nonnulls(
		s.max_attempts, s.timeout, s.backoff, s.backoff_base, s.backoff_max, s.backoff_jitter,
		s.backoff_steps, s.retention, s.retention_failed, s.max_payload_size, s.max_running,
		s.rate_limit, s.rate_period) > 0, false) AS configured
FROM goque.type_names n
CROSS JOIN LATERAL goque.settings_of(n.type) e
LEFT JOIN goque.settings s ON s.type = n.type;
COMMENT ON VIEW goque.task_types IS 'every type that is configured or in use, with the settings in force';
COMMENT ON COLUMN goque.task_types.type IS 'name of the type';
COMMENT ON COLUMN goque.task_types.max_attempts IS 'attempts that a new task gets';
COMMENT ON COLUMN goque.task_types.timeout IS 'the lease that a fetch takes';
COMMENT ON COLUMN goque.task_types.backoff IS 'how the delay after a failure grows: static, exponential, step, round_step or fibonacci';
COMMENT ON COLUMN goque.task_types.backoff_base IS 'the delay after the first failure';
COMMENT ON COLUMN goque.task_types.backoff_max IS 'the longest delay of a kind that grows; null: no limit';
COMMENT ON COLUMN goque.task_types.backoff_jitter IS 'a delay gets longer or shorter by up to this part of it';
COMMENT ON COLUMN goque.task_types.backoff_steps IS 'the delays of step and round_step';
COMMENT ON COLUMN goque.task_types.retention IS 'how long done tasks are kept; 0: not at all';
COMMENT ON COLUMN goque.task_types.retention_failed IS 'how long dead letters and canceled tasks are kept; 0: not at all';
COMMENT ON COLUMN goque.task_types.max_payload_size IS 'largest payload, result, metadata or progress, in bytes';
COMMENT ON COLUMN goque.task_types.max_running IS 'at most so many in processing at once; null: no limit';
COMMENT ON COLUMN goque.task_types.rate_limit IS 'at most so many fetched in a rate_period; null: no limit';
COMMENT ON COLUMN goque.task_types.rate_period IS 'the period of rate_limit';
COMMENT ON COLUMN goque.task_types.paused IS 'not fetched: paused itself, or all types are';
COMMENT ON COLUMN goque.task_types.configured IS 'goque_configure was called for this type';

-- Counts of a type come from shared memory where it has counted, else from the
-- tables: for a type that is counted, count_tasks gets a null, is strict, and so
-- is not called.
CREATE VIEW goque.stats AS
SELECT
	n.type,
	greatest(coalesce(c.new, k.new) + coalesce(c.error, k.error) - coalesce(t.beyond, 0) - w.scheduled, 0) AS ready,
	coalesce(t.beyond, 0) + w.scheduled AS scheduled,
	coalesce(c.pending, k.pending) AS pending,
	coalesce(c.processing, k.processing) AS processing,
	coalesce(c.error, k.error) AS error,
	coalesce(c.done, k.done) AS done,
	coalesce(c.attempts_left, k.attempts_left) AS attempts_left,
	coalesce(c.canceled, k.canceled) AS canceled,
	now.moment - w.oldest_ready AS oldest_ready,
	coalesce(t.total_added, 0) AS total_added,
	coalesce(t.total_fetched, 0) AS total_fetched,
	coalesce(t.total_completed, 0) AS total_completed,
	coalesce(t.total_failed, 0) AS total_failed,
	coalesce(t.total_healed, 0) AS total_healed,
	coalesce(t.total_exhausted, 0) AS total_exhausted,
	coalesce(t.total_released, 0) AS total_released,
	coalesce(t.total_canceled, 0) AS total_canceled
FROM (SELECT pg_catalog.clock_timestamp() AS moment) now
CROSS JOIN goque.type_names n
LEFT JOIN goque.type_counters(now.moment) t ON t.type = n.type
LEFT JOIN LATERAL (
	SELECT t.new, t.pending, t.processing, t.error, t.done, t.attempts_left, t.canceled
	WHERE t.counted) c ON true
CROSS JOIN LATERAL goque.count_tasks(CASE WHEN t.counted IS NOT TRUE THEN n.type END) k
CROSS JOIN LATERAL goque.count_waiting(n.type, now.moment, coalesce(t.until, 'infinity')) w
-- the indexes remember names of tasks that were never committed, until a vacuum
WHERE t.type IS NOT NULL
	OR k.new + k.pending + k.processing + k.error + k.done + k.attempts_left + k.canceled > 0
	OR EXISTS (SELECT FROM goque.settings s WHERE s.type = n.type);
COMMENT ON VIEW goque.stats IS 'per type: how many tasks there are by status, and what happened so far';
COMMENT ON COLUMN goque.stats.type IS 'name of the type';
COMMENT ON COLUMN goque.stats.ready IS 'tasks that a fetch would find now, were the type not paused';
COMMENT ON COLUMN goque.stats.scheduled IS 'tasks in new or error that are to run later';
COMMENT ON COLUMN goque.stats.pending IS 'tasks that wait for other tasks';
COMMENT ON COLUMN goque.stats.processing IS 'tasks fetched and not finished';
COMMENT ON COLUMN goque.stats.error IS 'tasks that failed and will be retried (ready or scheduled too)';
COMMENT ON COLUMN goque.stats.done IS 'tasks completed and still kept';
COMMENT ON COLUMN goque.stats.attempts_left IS 'dead letters: tasks that have no attempts left';
COMMENT ON COLUMN goque.stats.canceled IS 'tasks canceled and still kept';
COMMENT ON COLUMN goque.stats.oldest_ready IS 'how long the oldest ready task has been ready';
COMMENT ON COLUMN goque.stats.total_added IS 'tasks added, since the counters began';
COMMENT ON COLUMN goque.stats.total_fetched IS 'attempts begun, since the counters began';
COMMENT ON COLUMN goque.stats.total_completed IS 'tasks completed, since the counters began';
COMMENT ON COLUMN goque.stats.total_failed IS 'attempts failed, since the counters began';
COMMENT ON COLUMN goque.stats.total_healed IS 'leases ended by the healer, since the counters began';
COMMENT ON COLUMN goque.stats.total_exhausted IS 'tasks that ran out of attempts, since the counters began';
COMMENT ON COLUMN goque.stats.total_released IS 'attempts given back, since the counters began';
COMMENT ON COLUMN goque.stats.total_canceled IS 'tasks canceled, since the counters began';

-- Without shared memory nobody knows the sessions: the tables know the names that
-- workers gave.
CREATE VIEW goque.workers AS
SELECT w.kind, w.pid, w.database, w.what, w.since FROM goque.worker_list() w
UNION ALL
SELECT 'holder', NULL, pg_catalog.current_database(),
	pg_catalog.format('%s holds %s tasks',
		coalesce(pg_catalog.regexp_replace(h.worker, '[[:cntrl:]]', '?', 'g'), 'somebody'), count(*)),
	min(h.started_at)
FROM goque.held_tasks() h
WHERE NOT (SELECT s.preloaded FROM goque.server_state() s)
GROUP BY h.worker;
COMMENT ON VIEW goque.workers IS 'the background workers of goque, and the sessions of this database that wait for tasks or hold some';
COMMENT ON COLUMN goque.workers.kind IS 'launcher, keeper, processor, waiter or holder';
COMMENT ON COLUMN goque.workers.pid IS 'its process; of a holder: the session that fetched';
COMMENT ON COLUMN goque.workers.database IS 'the database that it works in; null: the whole server';
COMMENT ON COLUMN goque.workers.what IS 'what it is doing';
COMMENT ON COLUMN goque.workers.since IS 'since when';

CREATE VIEW goque.schedules AS
SELECT
	s.name,
	s.schedule,
	s.timezone,
	s.type,
	CASE WHEN NOT s.paused AND s.home = h.home THEN s.next_run_at END AS next_run_at,
	s.last_run_at,
	s.last_task,
	t.status AS last_status,
	s.paused,
	s.home <> h.home AS copied,
	s.error,
	s.catch_up,
	s.overlap,
	s.run_on_start,
	s.priority::int AS priority
FROM goque.schedule_settings s
CROSS JOIN (SELECT goque.home() AS home) h
LEFT JOIN LATERAL (SELECT t.status FROM goque.tasks t WHERE t.id = s.last_task) t ON true;
COMMENT ON VIEW goque.schedules IS 'the schedules that add tasks: when next, when last, and what became of it';
COMMENT ON COLUMN goque.schedules.name IS 'name of the schedule';
COMMENT ON COLUMN goque.schedules.schedule IS 'when: a cron expression, or a word with @';
COMMENT ON COLUMN goque.schedules.timezone IS 'whose clock counts';
COMMENT ON COLUMN goque.schedules.type IS 'the type of the tasks';
COMMENT ON COLUMN goque.schedules.next_run_at IS 'its next time; null: never, paused, or off in a copy';
COMMENT ON COLUMN goque.schedules.last_run_at IS 'the last time that a task was added for, or added beside the times';
COMMENT ON COLUMN goque.schedules.last_task IS 'id of that task';
COMMENT ON COLUMN goque.schedules.last_status IS 'its status; null: it is not kept any more';
COMMENT ON COLUMN goque.schedules.paused IS 'rests until goque_resume_schedule()';
COMMENT ON COLUMN goque.schedules.copied IS 'off until goque_resume(), since it was set up in another database than this copy';
COMMENT ON COLUMN goque.schedules.error IS 'why its last time could not be added; it is tried again, every minute at least';
COMMENT ON COLUMN goque.schedules.catch_up IS 'which of the times that were missed are added later: none, one (the last) or all';
COMMENT ON COLUMN goque.schedules.overlap IS 'false: a time is left out while the last task is not finished';
COMMENT ON COLUMN goque.schedules.run_on_start IS 'a task is added at once when the schedule is set or changed';
COMMENT ON COLUMN goque.schedules.priority IS 'priority of the tasks';
CREATE VIEW goque.processors AS
SELECT l.type, l.handler, l.role, l.workers, l.running, l.ok, l.detail
FROM goque.processor_list() l;
COMMENT ON VIEW goque.processors IS 'the SQL handlers that background workers call, and whether they run';
COMMENT ON COLUMN goque.processors.type IS 'the type whose tasks it works on';
COMMENT ON COLUMN goque.processors.handler IS 'the function or procedure that is called for each task';
COMMENT ON COLUMN goque.processors.role IS 'the role that registered it, and that it runs as';
COMMENT ON COLUMN goque.processors.workers IS 'at most so many run at once';
COMMENT ON COLUMN goque.processors.running IS 'so many background workers are there for it now';
COMMENT ON COLUMN goque.processors.ok IS 'false: it does not run, detail says why';
COMMENT ON COLUMN goque.processors.detail IS 'what it does, or what keeps it from running';

-- Names of types in the details are cut and freed of control characters.
CREATE VIEW goque.health AS
WITH state AS MATERIALIZED (
	SELECT s.*, pg_catalog.clock_timestamp() AS moment FROM goque.server_state() s
), types AS MATERIALIZED (
	SELECT t.type, pg_catalog."left"(pg_catalog.regexp_replace(t.type, '[[:cntrl:]]', '?', 'g'), 100) AS name,
		t.ready, t.oldest_ready, t.attempts_left, c.last_fetch_at, c.max_payload,
		e.paused, e.max_payload_size
	FROM goque.stats t
	LEFT JOIN goque.type_counters() c ON c.type = t.type
	CROSS JOIN LATERAL goque.settings_of(t.type) e
), leases AS MATERIALIZED (
	SELECT l.id, l.lease_until, l.started_at FROM goque.leases() l
	UNION ALL
	SELECT h.id, h.lease_until, h.started_at FROM goque.held_tasks() h
	WHERE NOT (SELECT s.preloaded FROM state s)
), healing AS (
	-- late: past what the healer needs at most, with time to spare
	SELECT count(l.id) AS late, min(l.lease_until) AS since
	FROM state s
	LEFT JOIN leases l ON l.lease_until < s.moment - s.heal_interval - interval '10 s'
), unfetched AS (
	SELECT count(*) AS n,
		pg_catalog.string_agg(pg_catalog.format('%s (%s ready)', t.name, t.ready), ', ' ORDER BY t.ready DESC)
			FILTER (WHERE t.rank <= 10) AS list
	FROM (SELECT u.*, pg_catalog.row_number() OVER (ORDER BY u.ready DESC, u.type) AS rank
		FROM types u CROSS JOIN state s
		WHERE NOT u.paused AND u.oldest_ready > interval '1 min'
			AND coalesce(greatest(u.last_fetch_at, s.started_at) < s.moment - interval '1 min', true)) t
), dead AS (
	SELECT coalesce(sum(t.attempts_left), 0) AS n,
		pg_catalog.string_agg(pg_catalog.format('%s (%s)', t.name, t.attempts_left), ', ' ORDER BY t.attempts_left DESC)
			FILTER (WHERE t.rank <= 10) AS list
	FROM (SELECT u.*, pg_catalog.row_number() OVER (ORDER BY u.attempts_left DESC, u.type) AS rank
		FROM types u WHERE u.attempts_left > 0) t
), large AS (
	SELECT count(*) AS n,
		pg_catalog.string_agg(pg_catalog.format('%s (%s of %s bytes)', t.name, t.max_payload, t.max_payload_size),
			', ' ORDER BY t.max_payload DESC) FILTER (WHERE t.rank <= 10) AS list
	FROM (SELECT u.*, pg_catalog.row_number() OVER (ORDER BY u.max_payload DESC, u.type) AS rank
		FROM types u WHERE u.max_payload > 0.8 * u.max_payload_size) t
), long AS (
	SELECT count(l.id) AS n, min(l.started_at) AS since
	FROM state s
	JOIN leases l ON l.lease_until > s.moment + interval '1 hour'
		OR l.started_at < s.moment - interval '1 hour'
), plans AS (
	SELECT pg_catalog."left"(pg_catalog.regexp_replace(p.name, '[[:cntrl:]]', '?', 'g'), 100) AS name,
		p.error, p.home <> h.home AS copied,
		p.home = h.home AND (p.error IS NOT NULL OR coalesce(NOT p.paused AND p.next_run_at < s.moment - interval '1 min', false)) AS late
	FROM goque.schedule_settings p CROSS JOIN (SELECT goque.home() AS home) h CROSS JOIN state s
), copied AS (
	SELECT (SELECT count(*) FROM plans p WHERE p.copied) AS schedules,
		(SELECT count(*) FROM goque.handlers r CROSS JOIN (SELECT goque.home() AS home) h WHERE r.home IS DISTINCT FROM h.home) AS processors
), late AS (
	SELECT count(*) AS n,
		pg_catalog.string_agg(pg_catalog.concat(l.name, ' (' || l.error || ')'), ', ' ORDER BY l.name) FILTER (WHERE l.rank <= 10) AS list
	FROM (SELECT p.name, p.error, pg_catalog.row_number() OVER (ORDER BY p.name) AS rank FROM plans p WHERE p.late) l
), horizon AS MATERIALIZED (
	-- the worst, if there is one
	SELECT h.*, coalesce(h.held_for > interval '10 min', h.transactions > 100000) AS long,
		pg_catalog.concat(h.kind, ' ', CASE WHEN h.kind = 'backend' THEN pg_catalog.format('%s (%s, %s)', h.pid, h.name, h.state)
			ELSE pg_catalog.quote_literal(h.name) END) AS who
	FROM (SELECT 1) one
	LEFT JOIN (SELECT * FROM goque.horizon_holders() LIMIT 1) h ON true
), subscribed AS (
	SELECT count(*) AS n, min(s.subname) AS name
	FROM pg_catalog.pg_subscription_rel r
	JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid
	JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
	JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'goque' AND c.relname LIKE 'tasks\__'
), faults AS (
	-- the first ten, and what to do about the first
	SELECT count(*) AS n,
		pg_catalog.string_agg(pg_catalog.format('%s: %s', p.name, p.detail), '; ' ORDER BY p.rank)
			FILTER (WHERE p.rank <= 10) AS list,
		min(p.hint) FILTER (WHERE p.rank = 1) AS hint
	FROM (SELECT l.*, pg_catalog."left"(pg_catalog.regexp_replace(l.type, '[[:cntrl:]]', '?', 'g'), 100) AS name,
			pg_catalog.row_number() OVER (ORDER BY l.type) AS rank
		FROM goque.processor_list() l WHERE NOT l.ok) p
), version AS (
	SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'goque'
), checks(check_name, ok, detail, hint) AS (
	SELECT 'library_preloaded', s.preloaded,
		CASE WHEN s.preloaded THEN 'goque is in shared_preload_libraries'
			ELSE 'goque is not in shared_preload_libraries: nothing heals or cleans by itself, schedules and processors do not run, waits poll once a second, and goque.release_on_disconnect has no effect' END,
		'Add goque to shared_preload_libraries in postgresql.conf and restart the server. Until then call goque_heal() and goque_clean() regularly.'
	FROM state s
	UNION ALL
	SELECT 'launcher_alive', s.launcher_pid IS NOT NULL OR pg_catalog.pg_is_in_recovery(),
		CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'this is a standby: the launcher starts when it is promoted'
			WHEN s.launcher_pid IS NOT NULL
			THEN pg_catalog.format('pid %s, since %s, last ran at %s', s.launcher_pid, s.launcher_since, s.launcher_last_run)
			ELSE 'no launcher is running' END,
		CASE WHEN s.preloaded
			THEN 'It comes back within seconds; if not, look for "goque" in the server log, and see whether max_worker_processes leaves room for it.'
			ELSE 'The launcher starts with the server once goque is in shared_preload_libraries.' END
	FROM state s
	UNION ALL
	SELECT 'healer_alive',
		pg_catalog.pg_is_in_recovery() OR s.preloaded AND (h.late = 0 OR coalesce(greatest(s.last_heal_at, s.started_at)
			> s.moment - s.heal_interval - interval '10 s', false)),
		CASE WHEN NOT s.preloaded THEN 'no healer runs without shared_preload_libraries'
			ELSE pg_catalog.concat(
				coalesce('last healed at ' || s.last_heal_at, 'had nothing to heal yet'),
				', last cleaned at ' || s.last_clean_at,
				CASE WHEN s.failures > 0 THEN pg_catalog.format(', %s failures up to %s', s.failures, s.failed_at) END) END
			|| CASE WHEN h.late > 0 THEN pg_catalog.format('; %s leases have been over since %s', h.late, h.since) ELSE '' END,
		CASE WHEN s.preloaded THEN 'Look for "goque" in the server log: it says what the healer failed at. Until that is mended, goque_heal() does its work by hand.'
			ELSE 'Call goque_heal() and goque_clean() regularly, or add goque to shared_preload_libraries and restart the server.' END
	FROM state s CROSS JOIN healing h
	UNION ALL
	SELECT 'unfetched_types', u.n = 0,
		CASE WHEN u.n = 0 THEN 'every type that has ready tasks is being fetched'
			ELSE 'ready for more than a minute, and nobody fetches: ' || u.list END,
		'Somebody forgot to run a worker: start one that calls goque_fetch() for this type, or look why it does not come to its next fetch. Tasks of a misspelled type can be canceled with goque_cancel_all().'
	FROM unfetched u
	UNION ALL
	SELECT 'dead_letters', d.n = 0,
		CASE WHEN d.n = 0 THEN 'no task has run out of attempts'
			ELSE pg_catalog.format('%s tasks ran out of attempts: %s', d.n, d.list) END,
		'Read error and errors in goque.tasks where status = ''attempts_left''. Mend the cause, then call goque_retry_all(type), or goque_purge(id) for what is not wanted; the rest goes when its retention_failed is over.'
	FROM dead d
	UNION ALL
	SELECT 'long_leases', l.n = 0,
		CASE WHEN l.n = 0 THEN 'no task is leased for more than an hour'
			ELSE pg_catalog.format('leased for more than an hour: %s, the first since %s', l.n, l.since) END,
		'If a worker dies, its task waits until the lease is over: use a short lease and extend it with goque_heartbeat(). To see them: SELECT id, type, worker, started_at, lease_until FROM goque.tasks WHERE status = ''processing''. goque_release(id) gives one back.'
	FROM long l
	UNION ALL
	SELECT 'schedules', l.n = 0,
		CASE WHEN l.n = 0 THEN 'no schedule is late'
			ELSE pg_catalog.format('%s schedules are late: %s', l.n, l.list) END,
		CASE WHEN s.preloaded THEN 'Mend what is named: goque.schedules shows it too. If nothing is, look for "goque" in the server log.'
			ELSE 'Schedules run only with goque in shared_preload_libraries: add it, and restart the server.' END
	FROM state s CROSS JOIN late l
	UNION ALL
	SELECT 'copy', c.schedules + c.processors = 0,
		CASE WHEN c.schedules + c.processors = 0 THEN 'no schedule and no processor here was set up in another database'
			ELSE pg_catalog.format('this database is a copy: what was set up elsewhere is off (schedules: %s, processors: %s)', c.schedules, c.processors) END,
		'If this is to take the place of the original, call goque_resume(): it turns them on. In a copy for staging leave them off, or remove them with goque_unschedule() and goque_unregister_processor().'
	FROM copied c
	UNION ALL
	SELECT 'worker_slots', s.no_slot_since IS NULL,
		CASE WHEN s.no_slot_since IS NULL THEN 'no background worker lacked a slot'
			ELSE pg_catalog.format('no background worker could be started since %s', s.no_slot_since) END,
		'Raise max_worker_processes and restart the server. Until then call goque_heal() and goque_clean() by hand.'
	FROM state s
	UNION ALL
	SELECT 'processors', f.n = 0,
		CASE WHEN f.n = 0 THEN 'every processor that is registered can run' ELSE f.list END,
		f.hint
	FROM faults f
	UNION ALL
	SELECT 'payloads_near_limit', g.n = 0,
		CASE WHEN g.n = 0 THEN 'no payload came near its limit'
			ELSE 'the largest payload came near the limit: ' || g.list END,
		'Larger payloads are refused. Store the data in a table or elsewhere and put a reference into the payload, or raise goque.max_payload_size and the type''s max_payload_size.'
	FROM large g
	UNION ALL
	SELECT 'waiters', s.waiters < 0.8 * s.max_connections,
		pg_catalog.format('%s sessions of this server wait for tasks, max_connections is %s', s.waiters, s.max_connections),
		'Each waiting session takes a connection. Let one connection a process wait and hand tasks to the others, or raise max_connections.'
	FROM state s
	UNION ALL
	SELECT 'version_mismatch', s.library_version = v.extversion,
		pg_catalog.format('the library is version %s, the extension in this database %s', s.library_version, v.extversion),
		'Call ALTER EXTENSION goque UPDATE in this database. If the library is the older one, restart the server so that it loads the new one.'
	FROM state s CROSS JOIN version v
	UNION ALL
	SELECT 'xmin_horizon', h.who IS NULL OR h.long IS NOT TRUE,
		CASE WHEN h.kind IS NULL THEN 'nothing holds it back'
			ELSE pg_catalog.format('%s holds it back by %s transactions%s; meanwhile %s in %s older generations wait to be emptied, and %s dead rows in goque''s tables stay',
				h.who, h.transactions, ', for ' || h.held_for, pg_catalog.pg_size_pretty(k.waiting_bytes), k.waiting_generations, k.dead_rows) END,
		CASE h.kind
			WHEN 'backend' THEN pg_catalog.format('See what it does in pg_stat_activity, and end it if it is not needed: SELECT pg_terminate_backend(%s);', h.pid)
			WHEN 'standby' THEN 'A query on the standby holds it, by hot_standby_feedback: end that query there, or turn the setting off there.'
			WHEN 'replication slot' THEN pg_catalog.format('Bring back the standby that uses the slot; if it is gone for good: SELECT pg_drop_replication_slot(%L);', h.name)
			ELSE pg_catalog.format('Ask its owner, then: COMMIT PREPARED %L; or: ROLLBACK PREPARED %L;', h.name, h.name) END
	FROM horizon h CROSS JOIN goque.horizon_costs() k
	UNION ALL
	SELECT 'subscription', b.n = 0,
		CASE WHEN b.n = 0 THEN 'no subscription writes into goque''s tables'
			ELSE pg_catalog.format('subscription %s copies tasks of another server into %s of goque''s tables here', b.name, b.n) END,
		'Workers here would do the tasks of the publisher once more. Do not start any and call goque_pause(), or publish other tables only: a publication FOR TABLES IN SCHEMA, or a list, instead of FOR ALL TABLES.'
	FROM subscribed b
)
SELECT c.check_name, c.ok, c.detail, CASE WHEN NOT c.ok THEN c.hint END AS hint
FROM checks c;
COMMENT ON VIEW goque.health IS 'is all well? One row a check; the hint says what to do';
COMMENT ON COLUMN goque.health.check_name IS 'what was checked';
COMMENT ON COLUMN goque.health.ok IS 'true: nothing to do';
COMMENT ON COLUMN goque.health.detail IS 'what was found';
COMMENT ON COLUMN goque.health.hint IS 'what to do, where it is not ok';
