-- What the background workers do, by hand; and what tells them of this database.

CREATE FUNCTION goque_heal(type text DEFAULT NULL)
RETURNS bigint
LANGUAGE C COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_heal';
COMMENT ON FUNCTION goque_heal(text) IS
'ends the expired leases of a type (NULL: of every type), as the healer does; returns how many';
REVOKE ALL ON FUNCTION goque_heal(text) FROM PUBLIC;

CREATE FUNCTION goque_clean(type text DEFAULT NULL)
RETURNS bigint
LANGUAGE C COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_clean';
COMMENT ON FUNCTION goque_clean(text) IS
'removes finished tasks of a type (NULL: of every type) that are past their retention, as the cleaner does; returns how many';
REVOKE ALL ON FUNCTION goque_clean(text) FROM PUBLIC;

CREATE FUNCTION goque.announce()
RETURNS void
LANGUAGE C
AS 'MODULE_PATHNAME', 'goque_announce';
COMMENT ON FUNCTION goque.announce() IS
'tells the launcher, at commit, that this database has goque';
REVOKE ALL ON FUNCTION goque.announce() FROM PUBLIC;

CREATE FUNCTION goque.home()
RETURNS text
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'goque_home';
COMMENT ON FUNCTION goque.home() IS
'what tells this database from its copies: schedules and processors with another home are off';
REVOKE ALL ON FUNCTION goque.home() FROM PUBLIC;

CREATE FUNCTION goque.generation_changed()
RETURNS trigger
LANGUAGE C
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_generation_changed';
COMMENT ON FUNCTION goque.generation_changed() IS
'makes fetches look again at the whole of a generation that rows were put into';
REVOKE ALL ON FUNCTION goque.generation_changed() FROM PUBLIC;

-- Rows that come in bulk (a restore) may stand before the frontier that shared
-- memory remembers, and may wait for others: goque_add does not come this way.
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_0
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_0 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_1
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_1 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_2
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_2 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_3
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_3 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_4
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_4 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_5
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_5 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_6
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_6 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.tasks_7
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.tasks_7 ENABLE ALWAYS TRIGGER generation_changed;
CREATE TRIGGER generation_changed AFTER INSERT ON goque.dependencies
FOR EACH STATEMENT EXECUTE FUNCTION goque.generation_changed();
ALTER TABLE goque.dependencies ENABLE ALWAYS TRIGGER generation_changed;
