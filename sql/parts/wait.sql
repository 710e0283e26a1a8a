-- Waiting: for tasks without holding a snapshot, and for the end of one task.
--
-- The procedure ends its transaction, which PostgreSQL allows neither with
-- SECURITY DEFINER nor with SET: it runs with the caller's rights, and reads
-- nothing that would need others.

CREATE PROCEDURE goque_wait(types text[], timeout interval DEFAULT '1 min')
LANGUAGE C
AS 'MODULE_PATHNAME', 'goque_wait';
COMMENT ON PROCEDURE goque_wait(text[], interval) IS
'sleeps until a fetch of one of these types (NULL: of every type) is worth calling, or the time is up; not in a transaction block';
REVOKE ALL ON PROCEDURE goque_wait(text[], interval) FROM PUBLIC;

CREATE FUNCTION goque_wait_for(id bigint, timeout interval DEFAULT '30 s')
RETURNS TABLE (status text, result jsonb, error text)
LANGUAGE C COST 1000 ROWS 1
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_wait_for';
COMMENT ON FUNCTION goque_wait_for(bigint, interval) IS
'sleeps until a task has ended; no row if the time is up before, a null status if there is no such task';
REVOKE ALL ON FUNCTION goque_wait_for(bigint, interval) FROM PUBLIC;
