-- Adding tasks.
--
-- Functions that act for a caller run with the owner's rights under a pinned
-- path; goque_add, goque_fetch and goque_complete see to it themselves, in C
-- (src/api/owner.c).  None is STRICT: what a null means is decided in C.

CREATE FUNCTION goque_add(
	type text,
	payload jsonb DEFAULT '{}',
	external_id text DEFAULT NULL,
	priority int DEFAULT 0,
	run_at timestamptz DEFAULT NULL,
	delay interval DEFAULT NULL,
	max_attempts int DEFAULT NULL,
	timeout interval DEFAULT NULL,
	ordering_key text DEFAULT NULL,
	after bigint[] DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	on_conflict text DEFAULT 'error',
	unique_while text DEFAULT 'kept',
	expires_in interval DEFAULT NULL)
RETURNS bigint
LANGUAGE C COST 100
AS 'MODULE_PATHNAME', 'goque_add';
COMMENT ON FUNCTION goque_add(text, jsonb, text, int, timestamptz, interval, int, interval, text, bigint[], jsonb, text, text, interval) IS
'adds a task; returns its id. Workers see it when the transaction commits';
REVOKE ALL ON FUNCTION goque_add(text, jsonb, text, int, timestamptz, interval, int, interval, text, bigint[], jsonb, text, text, interval) FROM PUBLIC;

CREATE FUNCTION goque_add_many(
	type text,
	payloads jsonb[],
	external_ids text[] DEFAULT NULL,
	ordering_keys text[] DEFAULT NULL,
	priority int DEFAULT 0,
	run_at timestamptz DEFAULT NULL,
	delay interval DEFAULT NULL,
	max_attempts int DEFAULT NULL,
	timeout interval DEFAULT NULL,
	after bigint[] DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	on_conflict text DEFAULT 'error',
	unique_while text DEFAULT 'kept',
	expires_in interval DEFAULT NULL)
RETURNS SETOF bigint
LANGUAGE C COST 1000 ROWS 100
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_add_many';
COMMENT ON FUNCTION goque_add_many(text, jsonb[], text[], text[], int, timestamptz, interval, int, interval, bigint[], jsonb, text, text, interval) IS
'adds a task for each payload, all or none; returns their ids in the order of the payloads';
REVOKE ALL ON FUNCTION goque_add_many(text, jsonb[], text[], text[], int, timestamptz, interval, int, interval, bigint[], jsonb, text, text, interval) FROM PUBLIC;

CREATE FUNCTION goque.tasks_insert()
RETURNS trigger
LANGUAGE C
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_tasks_insert';
COMMENT ON FUNCTION goque.tasks_insert() IS
'adds the tasks that INSERT and COPY put into goque.tasks, as goque_add would';
REVOKE ALL ON FUNCTION goque.tasks_insert() FROM PUBLIC;
