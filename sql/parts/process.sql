-- Processors: SQL handlers that background workers call for each task of a type.

-- The role and the handler's owner stand here by OID and the role by name too:
-- none of a dropped, renamed or replaced one passes for the other.
CREATE TABLE goque.handlers (
	type			text COLLATE "C" NOT NULL PRIMARY KEY,
	handler			text NOT NULL,		-- schema.name(argument): pg_upgrade refuses regprocedure
	handler_owner	oid NOT NULL,
	role			oid NOT NULL,		-- that registered it, and that it runs as
	role_name		text NOT NULL,
	workers			int NOT NULL,
	batch_size		int NOT NULL,
	idle_timeout	bigint NOT NULL,	-- microseconds
	home			text				-- where it was registered: src/core/home.h
);
COMMENT ON TABLE goque.handlers IS 'processors, as goque_register_processor left them; read goque.processors instead';

-- ALWAYS: in a restore and on a subscriber too.
CREATE TRIGGER handlers_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON goque.handlers
FOR EACH STATEMENT EXECUTE FUNCTION goque.settings_changed();
ALTER TABLE goque.handlers ENABLE ALWAYS TRIGGER handlers_changed;

-- Not SECURITY DEFINER: the caller becomes the role of the processor.
CREATE FUNCTION goque_register_processor(
	type text,
	handler text,
	workers int DEFAULT 1,
	batch_size int DEFAULT 1,
	idle_timeout interval DEFAULT '1 min')
RETURNS void
LANGUAGE C COST 1000
AS 'MODULE_PATHNAME', 'goque_register_processor';
COMMENT ON FUNCTION goque_register_processor(text, text, int, int, interval) IS
'has background workers call a function or procedure for each task of a type, with the rights of the caller; replaces what was registered for the type';
REVOKE ALL ON FUNCTION goque_register_processor(text, text, int, int, interval) FROM PUBLIC;

CREATE FUNCTION goque_unregister_processor(type text)
RETURNS boolean
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_unregister_processor';
COMMENT ON FUNCTION goque_unregister_processor(text) IS
'ends the processor of a type; false if there was none. A task that it is at is given back';
REVOKE ALL ON FUNCTION goque_unregister_processor(text) FROM PUBLIC;

CREATE FUNCTION goque.processor_list(
	OUT type text,
	OUT handler text,
	OUT role text,
	OUT workers int,
	OUT running int,
	OUT ok boolean,
	OUT detail text,
	OUT hint text)
RETURNS SETOF record
LANGUAGE C STABLE ROWS 100
AS 'MODULE_PATHNAME', 'goque_processor_list';
COMMENT ON FUNCTION goque.processor_list() IS
'the processors, what they do or what keeps them from running, and what to do about it';
REVOKE ALL ON FUNCTION goque.processor_list() FROM PUBLIC;
