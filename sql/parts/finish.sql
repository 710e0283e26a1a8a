-- Finishing tasks, and deciding about them: complete, fail, release, heartbeat,
-- cancel, retry, reschedule, purge.
--
-- A token stands right behind the id: a worker passes what its fetch returned, a
-- person at a prompt leaves it out.

CREATE FUNCTION goque_complete(id bigint, token bigint DEFAULT 0, result jsonb DEFAULT NULL)
RETURNS boolean
LANGUAGE C COST 100
AS 'MODULE_PATHNAME', 'goque_complete';
COMMENT ON FUNCTION goque_complete(bigint, bigint, jsonb) IS
'finishes a task as done; true if this call did it, false if the lease did not hold';
REVOKE ALL ON FUNCTION goque_complete(bigint, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION goque_complete_many(
	ids bigint[],
	tokens bigint[] DEFAULT '{}',
	results jsonb[] DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_complete_many';
COMMENT ON FUNCTION goque_complete_many(bigint[], bigint[], jsonb[]) IS
'finishes tasks as done; returns the ids that this call finished';
REVOKE ALL ON FUNCTION goque_complete_many(bigint[], bigint[], jsonb[]) FROM PUBLIC;

CREATE FUNCTION goque_fail(
	id bigint,
	error text,
	token bigint DEFAULT 0,
	retry_in interval DEFAULT NULL,
	retry boolean DEFAULT true)
RETURNS text
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_fail';
COMMENT ON FUNCTION goque_fail(bigint, text, bigint, interval, boolean) IS
'records a failed attempt; returns the new status: ''error'' (it will be retried), ''attempts_left'' (no attempts are left: a dead letter), or NULL if the lease did not hold';
REVOKE ALL ON FUNCTION goque_fail(bigint, text, bigint, interval, boolean) FROM PUBLIC;

CREATE FUNCTION goque_fail_many(
	ids bigint[],
	errors text[],
	tokens bigint[] DEFAULT '{}',
	retry_in interval DEFAULT NULL,
	retry boolean DEFAULT true)
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_fail_many';
COMMENT ON FUNCTION goque_fail_many(bigint[], text[], bigint[], interval, boolean) IS
'records failed attempts; returns the ids whose lease held';
REVOKE ALL ON FUNCTION goque_fail_many(bigint[], text[], bigint[], interval, boolean) FROM PUBLIC;

CREATE FUNCTION goque_release(id bigint, token bigint DEFAULT 0, delay interval DEFAULT '0')
RETURNS boolean
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_release';
COMMENT ON FUNCTION goque_release(bigint, bigint, interval) IS
'gives a task back; the attempt is not counted. False if the lease did not hold';
REVOKE ALL ON FUNCTION goque_release(bigint, bigint, interval) FROM PUBLIC;

CREATE FUNCTION goque_release_many(
	ids bigint[],
	tokens bigint[] DEFAULT '{}',
	delay interval DEFAULT '0')
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_release_many';
COMMENT ON FUNCTION goque_release_many(bigint[], bigint[], interval) IS
'gives tasks back; returns the ids whose lease held';
REVOKE ALL ON FUNCTION goque_release_many(bigint[], bigint[], interval) FROM PUBLIC;

CREATE FUNCTION goque_heartbeat(
	id bigint,
	token bigint DEFAULT 0,
	lease interval DEFAULT NULL,
	progress jsonb DEFAULT NULL)
RETURNS timestamptz
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_heartbeat';
COMMENT ON FUNCTION goque_heartbeat(bigint, bigint, interval, jsonb) IS
'extends a lease, and saves progress; returns its new end, or NULL: the task is no longer the caller''s, who should stop working on it';
REVOKE ALL ON FUNCTION goque_heartbeat(bigint, bigint, interval, jsonb) FROM PUBLIC;

CREATE FUNCTION goque_heartbeat_many(
	ids bigint[],
	tokens bigint[] DEFAULT '{}',
	lease interval DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_heartbeat_many';
COMMENT ON FUNCTION goque_heartbeat_many(bigint[], bigint[], interval) IS
'extends leases; returns the ids that are still held';
REVOKE ALL ON FUNCTION goque_heartbeat_many(bigint[], bigint[], interval) FROM PUBLIC;

CREATE FUNCTION goque_guard(id bigint, token bigint)
RETURNS void
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_guard';
COMMENT ON FUNCTION goque_guard(bigint, bigint) IS
'raises an error unless this lease holds the task, and keeps it so until the transaction ends: what that transaction writes is never committed by a worker that lost its task';
REVOKE ALL ON FUNCTION goque_guard(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION goque_cancel(id bigint)
RETURNS boolean
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_cancel';
COMMENT ON FUNCTION goque_cancel(bigint) IS
'cancels a task that has not ended; its holder is told at its next call. False if there is none';
REVOKE ALL ON FUNCTION goque_cancel(bigint) FROM PUBLIC;

CREATE FUNCTION goque_cancel_many(ids bigint[])
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_cancel_many';
COMMENT ON FUNCTION goque_cancel_many(bigint[]) IS
'cancels tasks that have not ended; returns the ids that this call canceled';
REVOKE ALL ON FUNCTION goque_cancel_many(bigint[]) FROM PUBLIC;

CREATE FUNCTION goque_cancel_all(type text, status text DEFAULT 'new', max_tasks int DEFAULT NULL)
RETURNS bigint
LANGUAGE C COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_cancel_all';
COMMENT ON FUNCTION goque_cancel_all(text, text, int) IS
'cancels the tasks of a type that have a status, at most max_tasks of them; returns how many';
REVOKE ALL ON FUNCTION goque_cancel_all(text, text, int) FROM PUBLIC;

CREATE FUNCTION goque_retry(id bigint, run_at timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_retry';
COMMENT ON FUNCTION goque_retry(bigint, timestamptz) IS
'lets a task run again, now or at run_at, with its attempts starting at 0; false if it is pending, processing or gone, or its external id is taken';
REVOKE ALL ON FUNCTION goque_retry(bigint, timestamptz) FROM PUBLIC;

CREATE FUNCTION goque_retry_many(ids bigint[], run_at timestamptz DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_retry_many';
COMMENT ON FUNCTION goque_retry_many(bigint[], timestamptz) IS
'lets tasks run again; returns the ids that will';
REVOKE ALL ON FUNCTION goque_retry_many(bigint[], timestamptz) FROM PUBLIC;

CREATE FUNCTION goque_retry_all(
	type text,
	status text DEFAULT 'attempts_left',
	max_tasks int DEFAULT NULL,
	error_like text DEFAULT NULL)
RETURNS bigint
LANGUAGE C COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_retry_all';
COMMENT ON FUNCTION goque_retry_all(text, text, int, text) IS
'lets the finished tasks of a type run again that have a status (by default the dead letters) and an error like this; returns how many';
REVOKE ALL ON FUNCTION goque_retry_all(text, text, int, text) FROM PUBLIC;

CREATE FUNCTION goque_reschedule_many(
	ids bigint[],
	run_at timestamptz DEFAULT NULL,
	priority int DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_reschedule_many';
COMMENT ON FUNCTION goque_reschedule_many(bigint[], timestamptz, int) IS
'moves waiting tasks in time or rank; returns the ids that moved';
REVOKE ALL ON FUNCTION goque_reschedule_many(bigint[], timestamptz, int) FROM PUBLIC;

CREATE FUNCTION goque_purge(id bigint)
RETURNS boolean
LANGUAGE C COST 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_purge';
COMMENT ON FUNCTION goque_purge(bigint) IS
'erases a finished task now, its payload included; false if there is none';
REVOKE ALL ON FUNCTION goque_purge(bigint) FROM PUBLIC;
