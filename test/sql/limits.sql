-- max_running and rate_limit of a type (F17, promise 10).
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
\pset format unaligned
\pset tuples_only on

-- ---- max_running ----
SELECT goque_configure('limits.places', max_running => 2, timeout => '1 h');
SELECT max_running, rate_limit, rate_period FROM goque.task_types WHERE type = 'limits.places';
SELECT count(*) FROM goque_add_many('limits.places', array_fill('{}'::jsonb, '{8}'), priority => -1);
SELECT count(*) FROM goque_add_many('limits.plain', array_fill('{}'::jsonb, '{2}'));
-- a full type hides nothing
SELECT type, count(*) FROM goque_fetch_any('{limits.places,limits.plain}', 10) GROUP BY type ORDER BY type;
SELECT count(*) FROM goque_fetch('limits.places');
SELECT count(*) FROM goque_fetch('limits.places', wait => '10 ms');
-- whatever ends a lease frees its place
CREATE TEMP TABLE held AS SELECT id, row_number() OVER (ORDER BY id) AS n FROM goque.tasks WHERE type = 'limits.places' AND status = 'processing';
SELECT goque_complete(id) FROM held WHERE n = 1;
SELECT count(*) FROM goque_fetch('limits.places', 10);
SELECT goque_fail(id, 'x', retry_in => '1 h') FROM held WHERE n = 2;
SELECT count(*) FROM goque_fetch('limits.places', 10, lease => '1 us');
SELECT goque_heal('limits.places');
SELECT count(*) FROM goque_fetch('limits.places', 10);
SELECT goque_release(id) IS NOT NULL FROM goque.tasks WHERE type = 'limits.places' AND status = 'processing' ORDER BY id LIMIT 1;
SELECT goque_cancel(id) FROM goque.tasks WHERE type = 'limits.places' AND status = 'processing' ORDER BY id LIMIT 1;
SELECT count(*) FROM goque_fetch('limits.places', 10);
-- one transaction: what it finishes is free for it, a rollback takes it back
BEGIN;
SELECT goque_complete(id) FROM goque.tasks WHERE type = 'limits.places' AND status = 'processing' ORDER BY id LIMIT 1;
SELECT count(*) FROM goque_fetch('limits.places', 10);
SAVEPOINT p;
SELECT goque_complete(id) FROM goque.tasks WHERE type = 'limits.places' AND status = 'processing' ORDER BY id LIMIT 1;
SELECT count(*) FROM goque_fetch('limits.places', 10);
ROLLBACK TO p;
SELECT count(*) FROM goque_fetch('limits.places', 10);
ROLLBACK;
SELECT count(*) FROM goque_fetch('limits.places', 10);
-- raised, lowered below what runs, taken away
SELECT goque_configure('limits.places', max_running => 3);
SELECT count(*) FROM goque_fetch('limits.places', 10);
SELECT goque_configure('limits.places', max_running => 1);
SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'limits.places' AND status = 'processing' ORDER BY id LIMIT 2));
SELECT count(*) FROM goque_fetch('limits.places', 10);
SELECT goque_configure('limits.places', max_running => 0);
SELECT max_running FROM goque.task_types WHERE type = 'limits.places';
SELECT count(*) FROM goque_add_many('limits.places', array_fill('{}'::jsonb, '{4}'));
SELECT count(*) FROM goque_fetch('limits.places', 10);

-- ---- rate_limit ----
SELECT goque_configure('limits.rate', rate_limit => 3, rate_period => '1 h', timeout => '1 h');
SELECT max_running, rate_limit, rate_period FROM goque.task_types WHERE type = 'limits.rate';
SELECT count(*) FROM goque_add_many('limits.rate', array_fill('{}'::jsonb, '{20}'));
-- what is rolled back was not fetched
BEGIN;
SELECT count(*) FROM goque_fetch('limits.rate', 2);
SAVEPOINT p;
SELECT count(*) FROM goque_fetch('limits.rate', 2);
ROLLBACK TO p;
SELECT count(*) FROM goque_fetch('limits.rate', 2);
ROLLBACK;
SELECT count(*) FROM goque_fetch('limits.rate', 2);
SELECT count(*) FROM goque_fetch('limits.rate', 2);
SELECT count(*) FROM goque_fetch('limits.rate', 2);
SELECT count(*) FROM goque_fetch_any('{limits.rate}', 2, wait => '10 ms');
-- what is given back was
SELECT count(*) FROM goque_release_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'limits.rate' AND status = 'processing'));
SELECT count(*) FROM goque_fetch('limits.rate', 2);
-- raised; both limits
SELECT goque_configure('limits.rate', rate_limit => 10, max_running => 4);
SELECT count(*) FROM goque_fetch('limits.rate', 20);
SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'limits.rate' AND status = 'processing'));
SELECT count(*) FROM goque_fetch('limits.rate', 20);
SELECT sum(n) FROM goque.fetch_log WHERE type = 'limits.rate';
-- a short period turns, and a sleeper is woken
SELECT goque_configure('limits.turns', rate_limit => 1);
SELECT rate_period FROM goque.task_types WHERE type = 'limits.turns';
SELECT goque_configure('limits.turns', rate_period => '50 ms');
SELECT count(*) FROM goque_add_many('limits.turns', array_fill('{}'::jsonb, '{3}'));
SELECT count(*) FROM generate_series(1, 3) n, LATERAL goque_fetch('limits.turns', 1 + n * 0, wait => '10 s');
SELECT min(started_at - before) >= '50 ms' FROM (SELECT started_at, lag(started_at) OVER (ORDER BY started_at) AS before
	FROM goque.tasks WHERE type = 'limits.turns') t;
SELECT goque_configure('limits.rate', rate_limit => 0, max_running => 0);
SELECT max_running, rate_limit, rate_period FROM goque.task_types WHERE type = 'limits.rate';

-- ---- errors ----
SELECT pg_temp.refused($$SELECT goque_configure('limits.places', max_running => -1)$$);
SELECT pg_temp.refused($$SELECT goque_configure('limits.places', rate_limit => -1)$$);
SELECT pg_temp.refused($$SELECT goque_configure('limits.places', rate_period => '0')$$);
SELECT pg_temp.refused($$SELECT goque_configure('limits.places', rate_period => '-1 s')$$);
SELECT pg_temp.refused($$SELECT goque_configure('limits.places', rate_period => '101 years')$$);
SELECT max_running, rate_limit, rate_period FROM goque.task_types WHERE type = 'limits.places';

SELECT goque_unconfigure(type) FROM goque.task_types WHERE type LIKE 'limits.%' AND configured;

-- the cleaner leaves what a period still reaches back to, the default one too
SELECT goque_configure('limits.kept', rate_limit => 2);
SELECT count(*) FROM goque_add_many('limits.kept', array_fill('{}'::jsonb, '{2}'));
SELECT count(*) FROM goque_fetch('limits.kept', 2);
SELECT goque_clean() >= 0;
SELECT n FROM goque.fetch_log WHERE type = 'limits.kept';
UPDATE goque.fetch_log SET fetched_at = fetched_at - interval '1 h';
SELECT goque_clean() >= 0;
SELECT count(*) FROM goque.fetch_log;
SELECT goque_unconfigure('limits.kept');
