-- Settings of a type: goque_configure, goque_unconfigure, goque_pause, goque_resume.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

-- a clean queue: the database's defaults are changed here
SET client_min_messages = warning;
DROP EXTENSION goque;
CREATE EXTENSION goque;
RESET client_min_messages;

-- ---- configure ----

-- what a type gets that nobody configured
SELECT goque_add('configure.plain') > 0 AS added;
\x
SELECT * FROM goque.task_types WHERE type = 'configure.plain';
-- everything
SELECT goque_configure('configure.all', 3, '1 min', 'step', '2 s', '1 h', 0.5, '{1 s, 2 s, 3 s}', '1 day', 1000, 0, 0, NULL, '30 days');
SELECT * FROM goque.task_types WHERE type = 'configure.all';
-- what is left out or NULL stays
SELECT goque_configure('configure.all', timeout => '2 min');
SELECT goque_configure('configure.all', NULL);
SELECT max_attempts, timeout, backoff, backoff_steps, retention, retention_failed, max_payload_size FROM goque.task_types WHERE type = 'configure.all';
-- 0 takes a limit away
SELECT goque_configure('configure.all', max_payload_size => 0);
SELECT max_payload_size, max_running, rate_limit, rate_period FROM goque.task_types WHERE type = 'configure.all';
-- and back to the defaults
SELECT goque_unconfigure('configure.all'), goque_unconfigure('configure.all') AS again, goque_unconfigure('configure.nothing') AS nothing;
SELECT count(*) FROM goque.task_types WHERE type = 'configure.all';
\x

-- a call that sets nothing leaves no row
SELECT goque_configure('configure.nothing');
SELECT count(*) FROM goque.settings;

-- the database's defaults: for those who have none of their own
SELECT goque_configure('configure.own', max_attempts => 7);
SELECT goque_configure(NULL, max_attempts => 2, timeout => '10 min', retention => '0', retention_failed => '1 min', backoff => 'static', backoff_base => '1 min', backoff_jitter => 0);
SELECT type, max_attempts, timeout, backoff, backoff_base, retention, retention_failed, configured FROM goque.task_types ORDER BY type;
SELECT goque_add('configure.own') AS own \gset
SELECT goque_add('configure.plain') AS plain \gset
SELECT type, max_attempts FROM goque.tasks WHERE id IN (:own, :plain) ORDER BY type;
SELECT goque_unconfigure(NULL), goque_unconfigure(NULL) AS again;
SELECT type, max_attempts, timeout, backoff, configured FROM goque.task_types ORDER BY type;

-- settings apply at the commit, also to tasks that are there; max_attempts was copied
BEGIN;
SELECT goque_configure('configure.own', max_attempts => 9, timeout => '9 min');
SELECT max_attempts, timeout FROM goque.task_types WHERE type = 'configure.own';
ROLLBACK;
SELECT max_attempts, timeout FROM goque.task_types WHERE type = 'configure.own';
SELECT goque_configure('configure.own', max_attempts => 9, timeout => '9 min');
SELECT max_attempts, lease FROM goque_fetch('configure.own');
BEGIN;
SAVEPOINT s;
SELECT goque_configure('configure.own', timeout => '10 min');
ROLLBACK TO s;
SELECT timeout FROM goque.task_types WHERE type = 'configure.own';
COMMIT;

-- ---- backoff ----

