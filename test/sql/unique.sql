-- external_id: the scopes of unique_while and what on_conflict makes of a clash.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'unique%';

-- of one type only; NULL is none; compared byte by byte
SELECT goque_add('unique.a', external_id => 'x') > 0 AS added;
SELECT goque_add('unique.b', external_id => 'x') > 0 AS added;
SELECT goque_add('unique.a', external_id => 'X') > 0 AS added;
SELECT goque_add('unique.a', external_id => 'x ') > 0 AS added;
SELECT goque_add('unique.a', external_id => '') > 0 AS added;
SELECT goque_add('unique.a') > 0 AND goque_add('unique.a') > 0 AS added;
SELECT pg_temp.refused($$SELECT goque_add('unique.a', external_id => '')$$) ~ '^23505' AS refused;

-- ---- on_conflict ----

-- 'error' tells the existing id
SELECT goque_add('unique.c', '1', 'k') AS id \gset
SELECT pg_temp.refused($$SELECT goque_add('unique.c', '2', 'k')$$) LIKE '23505: %DETAIL: Task ' || :id || ' of type "unique.c" has the external_id "k".%' AS told;
SELECT pg_temp.refused($$SELECT goque_add('unique.c', '2', 'k', on_conflict => NULL, unique_while => NULL)$$) ~ '^23505' AS told;
-- 'ignore' returns it, and changes nothing
SELECT goque_add('unique.c', '2', 'k', priority => 7, on_conflict => 'ignore') = :id AS existing;
-- 'skip' returns NULL
SELECT goque_add('unique.c', '3', 'k', priority => 7, on_conflict => 'skip') IS NULL AS skipped;
SELECT payload, priority, updated_at = created_at AS untouched FROM t WHERE type = 'unique.c';
-- 'replace' changes all that was given, and takes away what was not
SELECT goque_add('unique.c', '4', 'k', priority => 7, delay => '1 day', max_attempts => 2, timeout => '1 min',
	metadata => '{"m": 4}', expires_in => '2 days', on_conflict => 'replace') = :id AS existing;
SELECT payload, priority, max_attempts, timeout, metadata, next_attempt_at - updated_at AS delay, expires_at - updated_at AS expires_in, status
FROM t WHERE type = 'unique.c';
SELECT goque_add('unique.c', '5', 'k', on_conflict => 'replace') = :id AS existing;
SELECT payload, priority, max_attempts, timeout, metadata, next_attempt_at = updated_at AS now, expires_at, status
FROM t WHERE type = 'unique.c';
-- it is ready now, and was not before
SELECT payload FROM goque_fetch('unique.c');
-- no longer new: it is returned untouched, in each later status
SELECT goque_add('unique.c', '6', 'k', on_conflict => 'replace') = :id AS existing;
SELECT payload, status FROM t WHERE type = 'unique.c';
SELECT goque_fail(:id, 'x', retry_in => '0');
SELECT goque_add('unique.c', '6', 'k', on_conflict => 'replace') = :id AS existing;
SELECT payload, status FROM t WHERE type = 'unique.c';
SELECT payload FROM goque_fetch('unique.c');
SELECT goque_complete(:id);
SELECT goque_add('unique.c', '6', 'k', on_conflict => 'replace') = :id AS existing;
SELECT payload, status FROM t WHERE type = 'unique.c';

-- debouncing: the last of several payloads runs, once
SELECT count(DISTINCT goque_add('unique.debounce', to_jsonb(n), 'k', delay => '1 min', on_conflict => 'replace', unique_while => 'waiting')) FROM generate_series(1, 20) n;
SELECT payload, status FROM t WHERE type = 'unique.debounce';
SELECT scheduled, total_added FROM goque.stats WHERE type = 'unique.debounce';

-- ---- unique_while ----

