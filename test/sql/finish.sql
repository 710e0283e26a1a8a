-- Finishing: complete, fail, release, heartbeat, and their _many.

\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'finish%';

-- ---- complete ----

SELECT goque_add('finish', '1') AS id \gset
SELECT token FROM goque_fetch('finish') \gset
-- not with another token, not another task, once
SELECT goque_complete(:id, :token + 1), goque_complete(:id, -1), goque_complete(-1), goque_complete(9223372036854775807, 1);
SELECT status FROM t WHERE id = :id;
SELECT goque_complete(:id, :token, '{"sent": true}');
SELECT goque_complete(:id, :token), goque_complete(:id), goque_fail(:id, 'late', :token), goque_release(:id, :token), goque_heartbeat(:id, :token);
\x
SELECT status, attempts, result, error, errors, lease_until, finished_at = updated_at AS finished, finished_at >= started_at AS after_start
FROM t WHERE id = :id;
\x

-- a person at a prompt: whoever holds it; not a task that nobody holds
SELECT goque_add('finish', '2') AS id \gset
SELECT goque_complete(:id), goque_fail(:id, 'x'), goque_release(:id), goque_heartbeat(:id);
SELECT count(*) FROM goque_fetch('finish');
SELECT goque_complete(:id);

-- a lease that is over holds until somebody ends it
SELECT goque_add('finish', '3') AS id \gset
SELECT token FROM goque_fetch('finish') \gset
BEGIN;
SELECT pg_temp.change(:id, $$lease_until = lease_until - interval '1 hour', updated_at = updated_at - interval '1 hour'$$);
SELECT count(*) FROM goque_fetch('finish');
SELECT goque_heartbeat(:id, :token) > now() AS extended;
SELECT pg_temp.change(:id, $$lease_until = lease_until - interval '1 hour', updated_at = updated_at - interval '1 hour'$$);
SELECT goque_complete(:id, :token);
COMMIT;

-- ---- fail ----

-- F4: the token of the attempt before is worth nothing
SELECT goque_configure('finish.fail', max_attempts => 3, backoff => 'static', backoff_base => '10 s', backoff_jitter => 0);
SELECT goque_add('finish.fail', '1') AS id \gset
SELECT token FROM goque_fetch('finish.fail', worker => 'w1') \gset
SELECT goque_fail(:id, 'first', :token);
SELECT goque_fail(:id, 'again', :token);
SELECT status, attempts, error, next_attempt_at - updated_at AS retry_in, lease_until, finished_at FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('finish.fail');
-- retry_in: 0 is at once
SELECT goque_retry(:id);
SELECT status, attempts FROM t WHERE id = :id;
SELECT token AS token2, errors ~ '^attempt 1: first \(.*, w1\)$' AS told FROM goque_fetch('finish.fail', worker => 'w2') \gset
SELECT :'told' AS told, goque_complete(:id, :token) AS with_the_old_token;
SELECT goque_fail(:id, 'second', :token2, retry_in => '0');
SELECT status, next_attempt_at = updated_at AS at_once FROM t WHERE id = :id;
SELECT token FROM goque_fetch('finish.fail', worker => 'w3') \gset
SELECT goque_fail(:id, E'two\nlines', :token, retry_in => '7 days');
SELECT next_attempt_at - updated_at AS retry_in, error FROM t WHERE id = :id;
SELECT count(*) FROM goque_reschedule_many(ARRAY[:id], now());
-- the last attempt
SELECT attempt, max_attempts FROM goque_fetch('finish.fail', worker => 'w4');
SELECT goque_fail(:id, 'last');
SELECT status, attempts, error, finished_at = updated_at AS finished, lease_until FROM t WHERE id = :id;
SELECT regexp_replace(line, '\(.*, ', '(TIME, ') FROM t, regexp_split_to_table(errors, E'\n') line WHERE id = :id;
SELECT count(*) FROM goque_fetch('finish.fail', 10);

-- no retry; NULL is the default; an empty message
SELECT goque_add('finish.fail', '2') AS id \gset
SELECT token FROM goque_fetch('finish.fail') \gset
SELECT goque_fail(:id, '', :token, retry => false);
SELECT status, attempts, error FROM t WHERE id = :id;
SELECT goque_add('finish.fail', '3') AS id \gset
SELECT token FROM goque_fetch('finish.fail') \gset
SELECT goque_fail(:id, 'x', :token, NULL, NULL);
SELECT goque_cancel(:id);

