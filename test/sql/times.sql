-- F62, F12: times at their limits, and times late in a transaction.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'times%' ORDER BY id;

-- ---- F62: limits ----

-- infinite moments are refused; the largest and smallest finite ones are taken
SELECT count(*) FROM unnest(ARRAY[
	$$goque_add('times', run_at => 'infinity')$$, $$goque_add('times', run_at => '-infinity')$$, $$goque_add_many('times', '{1}', run_at => 'infinity')$$,
	$$goque_retry(1, 'infinity')$$, $$goque_retry_many('{1}', '-infinity')$$, $$goque_reschedule_many('{1}', 'infinity')$$]) call
WHERE pg_temp.refused('SELECT ' || call) ~ '^22023: argument "run_at" must be finite';
-- an infinite interval: the server's error before 17, goque's from then on
SELECT count(*) FROM unnest(ARRAY[
	$$goque_add('times', delay => 'infinity')$$, $$goque_add('times', timeout => 'infinity')$$, $$goque_add('times', expires_in => 'infinity')$$, $$goque_add('times', delay => '-infinity')$$,
	$$goque_fetch('times', lease => 'infinity')$$, $$goque_fetch('times', wait => 'infinity')$$, $$goque_heartbeat(1, lease => '-infinity')$$, $$goque_fail(1, 'x', retry_in => 'infinity')$$,
	$$goque_release(1, delay => 'infinity')$$, $$goque_configure('times', timeout => 'infinity')$$, $$goque_configure('times', retention => 'infinity')$$,
	$$goque_configure('times', backoff_steps => '{infinity}')$$]) call
WHERE pg_temp.refused('SELECT ' || call) ~ '^(22007|22023)';
-- too long, in every unit
SELECT count(*) FROM unnest('{1000 years,20000 months,100000 days,9000000 hours,178000000 years,2147483647 days,2147483647 months}'::text[]) i
WHERE pg_temp.refused(format('SELECT goque_add(''times'', delay => %L)', i)) ~ '^22023: argument "delay" is too large\nDETAIL: .*\nHINT: ';
SELECT count(*) FROM unnest('{-1 month,1 day -25 hours,1 month -31 days,-178000000 years}'::text[]) i
WHERE pg_temp.refused(format('SELECT goque_add(''times'', delay => %L)', i)) ~ '^22023: argument "delay" must not be negative';

SELECT goque_add('times.run_at', '"last"', run_at => '294276-12-31 23:59:59.999999+00') > 0 AS added;
SELECT goque_add('times.run_at', '"first"', run_at => '4713-01-01 00:00:00+00 BC') > 0 AS added;
SELECT payload, next_attempt_at = '294276-12-31 23:59:59.999999+00' AS last, next_attempt_at = '4713-01-01 00:00:00+00 BC' AS first FROM t WHERE type = 'times.run_at';
SELECT payload FROM goque_fetch('times.run_at', 10);
SELECT ready, scheduled FROM goque.stats WHERE type = 'times.run_at';
CALL goque_wait('{times.run_at}', '0');
SELECT count(*) FROM goque_fetch('times.run_at', wait => '1 ms');

-- the longest lease, months and days in it: a month is 30 days, a day 24 hours
SELECT count(*) FROM goque_add_many('times.lease', '{1,2,3,4}');
SELECT lease, lease_until - clock_timestamp() BETWEEN '30 days -1 min' AND '30 days' AS month FROM goque_fetch('times.lease', lease => '1 month');
SELECT lease FROM goque_fetch('times.lease', lease => '1 year 2 months 3 days 04:05:06.789');
SELECT lease FROM goque_fetch('times.lease', lease => '100 years');
BEGIN;
SELECT lease FROM goque_fetch('times.lease', lease => '1 microsecond');
SELECT goque_heal('times.lease');
COMMIT;
SELECT lease_until - updated_at AS lease FROM t WHERE type = 'times.lease' AND status = 'processing';
-- extended by such lengths as well
SELECT goque_heartbeat(id, lease => '100 years') > '2100-01-01' AS extended FROM t WHERE type = 'times.lease' AND status = 'processing';
SELECT goque_heartbeat(id) > '2100-01-01' AS extended FROM t WHERE type = 'times.lease' AND status = 'processing';

