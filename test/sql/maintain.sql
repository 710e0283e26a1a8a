-- The workers' duties by hand: goque_heal and goque_clean.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

-- a clean queue, for the calls without a type. Each ageing and what follows from it
-- is one transaction, so that the keeper sees nothing to do.
SET client_min_messages = warning;
DROP EXTENSION goque;
CREATE EXTENSION goque;
RESET client_min_messages;

CREATE FUNCTION pg_temp.expire(id bigint) RETURNS void LANGUAGE sql AS
$$ SELECT pg_temp.change(id, $a$lease_until = now() - interval '1 s', updated_at = now() - interval '31 s'$a$) $$;
CREATE FUNCTION pg_temp.age(id bigint, age interval) RETURNS void LANGUAGE sql AS
$$ SELECT pg_temp.change(id, format('finished_at = now() - %L::interval', age)) $$;

-- ---- heal ----

SELECT goque_heal(), goque_heal('maintain.nothing');
-- F4: an expired lease holds until it is ended; then its token is worth nothing
SELECT goque_configure('maintain', max_attempts => 2, backoff => 'static', backoff_base => '10 s', backoff_jitter => 0);
SELECT goque_add('maintain', '1') AS id \gset
SELECT goque_add('maintain', '2') AS other \gset
SELECT token FROM goque_fetch('maintain', worker => 'w') \gset
SELECT count(*) FROM goque_fetch('maintain', worker => 'w');
-- nothing is over yet
SELECT goque_heal(), goque_heal('maintain');
BEGIN;
SELECT pg_temp.expire(:id);
SELECT goque_heal('maintain.nothing');
SELECT goque_heal('maintain');
SELECT goque_heal('maintain');
COMMIT;
SELECT status, attempts, error ~ '^lease expired at ' AS error, regexp_replace(errors, ' at .*\(.*, ', ' at TIME (TIME, ') AS errors,
	lease_until, next_attempt_at - updated_at AS retry_in, finished_at FROM goque.tasks WHERE id = :id;
SELECT status FROM goque.tasks WHERE id = :other;
SELECT goque_complete(:id, :token), goque_heartbeat(:id, :token), goque_fail(:id, 'late', :token), goque_release(:id, :token);
-- F6: the last attempt
SELECT count(*) FROM goque_reschedule_many(ARRAY[:id], now());
SELECT attempt FROM goque_fetch('maintain');
BEGIN;
SELECT pg_temp.expire(:id);
SELECT goque_heal();
COMMIT;
SELECT status, attempts, finished_at = updated_at AS finished FROM goque.tasks WHERE id = :id;
SELECT processing, error, attempts_left, total_healed, total_failed, total_exhausted FROM goque.stats WHERE type = 'maintain';
-- expired but extended by a heartbeat, or finished: passed by
BEGIN;
SELECT pg_temp.expire(:other);
SELECT goque_heartbeat(:other, lease => '1 min') > now() AS extended;
SELECT goque_heal();
SELECT pg_temp.expire(:other);
SELECT goque_complete(:other);
SELECT goque_heal();
COMMIT;
-- many at once, of several types
SELECT count(*) FROM goque_add_many('maintain.a', ARRAY(SELECT to_jsonb(n) FROM generate_series(1, 50) n));
SELECT goque_add('maintain.b') > 0 AS added;
CREATE TEMP TABLE fetched AS SELECT id, type FROM goque_fetch_any(ARRAY['maintain.a', 'maintain.b'], 100);
BEGIN;
SELECT count(pg_temp.expire(id)) FROM fetched;
SELECT goque_heal('maintain.b');
SELECT goque_heal();
COMMIT;
SELECT type, status, attempts, count(*) FROM goque.tasks JOIN fetched USING (id, type) GROUP BY 1, 2, 3 ORDER BY 1;
-- rolled back
BEGIN;
SELECT goque_retry_many(ARRAY(SELECT id FROM fetched WHERE type = 'maintain.b')) IS NOT NULL AS retried;
SELECT count(*) FROM goque_fetch('maintain.b');
SELECT count(pg_temp.expire(id)) FROM fetched WHERE type = 'maintain.b';
SELECT goque_heal();
ROLLBACK;
SELECT status, attempts FROM goque.tasks WHERE type = 'maintain.b';
SELECT total_healed FROM goque.stats WHERE type = 'maintain.b';