-- error and errors are bounded, the oldest lines go first; characters stay whole
SELECT goque_configure('finish.bounds', max_attempts => 1000);
SELECT goque_add('finish.bounds', '1') AS id \gset
SELECT count(*) FROM goque_fetch('finish.bounds');
SELECT goque_fail(:id, 'a' || repeat(chr(8364), 4000), retry_in => '0');
SELECT octet_length(error), error = 'a' || repeat(chr(8364), 1365) AS whole, octet_length(errors) BETWEEN 4097 AND 4300 AS errors FROM t WHERE id = :id;
DO $$
BEGIN
	FOR i IN 2 .. 40 LOOP
		PERFORM goque_fail(f.id, repeat('x', 1000) || i, retry_in => '0') FROM goque_fetch('finish.bounds') f;
	END LOOP;
END $$;
SELECT attempts, octet_length(errors) BETWEEN 14000 AND 16384 AS bounded, errors LIKE '%x40 (%' AS newest, errors ~ '^attempt [0-9]+: x' AS whole_line,
	errors LIKE '%attempt 1:%' AS oldest
FROM t WHERE id = :id;

-- ---- release ----

SELECT goque_add('finish.release', '1') AS id \gset
SELECT token FROM goque_fetch('finish.release') \gset
SELECT goque_release(:id, :token + 1), goque_release(:id, :token), goque_release(:id, :token);
SELECT status, attempts, worker IS NOT NULL AS worker, lease_until, next_attempt_at = updated_at AS at_once, error FROM t WHERE id = :id;
-- snoozed
SELECT attempt FROM goque_fetch('finish.release');
SELECT goque_release(:id, delay => '5 min');
SELECT status, attempts, next_attempt_at - updated_at AS delay FROM t WHERE id = :id;
SELECT count(*) FROM goque_fetch('finish.release');
-- what failed before stays in error, with the attempts it had
SELECT goque_retry(:id);
SELECT attempt FROM goque_fetch('finish.release');
SELECT goque_fail(:id, 'once', retry_in => '0');
SELECT attempt FROM goque_fetch('finish.release');
SELECT goque_release(:id, 0, NULL);
SELECT status, attempts, error FROM t WHERE id = :id;
SELECT attempt FROM goque_fetch('finish.release');

-- ---- heartbeat ----

SELECT goque_add('finish.heartbeat', '1') AS id \gset
SELECT token, lease_until AS before FROM goque_fetch('finish.heartbeat', lease => '1 min') \gset
SELECT goque_heartbeat(:id, :token + 1) AS another, goque_heartbeat(-1) AS none;
-- the length of the last lease, from the clock; updated_at moves
SELECT goque_heartbeat(:id, :token) > :'before' AS later;
SELECT lease_until - updated_at AS lease, updated_at > started_at AS updated, attempts, progress FROM t WHERE id = :id;
SELECT goque_heartbeat(:id, :token, '1 hour', '{"page": 5}') AS until \gset
SELECT lease_until - updated_at AS lease, lease_until = :'until' AS returned, progress FROM t WHERE id = :id;
SELECT goque_heartbeat(:id, :token, NULL, NULL) > :'until' AS later;
SELECT lease_until - updated_at AS lease, progress FROM t WHERE id = :id;
-- it may be made shorter
SELECT goque_heartbeat(:id, :token, lease => '10 s') IS NOT NULL AS held;
SELECT lease_until - updated_at AS lease FROM t WHERE id = :id;
-- the next attempt is handed the progress
SELECT goque_fail(:id, 'interrupted', :token, '0');
SELECT attempt, progress, lease FROM goque_fetch('finish.heartbeat');
-- a canceled task tells its holder
SELECT goque_cancel(:id), goque_heartbeat(:id);

-- ---- many ----

CREATE TEMP TABLE added AS
SELECT id, n FROM goque_add_many('finish.many', ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 10) n)) WITH ORDINALITY a(id, n);
CREATE TEMP TABLE fetched AS SELECT id, token FROM goque_fetch('finish.many', 9);
CREATE FUNCTION pg_temp.ids(VARIADIC numbers int[]) RETURNS bigint[] LANGUAGE sql AS
$$ SELECT array_agg(coalesce(a.id, -u.n) ORDER BY u.ord) FROM unnest(numbers) WITH ORDINALITY u(n, ord) LEFT JOIN added a ON a.n = u.n $$;
CREATE FUNCTION pg_temp.tokens(VARIADIC numbers int[]) RETURNS bigint[] LANGUAGE sql AS
$$ SELECT array_agg(coalesce(f.token, 1) ORDER BY u.ord) FROM unnest(numbers) WITH ORDINALITY u(n, ord) LEFT JOIN (added a JOIN fetched f USING (id)) ON a.n = u.n $$;

