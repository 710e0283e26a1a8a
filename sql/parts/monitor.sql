-- The functions and inner views under the views.
--
-- Functions run with the rights of whoever reads the view, who needs EXECUTE on
-- them (src/api/grant.c), or with the owner's where they read tables: they then
-- return names of types and numbers only, never a payload.
--
-- Bodies in SQL are parsed now, not when called: no path can change what they
-- mean.

-- True, or 40001 if a generation was emptied that the snapshot should still see.
-- Without columns and not volatile, so that it is called even where a table has
-- no rows. pg_dump calls it for each generation, under the rights of its user.
-- (Rule 4 of docs/design.md.)
CREATE FUNCTION goque.snapshot_guard()
RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'goque_snapshot_guard';
COMMENT ON FUNCTION goque.snapshot_guard() IS
'true, or error 40001 if the snapshot is older than the last emptying of a generation of tasks';
REVOKE ALL ON FUNCTION goque.snapshot_guard() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION goque.snapshot_guard() TO pg_read_all_data;

-- The body holds the function's identity, not its name.
CREATE FUNCTION goque.may_see_payload()
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.has_function_privilege(
	'goque_fetch(text, int, interval, interval, text)'::pg_catalog.regprocedure, 'EXECUTE');
COMMENT ON FUNCTION goque.may_see_payload() IS
'may the current user fetch tasks, and so see payloads, results, metadata and progress?';
REVOKE ALL ON FUNCTION goque.may_see_payload() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION goque.may_see_payload() TO pg_read_all_data;