-- expires_in: not fetched by then, it is canceled, and says so; a fetched one is not
SELECT goque_add('maintain.expires', '1', expires_in => '1 hour') AS a \gset
SELECT goque_add('maintain.expires', '2', expires_in => '1 hour', delay => '1 day') AS b \gset
SELECT goque_add('maintain.expires', '3', expires_in => '1 hour', priority => -1) AS c \gset
SELECT payload FROM goque_fetch('maintain.expires');
SELECT goque_release(:c);
BEGIN;
SELECT count(pg_temp.change(id, $$expires_at = now() - interval '1 s'$$)) FROM unnest(ARRAY[:a, :b, :c]) id;
SELECT goque_heal();
COMMIT;
SELECT payload, status, error ~ '^expired at .* before it was fetched$' AS error, errors ~ '^attempt 0: expired ' AS errors, finished_at IS NOT NULL AS finished
FROM goque.tasks WHERE type = 'maintain.expires' ORDER BY id;
SELECT canceled, total_canceled, total_healed FROM goque.stats WHERE type = 'maintain.expires';
SELECT payload FROM goque_fetch('maintain.expires', 10);

-- ---- clean ----

-- done after retention; dead letters and canceled ones after retention_failed; the living never
SELECT goque_configure('maintain.clean', retention => '1 hour', retention_failed => '2 hours');
CREATE TEMP TABLE named AS
SELECT name, id FROM unnest(ARRAY(SELECT goque_add_many('maintain.clean', ARRAY(SELECT to_jsonb(n) FROM unnest('{done,dead,canceled,new,error,processing}'::text[]) n))),
	'{done,dead,canceled,new,error,processing}'::text[]) u(id, name);
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM named n WHERE n.name = $1 $$;
SELECT count(*) FROM goque_reschedule_many(ARRAY[pg_temp.id('new'), pg_temp.id('canceled')], priority => 1);
SELECT count(*) FROM goque_fetch('maintain.clean', 4);
SELECT goque_complete(pg_temp.id('done')), goque_fail(pg_temp.id('dead'), 'x', retry => false), goque_fail(pg_temp.id('error'), 'x'), goque_cancel(pg_temp.id('canceled'));
SELECT goque_clean('maintain.clean');
BEGIN;
SELECT count(pg_temp.age(id, '59 min')) FROM named;
SELECT goque_clean('maintain.clean');
SELECT count(pg_temp.age(id, '61 min')) FROM named;
SELECT goque_clean('maintain.nothing');
SELECT goque_clean('maintain.clean');
SELECT name FROM named JOIN goque.tasks USING (id) ORDER BY id;
SELECT count(pg_temp.age(id, '121 min')) FROM named;
SELECT goque_clean('maintain.clean');
SELECT name FROM named JOIN goque.tasks USING (id) ORDER BY id;
COMMIT;
SELECT ready, processing, error, done, attempts_left, canceled, total_completed FROM goque.stats WHERE type = 'maintain.clean';
-- what is left lives
SELECT goque_complete(pg_temp.id('processing'));
SELECT payload FROM goque_fetch('maintain.clean');

-- the defaults: 3 hours and 7 days; the database's, when changed
SELECT goque_add('maintain.default', '1') AS a \gset
SELECT goque_add('maintain.default', '2') AS b \gset
SELECT count(*) FROM goque_fetch('maintain.default', 2);
SELECT goque_complete(:a), goque_fail(:b, 'x', retry => false);
BEGIN;
SELECT pg_temp.age(:a, '2 h 59 min'), pg_temp.age(:b, '167 h');
SELECT goque_clean();
SELECT pg_temp.age(:a, '3 h 1 min'), pg_temp.age(:b, '169 h');
SELECT goque_clean();
ROLLBACK;
BEGIN;
SELECT goque_configure(NULL, retention => '10 min', retention_failed => '20 min');
SELECT pg_temp.age(:a, '11 min'), pg_temp.age(:b, '11 min');
SELECT goque_clean();
SELECT payload FROM goque.tasks WHERE type = 'maintain.default';
ROLLBACK;
SELECT done, attempts_left FROM goque.stats WHERE type = 'maintain.default';

