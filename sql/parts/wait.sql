-- Waiting for tasks without holding a snapshot.
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
