-- Settings of a type, and the switch that stops all fetching.

CREATE FUNCTION goque_configure(
	type text,
	max_attempts int DEFAULT NULL,
	timeout interval DEFAULT NULL,
	backoff text DEFAULT NULL,
	backoff_base interval DEFAULT NULL,
	backoff_max interval DEFAULT NULL,
	backoff_jitter float8 DEFAULT NULL,
	backoff_steps interval[] DEFAULT NULL,
	retention interval DEFAULT NULL,
	max_payload_size int DEFAULT NULL,
	max_running int DEFAULT NULL,
	rate_limit int DEFAULT NULL,
	rate_period interval DEFAULT NULL,
	retention_failed interval DEFAULT NULL)
RETURNS void
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_configure';
COMMENT ON FUNCTION goque_configure(text, int, interval, text, interval, interval, float8, interval[], interval, int, int, int, interval, interval) IS
'changes settings of a type (NULL: the database''s defaults); what is left out or NULL stays as it is';
REVOKE ALL ON FUNCTION goque_configure(text, int, interval, text, interval, interval, float8, interval[], interval, int, int, int, interval, interval) FROM PUBLIC;

CREATE FUNCTION goque_unconfigure(type text)
RETURNS boolean
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_unconfigure';
COMMENT ON FUNCTION goque_unconfigure(text) IS
'takes all settings of a type (NULL: of the database) back, so that the defaults apply; a pause stays. False if there were none';
REVOKE ALL ON FUNCTION goque_unconfigure(text) FROM PUBLIC;

CREATE FUNCTION goque_pause(type text DEFAULT NULL)
RETURNS void
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_pause';
COMMENT ON FUNCTION goque_pause(text) IS
'stops the fetching of a type (NULL: of every type, by a switch of the database); tasks in processing go on';
REVOKE ALL ON FUNCTION goque_pause(text) FROM PUBLIC;

CREATE FUNCTION goque_resume(type text DEFAULT NULL)
RETURNS void
LANGUAGE C COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_resume';
COMMENT ON FUNCTION goque_resume(text) IS
'lets a type be fetched again (NULL: clears the switch of the database; a type''s own pause stays)';
REVOKE ALL ON FUNCTION goque_resume(text) FROM PUBLIC;

CREATE FUNCTION goque.settings_changed()
RETURNS trigger
LANGUAGE C
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_settings_changed';
COMMENT ON FUNCTION goque.settings_changed() IS
'tells all sessions to read the settings anew';
REVOKE ALL ON FUNCTION goque.settings_changed() FROM PUBLIC;

-- ALWAYS: in a restore and on a subscriber too.
CREATE TRIGGER settings_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON goque.settings
FOR EACH STATEMENT EXECUTE FUNCTION goque.settings_changed();
ALTER TABLE goque.settings ENABLE ALWAYS TRIGGER settings_changed;
