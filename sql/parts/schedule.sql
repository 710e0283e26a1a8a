-- Schedules: tasks that are added when it is time.

-- One row a schedule.  next_run_at moves in the transaction that adds the task,
-- so an occurrence is added once whatever happens.  A row is updated once a
-- second at most, in place (HOT): half of each page is left free for that.
CREATE TABLE goque.schedule_settings (
	name			text COLLATE "C" NOT NULL PRIMARY KEY,
	next_run_at		timestamptz,		-- null: never again
	last_run_at		timestamptz,		-- the occurrence that was last added
	last_task		bigint,
	retry_at		timestamptz,		-- adding failed: not before then
	error			text,
	paused			boolean NOT NULL,
	overlap			boolean NOT NULL,
	run_on_start	boolean NOT NULL,
	priority		smallint NOT NULL,
	catch_up		text NOT NULL,
	home			text NOT NULL,		-- src/core/home.c
	schedule		text NOT NULL,
	timezone		text NOT NULL,
	type			text COLLATE "C" NOT NULL,
	payload			jsonb NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE goque.schedule_settings IS 'schedules, as goque_schedule left them, and where each of them is; read goque.schedules instead';

-- With the rights of whoever asks.  The body holds the function's identity, not
-- its name.
CREATE FUNCTION goque.may_add()
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.has_function_privilege(
	'goque_add(text, jsonb, text, int, timestamptz, interval, int, interval, text, bigint[], jsonb, text, text, interval)'::pg_catalog.regprocedure, 'EXECUTE');
COMMENT ON FUNCTION goque.may_add() IS 'may the current user add tasks, and so schedule them?';
REVOKE ALL ON FUNCTION goque.may_add() FROM PUBLIC;

-- With the caller's rights, which it looks at; then with the owner's, in C.
CREATE FUNCTION goque_schedule(
	name text,
	schedule text,
	type text,
	payload jsonb DEFAULT '{}',
	timezone text DEFAULT 'UTC',
	run_on_start boolean DEFAULT false,
	catch_up text DEFAULT 'one',
	overlap boolean DEFAULT true,
	priority int DEFAULT 0)
RETURNS void
LANGUAGE C COST 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_schedule';
COMMENT ON FUNCTION goque_schedule(text, text, text, jsonb, text, boolean, text, boolean, int) IS
'adds a task of this type at each time of a cron schedule, or changes the schedule of this name';
REVOKE ALL ON FUNCTION goque_schedule(text, text, text, jsonb, text, boolean, text, boolean, int) FROM PUBLIC;

CREATE FUNCTION goque_unschedule(name text)
RETURNS boolean
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_unschedule';
COMMENT ON FUNCTION goque_unschedule(text) IS
'removes a schedule; its tasks stay. False if there is none';
REVOKE ALL ON FUNCTION goque_unschedule(text) FROM PUBLIC;

CREATE FUNCTION goque_run_schedule(name text)
RETURNS bigint
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_run_schedule';
COMMENT ON FUNCTION goque_run_schedule(text) IS
'adds the task of a schedule now, beside its times; returns the task''s id, or null if there is no such schedule';
REVOKE ALL ON FUNCTION goque_run_schedule(text) FROM PUBLIC;

CREATE FUNCTION goque_pause_schedule(name text)
RETURNS boolean
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_pause_schedule';
COMMENT ON FUNCTION goque_pause_schedule(text) IS
'lets a schedule rest until goque_resume_schedule(). False if there is none, or it rests already';
REVOKE ALL ON FUNCTION goque_pause_schedule(text) FROM PUBLIC;

CREATE FUNCTION goque_resume_schedule(name text)
RETURNS boolean
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_resume_schedule';
COMMENT ON FUNCTION goque_resume_schedule(text) IS
'lets a paused schedule go on with its next time from now. False if there is none, or it does not rest';
REVOKE ALL ON FUNCTION goque_resume_schedule(text) FROM PUBLIC;

CREATE FUNCTION goque_next_runs(schedule text, timezone text DEFAULT 'UTC', n int DEFAULT 5)
RETURNS SETOF timestamptz
LANGUAGE C COST 1000 ROWS 5
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_next_runs';
COMMENT ON FUNCTION goque_next_runs(text, text, int) IS
'the next n times of a cron schedule, without setting it';
REVOKE ALL ON FUNCTION goque_next_runs(text, text, int) FROM PUBLIC;