-- What the planner reads a generation by where only tasks in processing are asked
-- for (src/api/processing_path.c). It tells places in the table, nothing else.
CREATE FUNCTION goque.processing_places(generation int)
RETURNS tid[]
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'goque_processing_places';
COMMENT ON FUNCTION goque.processing_places(int) IS
'where in a generation the snapshot sees tasks in processing: for the planner';
REVOKE ALL ON FUNCTION goque.processing_places(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION goque.processing_places(int) TO pg_read_all_data;

-- All generations, for the owner's eyes. The guard stands outside of the union,
-- so that the planner can flatten it and use the indexes of each generation.
CREATE VIEW goque.ring AS
SELECT r.* FROM (
	SELECT 0 AS generation, t.* FROM goque.tasks_0 t
	UNION ALL SELECT 1, t.* FROM goque.tasks_1 t
	UNION ALL SELECT 2, t.* FROM goque.tasks_2 t
	UNION ALL SELECT 3, t.* FROM goque.tasks_3 t
	UNION ALL SELECT 4, t.* FROM goque.tasks_4 t
	UNION ALL SELECT 5, t.* FROM goque.tasks_5 t
	UNION ALL SELECT 6, t.* FROM goque.tasks_6 t
	UNION ALL SELECT 7, t.* FROM goque.tasks_7 t) r
WHERE goque.snapshot_guard();
COMMENT ON VIEW goque.ring IS 'all generations of tasks as one, as they are stored; read goque.tasks instead';

CREATE FUNCTION goque.types_in_use()
RETURNS SETOF text
LANGUAGE C STABLE COST 1000 ROWS 100
AS 'MODULE_PATHNAME', 'goque_types_in_use';
COMMENT ON FUNCTION goque.types_in_use() IS
'all types that have a task, live or finished (or had one that is not vacuumed away yet)';
REVOKE ALL ON FUNCTION goque.types_in_use() FROM PUBLIC;

CREATE FUNCTION goque.type_counters(
	moment timestamptz DEFAULT pg_catalog.clock_timestamp(),
	OUT type text,
	OUT counted boolean,
	OUT new bigint,
	OUT pending bigint,
	OUT processing bigint,
	OUT error bigint,
	OUT done bigint,
	OUT attempts_left bigint,
	OUT canceled bigint,
	OUT total_added bigint,
	OUT total_fetched bigint,
	OUT total_completed bigint,
	OUT total_failed bigint,
	OUT total_healed bigint,
	OUT total_exhausted bigint,
	OUT total_released bigint,
	OUT total_canceled bigint,
	OUT last_fetch_at timestamptz,
	OUT max_payload bigint,
	OUT beyond bigint,
	OUT until timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE STRICT ROWS 100
AS 'MODULE_PATHNAME', 'goque_type_counters';
COMMENT ON FUNCTION goque.type_counters(timestamptz) IS
'what shared memory knows of each type: how many tasks by status (true of the tables if counted), totals, and how many tasks wait until "until" or longer, a time soon after "moment"';
REVOKE ALL ON FUNCTION goque.type_counters(timestamptz) FROM PUBLIC;

CREATE FUNCTION goque.frontier(type text, generation int, priority int)
RETURNS timestamptz
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'goque_frontier';
COMMENT ON FUNCTION goque.frontier(text, int, int) IS
'no ready task of this type, generation and priority has an earlier next_attempt_at, as far as shared memory knows';
REVOKE ALL ON FUNCTION goque.frontier(text, int, int) FROM PUBLIC;

-- For a type that shared memory has not counted.
CREATE FUNCTION goque.count_tasks(
	type text,
	OUT new bigint,
	OUT pending bigint,
	OUT processing bigint,
	OUT error bigint,
	OUT done bigint,
	OUT attempts_left bigint,
	OUT canceled bigint)
LANGUAGE sql STABLE STRICT COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	SELECT
		count(*) FILTER (WHERE r.status = 1),
		count(*) FILTER (WHERE r.status = 2),
		count(*) FILTER (WHERE r.status = 3),
		count(*) FILTER (WHERE r.status = 4),
		count(*) FILTER (WHERE r.status = 5),
		count(*) FILTER (WHERE r.status = 6),
		count(*) FILTER (WHERE r.status = 7)
	FROM goque.ring r
	WHERE r.type = $1;
END;
COMMENT ON FUNCTION goque.count_tasks(text) IS 'counts the tasks of a type by status, from the tables';
REVOKE ALL ON FUNCTION goque.count_tasks(text) FROM PUBLIC;

-- Per priority: what is soon due stands behind `moment` in the ready index, and
-- the oldest ready task at the frontier; neither walks over finished tasks. What
-- is due later than `until` is counted in shared memory (src/shared/delays.c).
CREATE FUNCTION goque.count_waiting(
	type text,
	moment timestamptz,
	until timestamptz,
	OUT scheduled bigint,
	OUT oldest_ready timestamptz)
LANGUAGE sql STABLE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	WITH RECURSIVE priorities(priority) AS (
		(SELECT r.priority FROM goque.ring r WHERE r.type = $1 ORDER BY r.priority LIMIT 1)
		UNION ALL
		SELECT (SELECT r.priority FROM goque.ring r
				WHERE r.type = $1 AND r.priority > p.priority ORDER BY r.priority LIMIT 1)
		FROM priorities p
		WHERE p.priority IS NOT NULL)
	SELECT coalesce(sum(later.n), 0)::bigint, min(earliest.next_attempt_at)
	FROM priorities p
	CROSS JOIN LATERAL (
		SELECT count(*) AS n
		FROM goque.ring r
		WHERE r.type = $1 AND r.priority = p.priority AND r.status IN (1, 4)
			AND r.next_attempt_at > $2 AND r.next_attempt_at < $3) later
	LEFT JOIN LATERAL (
		SELECT r.next_attempt_at
		FROM goque.ring r
		WHERE r.type = $1 AND r.priority = p.priority AND r.status IN (1, 4)
			AND r.next_attempt_at <= $2
			AND r.next_attempt_at >= goque.frontier($1, r.generation, p.priority)
		ORDER BY r.next_attempt_at LIMIT 1) earliest ON true
	WHERE p.priority IS NOT NULL;
END;
COMMENT ON FUNCTION goque.count_waiting(text, timestamptz, timestamptz) IS
'of the tasks of a type that are new or in error: how many wait for a time between these, and since when the oldest that is due is ready';
REVOKE ALL ON FUNCTION goque.count_waiting(text, timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION goque.settings_of(
	type text,
	OUT max_attempts int,
	OUT timeout interval,
	OUT backoff text,
	OUT backoff_base interval,
	OUT backoff_max interval,
	OUT backoff_jitter float8,
	OUT backoff_steps interval[],
	OUT retention interval,
	OUT retention_failed interval,
	OUT max_payload_size int,
	OUT max_running int,
	OUT rate_limit int,
	OUT rate_period interval,
	OUT paused boolean)
LANGUAGE C STABLE STRICT COST 10
AS 'MODULE_PATHNAME', 'goque_settings_of';
COMMENT ON FUNCTION goque.settings_of(text) IS 'the settings in force of a type, with all defaults filled in';
REVOKE ALL ON FUNCTION goque.settings_of(text) FROM PUBLIC;

CREATE FUNCTION goque.leases(
	OUT id bigint,
	OUT lease_until timestamptz,
	OUT started_at timestamptz,
	OUT pid int)
RETURNS SETOF record
LANGUAGE C STABLE ROWS 100
AS 'MODULE_PATHNAME', 'goque_leases';
COMMENT ON FUNCTION goque.leases() IS 'the leases in flight, as shared memory knows them';
REVOKE ALL ON FUNCTION goque.leases() FROM PUBLIC;

CREATE FUNCTION goque.worker_list(
	OUT kind text,
	OUT pid int,
	OUT database text,
	OUT what text,
	OUT since timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE ROWS 100
AS 'MODULE_PATHNAME', 'goque_worker_list';
COMMENT ON FUNCTION goque.worker_list() IS
'the background workers of goque, and the sessions of this database that wait or hold leases';
REVOKE ALL ON FUNCTION goque.worker_list() FROM PUBLIC;

CREATE FUNCTION goque.server_state(
	OUT preloaded boolean,
	OUT library_version text,
	OUT started_at timestamptz,
	OUT launcher_pid int,
	OUT launcher_since timestamptz,
	OUT launcher_last_run timestamptz,
	OUT keeper_pid int,
	OUT last_heal_at timestamptz,
	OUT last_clean_at timestamptz,
	OUT due_at timestamptz,
	OUT failures int,
	OUT failed_at timestamptz,
	OUT no_slot_since timestamptz,
	OUT heal_interval interval,
	OUT waiters int,
	OUT max_connections int)
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'goque_server_state';
COMMENT ON FUNCTION goque.server_state() IS 'what goque.health judges: the library, the launcher, this database''s keeper';
REVOKE ALL ON FUNCTION goque.server_state() FROM PUBLIC;

-- A function, so that a plan that does not come to it does not look as costly as reading
-- the tables: the server would compile it (jit), which takes longer than all the rest.
CREATE FUNCTION goque.held_tasks(
	OUT id bigint,
	OUT worker text,
	OUT started_at timestamptz,
	OUT lease_until timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	SELECT r.id, r.worker, r.started_at, r.lease_until FROM goque.ring r WHERE r.status = 3;
END;
COMMENT ON FUNCTION goque.held_tasks() IS 'the tasks that are held, as the tables know them: for where there is no shared memory';
REVOKE ALL ON FUNCTION goque.held_tasks() FROM PUBLIC;

-- For goque.stats and goque.task_types.
CREATE VIEW goque.type_names AS
SELECT s.type FROM goque.settings s WHERE s.type <> ''
UNION
SELECT u.type FROM goque.types_in_use() AS u(type)
UNION
SELECT c.type FROM goque.type_counters() c;
COMMENT ON VIEW goque.type_names IS 'every type that is configured, has tasks or was used since the server started';

CREATE FUNCTION goque_why(id bigint)
RETURNS TABLE (reason text, detail text, hint text)
LANGUAGE C COST 1000 ROWS 1
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_why';
COMMENT ON FUNCTION goque_why(bigint) IS
'why a task is not running: one row with a word, the facts, and what to do';
REVOKE ALL ON FUNCTION goque_why(bigint) FROM PUBLIC;