-- in input order, each id once; 10 is not held, 11 does not exist
SELECT n FROM goque_heartbeat_many(pg_temp.ids(3, 1, 2, 11, 3, 10), lease => '2 min') WITH ORDINALITY h(id, ord) JOIN added USING (id) ORDER BY ord;
SELECT n, t.lease_until - t.updated_at AS lease FROM t JOIN added USING (id) WHERE status = 'processing' ORDER BY n;
SELECT n FROM goque_complete_many(pg_temp.ids(3, 1, 11, 1, 10)) WITH ORDINALITY h(id, ord) JOIN added USING (id) ORDER BY ord;
-- each with its token; those of others do not count
SELECT n FROM goque_complete_many(pg_temp.ids(4, 5, 2), pg_temp.tokens(4, 4, 2), ARRAY['"four"', '"five"', NULL]::jsonb[]) WITH ORDINALITY h(id, ord) JOIN added USING (id) ORDER BY ord;
SELECT n, status, result FROM t JOIN added USING (id) WHERE status = 'done' ORDER BY n;
SELECT n FROM goque_fail_many(pg_temp.ids(6, 5, 4), ARRAY['six', 'five', 'four'], pg_temp.tokens(6, 5, 4), '1 min') WITH ORDINALITY h(id, ord) JOIN added USING (id) ORDER BY ord;
SELECT n FROM goque_fail_many(pg_temp.ids(7), ARRAY['seven'], retry => false) WITH ORDINALITY h(id, ord) JOIN added USING (id) ORDER BY ord;
SELECT n FROM goque_release_many(pg_temp.ids(9, 8), pg_temp.tokens(9, 8), '1 hour') WITH ORDINALITY h(id, ord) JOIN added USING (id) ORDER BY ord;
SELECT n, status, attempts, error, CASE WHEN status IN ('error', 'new') THEN next_attempt_at - updated_at END AS later FROM t JOIN added USING (id) WHERE n <> 10 ORDER BY n;
-- an id named twice: the first token counts
SELECT goque_retry_many(pg_temp.ids(8, 9)) IS NOT NULL AS retried;
SELECT count(*) FROM goque_fetch('finish.many', 9);
SELECT count(*) FROM goque_complete_many(pg_temp.ids(8, 8), ARRAY[1, 0]);
SELECT count(*) FROM goque_complete_many(pg_temp.ids(8, 8), ARRAY[0, 1]);
-- empty arrays
SELECT goque_complete_many('{}'), goque_fail_many('{}', '{}'), goque_release_many('{}'), goque_heartbeat_many('{}');
SELECT goque_complete_many('{}', '{}', '{}');
-- a lower bound of 0
SELECT count(*) FROM goque_complete_many(('[0:0]={' || (pg_temp.ids(9))[1] || '}')::bigint[]);
-- a thousand at once, in an order that is not that of the ids
SELECT count(*) FROM goque_add_many('finish.thousand', ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 1000) n));
CREATE TEMP TABLE thousand AS SELECT array_agg(id ORDER BY md5(id::text)) AS ids, array_agg(token ORDER BY md5(id::text)) AS tokens FROM goque_fetch('finish.thousand', 1000);
SELECT count(*), bool_and(ids[c.n] = c.id) AS in_order FROM thousand, LATERAL goque_complete_many(ids, tokens) WITH ORDINALITY c(id, n);
SELECT done, processing, ready, total_added, total_fetched, total_completed FROM goque.stats WHERE type = 'finish.thousand';

-- retention 0: finished is gone
SELECT goque_configure('finish.gone', retention => '0', retention_failed => '0');
SELECT goque_add('finish.gone', '1') AS a \gset
SELECT goque_add('finish.gone', '2') AS b \gset
SELECT goque_add('finish.gone', '3') AS c \gset
SELECT count(*) FROM goque_fetch('finish.gone', 2);
SELECT goque_complete(:a), goque_fail(:b, 'x', retry => false), goque_cancel(:c);
SELECT count(*) FROM t WHERE type = 'finish.gone';
SELECT ready, processing, done, attempts_left, canceled, total_completed, total_failed, total_exhausted, total_canceled FROM goque.stats WHERE type = 'finish.gone';

-- ---- where the session last saw a task is a hint ----

SELECT goque_add('finish.place') AS id \gset
BEGIN;
SAVEPOINT s;
SELECT token FROM goque_fetch('finish.place') \gset
ROLLBACK TO s;
-- the place of a version that never was
SELECT goque_complete(:id, :token);
SELECT token FROM goque_fetch('finish.place') \gset
COMMIT;
-- a table emptied meanwhile has another file
BEGIN;
DO $$
BEGIN
	FOR g IN 0..7 LOOP
		EXECUTE format('TRUNCATE goque.tasks_%s', g);
	END LOOP;
END
$$;
SELECT goque_complete(:id, :token);
SELECT goque_add('finish.place') AS other \gset
SELECT count(*) FROM goque_fetch('finish.place');
SELECT goque_complete(:other), goque_complete(:id);
ROLLBACK;
SELECT goque_heartbeat(:id, :token) > now() AS held;
SELECT goque_complete(:id, :token);
SELECT status, attempts FROM goque.tasks WHERE id = :id;
