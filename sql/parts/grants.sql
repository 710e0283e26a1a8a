-- Who may what. The privileges themselves are tables in src/api/grant.c.

CREATE FUNCTION goque_grant(role regrole, privilege text)
RETURNS void
LANGUAGE C COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_grant';
COMMENT ON FUNCTION goque_grant(regrole, text) IS
'gives a role a privilege: produce (add and cancel), work (fetch and finish), monitor (the views) or admin (everything)';
REVOKE ALL ON FUNCTION goque_grant(regrole, text) FROM PUBLIC;

CREATE FUNCTION goque_revoke(role regrole, privilege text)
RETURNS void
LANGUAGE C COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'goque_revoke';
COMMENT ON FUNCTION goque_revoke(regrole, text) IS
'takes a privilege from a role; what another of its privileges contains, it keeps (admin includes all: revoke that first)';
REVOKE ALL ON FUNCTION goque_revoke(regrole, text) FROM PUBLIC;