-- a key is free when the task that had it is cleaned
SELECT goque_add('maintain.key', external_id => 'k') AS id \gset
SELECT count(*) FROM goque_fetch('maintain.key');
SELECT goque_complete(:id);
SELECT goque_add('maintain.key', external_id => 'k', on_conflict => 'skip') AS taken;
BEGIN;
SELECT pg_temp.age(:id, '1 day');
SELECT goque_clean();
COMMIT;
SELECT goque_add('maintain.key', external_id => 'k', on_conflict => 'skip') > :id AS added;

-- ---- the ring ----

-- tasks of an older generation are fetched, finished and found as ever
DROP EXTENSION goque;
CREATE EXTENSION goque;
SELECT goque_add('maintain.ring', '1') AS a \gset
SELECT goque_add('maintain.ring', '2') AS b \gset
SELECT setval('goque.generation_seq', 1);
SELECT goque_add('maintain.ring', '0', priority => -1) AS c \gset
SELECT generation, payload FROM goque.ring ORDER BY id;
SELECT payload FROM goque_fetch('maintain.ring', 10);
SELECT goque_complete(:a), goque_fail(:b, 'x', retry => false), goque_complete(:c);
-- what comes back to life moves to the current one
SELECT goque_retry(:b);
SELECT r.generation, t.payload, t.status FROM goque.tasks t JOIN goque.ring r USING (id) ORDER BY id;
SELECT goque_purge(:c), goque_complete(:b), payload FROM goque_fetch('maintain.ring');
-- one without tasks is emptied by a later cleaning, unless a cursor reads it
BEGIN;
SELECT pg_temp.age(:a, '1 day');
SELECT goque_clean();
DECLARE c CURSOR FOR SELECT payload FROM goque.tasks;
FETCH c;
SELECT goque_clean();
SELECT pg_relation_size('goque.tasks_0') > 0 AS kept;
CLOSE c;
-- a minute after it was found without tasks
SELECT goque_clean(), goque_clean();
SELECT pg_relation_size('goque.tasks_0') > 0 AS kept;
-- (again while the keeper looks at it)
SET LOCAL statement_timeout = '1 min';
DO $$
BEGIN
	WHILE pg_relation_size('goque.tasks_0') > 0 LOOP
		PERFORM setval('goque.quarantine_seq', last_value - (61::bigint << 28)) FROM goque.quarantine_seq WHERE last_value > 0;
		PERFORM goque_clean();
	END LOOP;
END $$;
SELECT pg_relation_size('goque.tasks_0') > 0 AS kept;
-- who emptied it may go on reading
SELECT payload, status FROM goque.tasks;
SELECT goque_complete(:b);
COMMIT;
SELECT payload, status FROM goque.tasks;
SELECT done, total_completed FROM goque.stats WHERE type = 'maintain.ring';
-- error table: a snapshot older than the last emptying of a table that it would read
-- (the emptying is that of a subtransaction, which is undone)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM goque.tasks;
SAVEPOINT s;
CREATE TEMP TABLE later AS SELECT 1;
SELECT setval('goque.emptied_seq', xmin::text::bigint) > 0 AS emptied FROM pg_class WHERE oid = 'later'::regclass;
ROLLBACK TO s;
SELECT count(*) FROM goque.tasks;
ROLLBACK TO s;
\set VERBOSITY sqlstate
SELECT count(*) FROM goque.stats;
ROLLBACK TO s;
SELECT count(*) FROM goque.tasks_0 WHERE goque.snapshot_guard();
\set VERBOSITY default
ROLLBACK;
SELECT count(*) FROM goque.tasks;