-- the delay after each failed attempt; without jitter
CREATE FUNCTION pg_temp.delays(of_type text, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	task bigint := goque_add(of_type, max_attempts => 2147483647);
	delays text := '';
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM goque_reschedule_many(ARRAY[task], now());
		PERFORM goque_fetch(of_type);
		PERFORM goque_fail(task, 'x');
		delays := concat_ws(', ', nullif(delays, ''), (SELECT extract(epoch FROM next_attempt_at - updated_at)::float8 FROM goque.tasks t WHERE t.id = task));
	END LOOP;
	PERFORM goque_cancel(task);
	RETURN delays;
END
$$;
SELECT goque_configure('configure.static', backoff => 'static', backoff_base => '5 s', backoff_jitter => 0);
SELECT pg_temp.delays('configure.static', 4);
SELECT goque_configure('configure.exponential', backoff => 'exponential', backoff_base => '2 s', backoff_max => '20 s', backoff_jitter => 0);
SELECT pg_temp.delays('configure.exponential', 6);
SELECT goque_configure('configure.default', backoff_jitter => 0);
SELECT pg_temp.delays('configure.default', 11);
SELECT goque_configure('configure.step', backoff => 'step', backoff_steps => '{1 s, 10 s, 1 min}', backoff_jitter => 0);
SELECT pg_temp.delays('configure.step', 5);
SELECT goque_configure('configure.round_step', backoff => 'round_step', backoff_steps => '{1 s, 10 s, 1 min}', backoff_jitter => 0);
SELECT pg_temp.delays('configure.round_step', 7);
SELECT goque_configure('configure.fibonacci', backoff => 'fibonacci', backoff_base => '1 s', backoff_jitter => 0);
SELECT pg_temp.delays('configure.fibonacci', 8);
SELECT goque_configure('configure.fibonacci', backoff_max => '7500 ms');
SELECT pg_temp.delays('configure.fibonacci', 6);
-- with jitter: within its part of the delay, and not always the same
SELECT goque_configure('configure.jitter', backoff => 'static', backoff_base => '100 s', backoff_jitter => 0.2);
SELECT min(d::float8) BETWEEN 80 AND 100 AS min, max(d::float8) BETWEEN 100 AND 120 AS max, count(DISTINCT d) > 10 AS differ
FROM regexp_split_to_table(pg_temp.delays('configure.jitter', 40), ', ') d;

-- a step backoff takes the steps of the database's defaults
SELECT goque_configure(NULL, backoff_steps => '{7 s}', backoff_jitter => 0);
SELECT goque_configure('configure.inherited', backoff => 'step');
SELECT pg_temp.delays('configure.inherited', 2);
SELECT goque_unconfigure(NULL);

-- ---- pause and resume ----

SELECT goque_add('configure.a', '"a"') > 0 AND goque_add('configure.b', '"b"') > 0 AS added;
SELECT goque_pause('configure.a');
SELECT type, paused, configured FROM goque.task_types WHERE type IN ('configure.a', 'configure.b') ORDER BY type;
SELECT count(*) FROM goque_fetch('configure.a');
SELECT payload FROM goque_fetch_any(ARRAY['configure.a', 'configure.b'], 10);
-- added to and finished all the same; ready, but not fetched
SELECT goque_add('configure.a', '"a 2"') > 0 AS added;
SELECT ready FROM goque.stats WHERE type = 'configure.a';
-- twice is once; a wait is not worth a fetch
SELECT goque_pause('configure.a');
CALL goque_wait(ARRAY['configure.a'], '0');
-- unconfigure leaves the pause, and says that there was nothing else
SELECT goque_unconfigure('configure.a');
SELECT paused FROM goque.task_types WHERE type = 'configure.a';

-- the switch of the database, beside the types' own
SELECT goque_add('configure.b', '"b 2"') > 0 AS added;
SELECT goque_pause();
SELECT type, paused FROM goque.task_types WHERE type IN ('configure.a', 'configure.b') ORDER BY type;
SELECT count(*) FROM goque_fetch('configure.b');
SELECT count(*) FROM goque_fetch_any(NULL, 10);
SELECT goque_resume('configure.a');
SELECT count(*) FROM goque_fetch('configure.a');
SELECT goque_pause('configure.a');
SELECT goque_resume();
SELECT type, paused FROM goque.task_types WHERE type IN ('configure.a', 'configure.b') ORDER BY type;
SELECT payload FROM goque_fetch_any(ARRAY['configure.a', 'configure.b'], 10);
SELECT goque_resume('configure.a');
SELECT payload FROM goque_fetch('configure.a', 10);
SELECT goque_resume(), goque_resume('configure.a'), goque_resume('configure.never');
-- a pause that is rolled back
BEGIN;
SELECT goque_add('configure.a', '"a 3"') > 0 AS added;
SELECT goque_pause('configure.a');
SELECT count(*) FROM goque_fetch('configure.a');
ROLLBACK;
SELECT goque_add('configure.a', '"a 4"') > 0 AS added;
SELECT payload FROM goque_fetch('configure.a');
-- no row is left of it, and a pause of an unknown type shows it
SELECT type FROM goque.settings WHERE type IN ('', 'configure.a', 'configure.b', 'configure.never');
SELECT goque_pause('configure.unknown');
SELECT type, paused, configured FROM goque.task_types WHERE type = 'configure.unknown';

-- ---- payload limits ----

SELECT goque_configure('configure.size', max_payload_size => 100);
SELECT goque_add('configure.size', to_jsonb(repeat('x', 80))) > 0 AS added;
SELECT pg_temp.refused($$SELECT goque_add('configure.size', to_jsonb(repeat('x', 100)))$$) ~ '^54000' AS refused;
SELECT goque_configure('configure.size', max_payload_size => 0);
SELECT goque_add('configure.size', to_jsonb(repeat('x', 100))) > 0 AS added;
