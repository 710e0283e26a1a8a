-- What goque.health judges and the views of the server show to few: it runs with the
-- owner's rights, and gives numbers, names and states, never a query.

-- Who keeps VACUUM from removing what was deleted or replaced in this database, the
-- one with the oldest xmin first. Not counted: VACUUM itself, which holds nothing back,
-- and who asks.
CREATE FUNCTION goque.horizon_holders(
	OUT kind text,
	OUT name text,
	OUT pid int,
	OUT state text,
	OUT transactions bigint,
	OUT held_for interval)
RETURNS SETOF record
LANGUAGE sql STABLE COST 1000 ROWS 10
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	SELECT h.kind, "left"(regexp_replace(h.name, '[[:cntrl:]]', '?', 'g'), 100), h.pid, h.state,
		age(h.xmin)::bigint, clock_timestamp() - h.since
	FROM (
		SELECT 'backend' AS kind, a.application_name AS name, a.pid, a.state,
			CASE WHEN age(a.backend_xid) > age(a.backend_xmin) THEN a.backend_xid
				ELSE coalesce(a.backend_xmin, a.backend_xid) END AS xmin, a.xact_start AS since
		FROM pg_stat_activity a
		WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
			AND a.backend_type NOT IN ('autovacuum worker', 'walsender')
		UNION ALL
		SELECT 'standby', coalesce(nullif(r.application_name, ''), host(r.client_addr), 'local'), r.pid, r.state, r.backend_xmin, NULL
		FROM pg_stat_replication r
		UNION ALL
		SELECT 'replication slot', s.slot_name::text, s.active_pid, CASE WHEN s.active THEN 'active' ELSE 'inactive' END, s.xmin, NULL
		FROM pg_replication_slots s
		UNION ALL
		SELECT 'prepared transaction', p.gid, NULL, NULL, p.transaction, p.prepared
		FROM pg_prepared_xacts p
		WHERE p.database = current_database()) h
	WHERE h.xmin IS NOT NULL
	ORDER BY age(h.xmin) DESC, h.since;
END;
COMMENT ON FUNCTION goque.horizon_holders() IS
'who holds back the xmin horizon of this database, so that dead rows cannot be removed';
REVOKE ALL ON FUNCTION goque.horizon_holders() FROM PUBLIC;

-- What that costs the queue: generations other than the current one that are not
-- empty, and dead rows.
CREATE FUNCTION goque.horizon_costs(
	OUT waiting_generations bigint,
	OUT waiting_bytes bigint,
	OUT dead_rows bigint)
LANGUAGE sql STABLE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
	SELECT count(*) FILTER (WHERE g.waits AND g.bytes > 0), coalesce(sum(g.bytes) FILTER (WHERE g.waits), 0)::bigint,
		coalesce(sum(g.dead), 0)::bigint
	FROM (
		SELECT c.relname LIKE 'tasks\__' AND c.relname <> 'tasks_' || q.last_value % 8 AS waits,
			CASE WHEN pg_relation_size(c.oid) > 0 THEN pg_total_relation_size(c.oid) ELSE 0 END AS bytes, pg_stat_get_dead_tuples(c.oid) AS dead
		FROM pg_class c CROSS JOIN goque.generation_seq q
		WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'goque') AND c.relkind = 'r') g;
END;
COMMENT ON FUNCTION goque.horizon_costs() IS
'generations that are not current and not empty, and dead rows in goque''s tables';
REVOKE ALL ON FUNCTION goque.horizon_costs() FROM PUBLIC;
