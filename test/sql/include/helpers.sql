-- Included by tests, without echo.
--
-- refused(statement) runs a statement that must be refused and returns the
-- SQLSTATE, message, detail and hint; and says so if the statement was not
-- refused, or left something behind.
--
-- change(id, assignments) changes a stored task as no user can: tests let rows
-- age instead of waiting. A keeper works beside the tests: age, and heal or clean
-- by hand, in one transaction.

CREATE FUNCTION pg_temp.stock() RETURNS text
LANGUAGE sql AS $$
	SELECT md5(concat(
		(SELECT string_agg(r::text, '/' ORDER BY r.id) FROM goque.ring r),
		(SELECT string_agg(s::text, '/' ORDER BY s.type) FROM goque.settings s),
		(SELECT string_agg(s.name, '/' ORDER BY s.name) FROM goque.schedule_settings s),
		(SELECT string_agg(h::text, '/' ORDER BY h.type) FROM goque.handlers h),
		(SELECT string_agg(k::text, '/' ORDER BY k.type, k.key) FROM goque.key_locks k)))
$$;

CREATE FUNCTION pg_temp.refused(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	before text := pg_temp.stock();
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
			detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	END;
	IF state IS NULL THEN
		RETURN 'NOT REFUSED';
	END IF;
	RETURN concat_ws(E'\n', state || ': ' || message, 'DETAIL: ' || detail, 'HINT: ' || hint,
		CASE WHEN before <> pg_temp.stock() THEN 'SOMETHING WAS LEFT BEHIND' END);
END
$$;

CREATE FUNCTION pg_temp.change(id bigint, assignments text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	FOR g IN 0 .. 7 LOOP
		EXECUTE format('UPDATE goque.tasks_%s SET %s WHERE id = %s', g, assignments, id);
	END LOOP;
END
$$;