-- expiry, retention and backoff of 100 years
SELECT goque_configure('times.long', timeout => '100 years', backoff_base => '100 years', backoff_max => '100 years', backoff_jitter => 1, retention => '100 years', retention_failed => '100 years');
SELECT goque_add('times.long', delay => '100 years', expires_in => '100 years', timeout => '100 years') AS id \gset
SELECT next_attempt_at > '2100-01-01' AS later, expires_at = next_attempt_at AS expires FROM t WHERE id = :id;
SELECT goque_retry(:id);
SELECT lease FROM goque_fetch('times.long');
SELECT goque_fail(:id, 'x');
SELECT next_attempt_at - updated_at BETWEEN '0' AND '36600 days' AS bounded FROM t WHERE id = :id;
SELECT goque_cancel(:id), goque_clean('times.long');

-- attempts near 2^31 - 1: counted no further, and each backoff stays finite
SELECT goque_configure('times.exponential', backoff => 'exponential', backoff_base => '1 microsecond', backoff_max => '100 years', backoff_jitter => 0);
SELECT goque_configure('times.fibonacci', backoff => 'fibonacci', backoff_base => '99 years', backoff_jitter => 0);
SELECT goque_configure('times.step', backoff => 'step', backoff_steps => '{1 s,2 s}', backoff_jitter => 0);
SELECT goque_configure('times.round_step', backoff => 'round_step', backoff_steps => '{1 s,2 s}', backoff_jitter => 0);
CREATE FUNCTION pg_temp.late(of_type text, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	task bigint := goque_add(of_type, max_attempts => 2147483647);
	answer text;
BEGIN
	PERFORM pg_temp.change(task, format('attempts = %s', n - 1));
	PERFORM goque_fetch(of_type);
	answer := goque_fail(task, 'x');
	SELECT concat_ws(' ', answer, attempts, CASE WHEN status = 'error' THEN next_attempt_at - updated_at END) INTO answer FROM goque.tasks WHERE id = task;
	PERFORM goque_cancel(task);
	RETURN answer;
END
$$;
SELECT n, pg_temp.late('times.exponential', n), pg_temp.late('times.fibonacci', n), pg_temp.late('times.step', n), pg_temp.late('times.round_step', n)
FROM unnest(ARRAY[1, 2, 3, 40, 62, 63, 64, 65, 100, 2147483645, 2147483646, 2147483647]) n;
-- one more than can be counted
SELECT goque_add('times.step', max_attempts => 2147483647) AS id \gset
SELECT pg_temp.change(:id, 'attempts = 2147483647');
SELECT attempt FROM goque_fetch('times.step');
SELECT goque_release(:id);
SELECT attempt FROM goque_fetch('times.step');
SELECT goque_fail(:id, 'x');

-- the healer does not fail on a stored value, whatever it is
SELECT goque_add('times.heal', max_attempts => 2147483647, timeout => '1 s') AS id \gset
SELECT count(*) FROM goque_fetch('times.heal');
BEGIN;
INSERT INTO goque.settings (type, backoff, backoff_base, backoff_max, backoff_jitter, backoff_steps, max_attempts, timeout, retention)
VALUES ('times.heal', 'no such backoff', '-178000000 years', '178000000 years', 'NaN', '{NULL,178000000 years,-1 s}', -1, '-1 s', '-178000000 years');
SELECT pg_temp.change(:id, $$lease_until = '-infinity', attempts = 2147483647, max_attempts = -1, timeout = '-1 year', updated_at = 'infinity'$$);
SELECT goque_heal('times.heal');
SELECT status, attempts FROM t WHERE id = :id;
SELECT goque_retry(:id);
UPDATE goque.settings SET backoff = 'step' WHERE type = 'times.heal';
SELECT pg_temp.change(:id, $$max_attempts = 2147483647$$);
SELECT attempt FROM goque_fetch('times.heal', lease => '1 s');
SELECT pg_temp.change(:id, $$lease_until = '4713-01-01 BC', attempts = -2147483648$$);
SELECT goque_heal('times.heal');
SELECT status, next_attempt_at > '2000-01-01' AS sane FROM t WHERE id = :id;
SELECT goque_cancel(:id);
SELECT pg_temp.change(:id, $$finished_at = '294276-12-31'$$);
SELECT goque_clean('times.heal');
SELECT pg_temp.change(:id, $$finished_at = 'infinity'$$);
SELECT goque_clean('times.heal');
SELECT pg_temp.change(:id, $$finished_at = '-infinity'$$);
SELECT goque_clean('times.heal');
SELECT count(*) FROM goque.stats WHERE type LIKE 'times%';
SELECT count(*) FROM goque.task_types WHERE type LIKE 'times%';
SELECT count(*) > 0 AS judged FROM goque.health;
ROLLBACK;

-- ---- F12: late in a transaction ----

-- everything counts from the clock, not from the start of the transaction: each
-- moment lies between two looks at the clock, after now()
CREATE FUNCTION pg_temp.spend() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	WHILE clock_timestamp() <= now() + interval '20 ms' LOOP
	END LOOP;
	RETURN clock_timestamp();
END
$$;
BEGIN;
SELECT pg_temp.spend() AS before \gset
SELECT goque_add('times.late', '1', delay => '1 hour', expires_in => '2 hours') AS a \gset
SELECT goque_add('times.late', '2') AS b \gset
SELECT id, token, lease_until AS until FROM goque_fetch('times.late', lease => '10 min') \gset
SELECT clock_timestamp() AS after \gset
SELECT payload, created_at BETWEEN :'before' AND :'after' AS created, next_attempt_at - created_at AS delay, expires_at - created_at AS expires_in,
	started_at BETWEEN :'before' AND :'after' AS started, lease_until - started_at AS lease FROM t WHERE type = 'times.late';
SELECT :'until' BETWEEN :'before'::timestamptz + interval '10 min' AND :'after'::timestamptz + interval '10 min' AS until;
SELECT pg_temp.spend() AS before \gset
SELECT goque_heartbeat(:id, :token) AS until \gset
SELECT :'until' BETWEEN :'before'::timestamptz + interval '10 min' AND clock_timestamp() + interval '10 min' AS until;
SELECT pg_temp.spend() AS before \gset
SELECT goque_fail(:id, 'x', :token, '5 min');
SELECT updated_at BETWEEN :'before' AND clock_timestamp() AS updated, next_attempt_at - updated_at AS retry_in FROM t WHERE id = :id;
SELECT goque_retry(:id);
SELECT next_attempt_at BETWEEN :'before' AND clock_timestamp() AS ready FROM t WHERE id = :id;
SELECT token FROM goque_fetch('times.late') \gset
SELECT goque_release(:id, :token, '7 min');
SELECT next_attempt_at - updated_at AS delay, updated_at BETWEEN :'before' AND clock_timestamp() AS updated FROM t WHERE id = :id;
SELECT goque_cancel(:id);
SELECT finished_at BETWEEN :'before' AND clock_timestamp() AS finished FROM t WHERE id = :id;
-- a task whose time came while the transaction ran is ready in it
SELECT goque_add('times.soon', '1', delay => '1 microsecond') > 0 AS added;
SELECT goque_add('times.soon', '2', run_at => clock_timestamp()) > 0 AS added;
SELECT pg_temp.spend() > now() AS later;
SELECT payload FROM goque_fetch('times.soon', 10);
COMMIT;
