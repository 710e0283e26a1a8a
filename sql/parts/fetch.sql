-- Fetching tasks.

CREATE FUNCTION goque_fetch(
	type text,
	max_tasks int DEFAULT 1,
	lease interval DEFAULT NULL,
	wait interval DEFAULT NULL,
	worker text DEFAULT NULL)
RETURNS SETOF goque.task
LANGUAGE C COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'goque_fetch';
COMMENT ON FUNCTION goque_fetch(text, int, interval, interval, text) IS
'takes ready tasks of a type and leases them to the caller, best first; waits for one if told to (at most 1 minute)';
REVOKE ALL ON FUNCTION goque_fetch(text, int, interval, interval, text) FROM PUBLIC;

CREATE FUNCTION goque_fetch_any(
	types text[],
	max_tasks int DEFAULT 1,
	lease interval DEFAULT NULL,
	wait interval DEFAULT NULL,
	worker text DEFAULT NULL)
RETURNS SETOF goque.task
LANGUAGE C COST 1000 ROWS 10
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_fetch_any';
COMMENT ON FUNCTION goque_fetch_any(text[], int, interval, interval, text) IS
'takes the best ready tasks of any of these types (NULL: of every type)';
REVOKE ALL ON FUNCTION goque_fetch_any(text[], int, interval, interval, text) FROM PUBLIC;