-- F14: each scope against each status of the task that is there; the scope is the new call's
CREATE FUNCTION pg_temp.free(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text := '';
	scope text;
BEGIN
	FOREACH scope IN ARRAY '{kept,live,waiting}'::text[] LOOP
		BEGIN
			PERFORM goque_add(type, external_id => 'k', unique_while => scope);
			answer := answer || scope || ' free ';
			RAISE EXCEPTION 'undo';
		EXCEPTION
			WHEN unique_violation THEN answer := answer || scope || ' taken ';
			WHEN raise_exception THEN NULL;
		END;
	END LOOP;
	RETURN answer;
END
$$;
SELECT goque_add('unique.scope', external_id => 'k', unique_while => 'waiting') AS id \gset
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('unique.scope');
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
-- freed at the first fetch for good: by a release and a retry too
SELECT goque_release(:id);
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('unique.scope');
SELECT goque_fail(:id, 'x', retry_in => '0');
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('unique.scope');
SELECT goque_fail(:id, 'x', retry => false);
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
SELECT goque_retry(:id);
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('unique.scope');
SELECT goque_complete(:id);
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;
SELECT goque_purge(:id);
SELECT pg_temp.free('unique.scope');
SELECT goque_add('unique.scope', external_id => 'k') AS id \gset
SELECT goque_cancel(:id);
SELECT status, pg_temp.free(type) FROM t WHERE id = :id;

-- a rolled back one is in nobody's way
BEGIN;
SELECT goque_add('unique.rollback', external_id => 'k') > 0 AS added;
ROLLBACK;
SELECT goque_add('unique.rollback', external_id => 'k') > 0 AS added;

-- of several that clash, the one with the highest id counts
SELECT goque_add('unique.several', '1', 'k', unique_while => 'waiting') AS a \gset
SELECT count(*) FROM goque_fetch('unique.several');
SELECT goque_add('unique.several', '2', 'k', unique_while => 'waiting') AS b \gset
SELECT count(*) FROM goque_fetch('unique.several');
SELECT goque_add('unique.several', '3', 'k', unique_while => 'waiting') AS c \gset
SELECT goque_add('unique.several', '4', 'k', on_conflict => 'ignore') = :c AS kept,
	goque_add('unique.several', '4', 'k', on_conflict => 'ignore', unique_while => 'live') = :c AS live,
	goque_add('unique.several', '4', 'k', on_conflict => 'ignore', unique_while => 'waiting') = :c AS waiting;
SELECT count(*) FROM goque_fetch('unique.several');
SELECT goque_complete(:c);
SELECT goque_add('unique.several', '4', 'k', on_conflict => 'ignore') = :c AS kept,
	goque_add('unique.several', '4', 'k', on_conflict => 'ignore', unique_while => 'live') = :b AS live;

-- 'replace' does not touch a task of a scope that it does not clash with
SELECT goque_add('unique.several', '5', 'k', on_conflict => 'replace', unique_while => 'waiting') > :c AS added;
SELECT payload, status FROM t WHERE type = 'unique.several' ORDER BY id;

-- ---- many ----

-- a key that is repeated in a batch behaves as successive calls would
SELECT pg_temp.refused($$SELECT goque_add_many('unique.many', ARRAY['1', '2', '3']::jsonb[], ARRAY['a', 'b', 'a'])$$) ~ '^23505' AS refused;
SELECT count(*) FROM t WHERE type = 'unique.many';
CREATE TEMP TABLE added AS
SELECT n, id FROM goque_add_many('unique.many', ARRAY['1', '2', '3', '4', '5']::jsonb[], ARRAY['a', 'b', 'a', NULL, NULL], on_conflict => 'ignore') WITH ORDINALITY a(id, n);
SELECT n, dense_rank() OVER (ORDER BY id) AS task FROM added ORDER BY n;
SELECT payload, external_id FROM t WHERE type = 'unique.many' ORDER BY id;
SELECT n, id IS NULL AS skipped FROM goque_add_many('unique.many', ARRAY['6', '7', '8']::jsonb[], ARRAY['c', 'a', 'c'], on_conflict => 'skip') WITH ORDINALITY a(id, n) ORDER BY n;
SELECT count(DISTINCT id) FROM goque_add_many('unique.many', ARRAY['9', '10', '11']::jsonb[], ARRAY['a', 'd', 'd'], on_conflict => 'replace') a(id);
SELECT payload, external_id FROM t WHERE type = 'unique.many' ORDER BY id;
SELECT ready, total_added FROM goque.stats WHERE type = 'unique.many';

-- ---- retry ----

-- F15: a key that was taken meanwhile: false, and retry_all passes it
SELECT goque_add('unique.retry', '1', 'k', unique_while => 'live') AS a \gset
SELECT goque_add('unique.retry', '2', 'free', unique_while => 'live') AS b \gset
SELECT count(*) FROM goque_fetch('unique.retry', 2);
SELECT goque_fail(:a, 'x', retry => false), goque_fail(:b, 'x', retry => false);
SELECT goque_add('unique.retry', '3', 'k', unique_while => 'live') AS c \gset
SELECT goque_retry(:a);
SELECT count(*) FROM goque_retry_many(ARRAY[:a, :b]::bigint[], '2100-01-01');
SELECT payload, status FROM t WHERE type = 'unique.retry' ORDER BY id;
SELECT goque_retry_all('unique.retry');
SELECT goque_cancel(:c);
SELECT goque_retry_all('unique.retry');
SELECT payload, status FROM t WHERE type = 'unique.retry' ORDER BY id;
-- heal, fail and release go on, key or not
SELECT goque_add('unique.fail', '1', 'k', unique_while => 'waiting') AS a \gset
SELECT count(*) FROM goque_fetch('unique.fail');
SELECT goque_add('unique.fail', '2', 'k', unique_while => 'waiting') > :a AS added;
SELECT goque_release(:a);
SELECT count(*) FROM goque_fetch('unique.fail', 2);
SELECT goque_fail(:a, 'x', retry_in => '0');
SELECT payload, status FROM t WHERE type = 'unique.fail' ORDER BY id;
SELECT goque_retry(:a) AS failed_but_taken;

-- nothing of it stays in the table of locks
SELECT count(*) FROM goque.key_locks;
