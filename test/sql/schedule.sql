-- Schedules: goque_schedule and its kin, goque_next_runs, goque.schedules.
-- That they run in time, and once, is tested in t/016_schedules.pl.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
SET TimeZone = 'UTC';

-- ---- setting ----

SELECT goque_schedule('schedule.plain', '0 0 1 1 *', 'schedule');
\x
SELECT name, schedule, timezone, type, next_run_at = date_trunc('year', now()) + interval '1 year' AS next_year, last_run_at, last_task, last_status,
	paused, copied, error, catch_up, overlap, run_on_start, priority
FROM goque.schedules WHERE name = 'schedule.plain';
-- everything; the same name replaces
SELECT goque_schedule('schedule.plain', '@yearly', 'schedule.other', '{"a": 1}', 'Asia/Tokyo', true, 'all', false, -7);
SELECT name, schedule, timezone, type, next_run_at = date_trunc('year', now() AT TIME ZONE 'Asia/Tokyo' + interval '1 year') AT TIME ZONE 'Asia/Tokyo' AS next_year,
	last_run_at <= now() AS has_run, last_status, paused, copied, error, catch_up, overlap, run_on_start, priority
FROM goque.schedules WHERE name = 'schedule.plain';
\x
-- run_on_start adds when a schedule is set or changed, not when it is set again
SELECT type, payload, priority, external_id, metadata->>'schedule' AS schedule, (metadata->>'occurrence')::timestamptz <= now() AS occurrence FROM goque.tasks WHERE type = 'schedule.other';
SELECT goque_schedule('schedule.plain', '@yearly', 'schedule.other', '{"a": 1}', 'Asia/Tokyo', true, 'all', false, -7);
SELECT count(*) FROM goque.tasks WHERE type = 'schedule.other';
SELECT goque_schedule('schedule.plain', '@yearly', 'schedule.other', '{"a": 2}', 'Asia/Tokyo', true, 'all', false, -7);
SELECT payload FROM goque.tasks WHERE type = 'schedule.other' ORDER BY id;
-- nulls mean the defaults
SELECT goque_schedule('schedule.null', '@yearly', 'schedule', '{}', NULL, NULL, NULL, NULL, NULL);
SELECT timezone, catch_up, overlap, run_on_start, priority FROM goque.schedules WHERE name = 'schedule.null';
-- the same times go on: @every does not begin anew
SELECT goque_schedule('schedule.every', '@every 1 week', 'schedule');
SELECT next_run_at AS first FROM goque.schedules WHERE name = 'schedule.every' \gset
SELECT goque_schedule('schedule.every', '@every 1 week', 'schedule', '{"changed": true}');
SELECT next_run_at = :'first' AS same, next_run_at = date_trunc('second', next_run_at) AS whole FROM goque.schedules WHERE name = 'schedule.every';
SELECT goque_schedule('schedule.every', '@every 2 weeks', 'schedule');
SELECT next_run_at > :'first' AS later FROM goque.schedules WHERE name = 'schedule.every';
-- nothing of a call that is rolled back
BEGIN;
SELECT goque_schedule('schedule.rolled_back', '@yearly', 'schedule', run_on_start => true);
ROLLBACK;
SELECT count(*) FROM goque.schedules WHERE name = 'schedule.rolled_back';

-- ---- pause, resume, run now, remove ----

SELECT goque_pause_schedule('schedule.plain'), goque_pause_schedule('schedule.plain') AS again, goque_pause_schedule('schedule.nothing') AS nothing;
SELECT paused, next_run_at FROM goque.schedules WHERE name = 'schedule.plain';
-- it stays so when it is set again, and runs when told to
SELECT goque_schedule('schedule.plain', '@monthly', 'schedule', run_on_start => true);
SELECT paused, schedule, type FROM goque.schedules WHERE name = 'schedule.plain';
SELECT goque_run_schedule('schedule.plain') AS id \gset
SELECT id = :id AS it, metadata->>'schedule' AS schedule, status FROM goque.tasks WHERE type = 'schedule';
SELECT last_task = :id AS last, last_status FROM goque.schedules WHERE name = 'schedule.plain';
SELECT count(goque_cancel(id)) FROM goque.tasks WHERE id = :id;
SELECT last_status FROM goque.schedules WHERE name = 'schedule.plain';
SELECT goque_run_schedule('schedule.nothing');
SELECT goque_resume_schedule('schedule.plain'), goque_resume_schedule('schedule.plain') AS again, goque_resume_schedule('schedule.nothing') AS nothing;
SELECT paused, next_run_at > now() AS next FROM goque.schedules WHERE name = 'schedule.plain';
SELECT goque_unschedule('schedule.plain'), goque_unschedule('schedule.plain') AS again;
SELECT count(*) FROM goque.schedules WHERE name = 'schedule.plain';
SELECT count(*) FROM goque.tasks WHERE id = :id;

-- ---- goque_next_runs ----

SELECT count(*), bool_and(r > now()), bool_and(r = date_trunc('hour', r)) FROM goque_next_runs('@hourly') r;
SELECT count(*), bool_and(extract(hour FROM r AT TIME ZONE 'Asia/Tokyo') = 2) FROM goque_next_runs('30 2 * * *', 'Asia/Tokyo', 10) r;
SELECT count(*), bool_and(extract(day FROM r + interval '1 day') = 1), bool_and(extract(second FROM r) = 30) FROM goque_next_runs('30 59 23 L * ?', n => 12) r;
SELECT count(*), bool_and(extract(isodow FROM r) = 5), bool_and(extract(day FROM r) BETWEEN 8 AND 14) FROM goque_next_runs('0 0 * * fri#2', n => 12) r;
SELECT array_agg(r - lag) FROM (SELECT r, lag(r) OVER (ORDER BY r) FROM goque_next_runs('@every 1h30m', n => 3) r) t;
SELECT count(*) FROM goque_next_runs('0 0 29 2 *', n => 30);
-- never
SELECT count(*) FROM goque_next_runs('0 0 30 2 *');
SELECT count(*) FROM goque_next_runs(NULL);

-- ---- refusals ----

\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused(c) FROM unnest(ARRAY[
	$$SELECT goque_schedule(NULL, '@daily', 'schedule')$$,
	$$SELECT goque_schedule('', '@daily', 'schedule')$$,
	$$SELECT goque_schedule(repeat('n', 129), '@daily', 'schedule')$$,
	$$SELECT goque_schedule('s', NULL, 'schedule')$$,
	$$SELECT goque_schedule('s', '@daily', NULL)$$,
	$$SELECT goque_schedule('s', '@daily', 'schedule', NULL)$$,
	$$SELECT goque_schedule('s', '@daily', '')$$,
	$$SELECT goque_schedule('s', '@daily', 'schedule', timezone => 'Mars/Olympus')$$,
	$$SELECT goque_schedule('s', '@daily', 'schedule', catch_up => 'some')$$,
	$$SELECT goque_schedule('s', '@daily', 'schedule', priority => 32768)$$,
	$$SELECT goque_schedule('s', '@daily', 'schedule', to_jsonb(repeat('p', 1048577)))$$,
	$$SELECT goque_schedule('s', '0 0 30 2 *', 'schedule')$$,
	$$SELECT goque_unschedule(NULL)$$,
	$$SELECT goque_run_schedule(NULL)$$,
	$$SELECT goque_pause_schedule('')$$,
	$$SELECT goque_resume_schedule(NULL)$$,
	$$SELECT goque_next_runs('@daily', n => 0)$$,
	$$SELECT goque_next_runs('@daily', n => 10001)$$,
	$$SELECT goque_next_runs('@daily', 'x'';DROP')$$]) WITH ORDINALITY AS t(c, n) ORDER BY n;
-- malformed: the place, and what is wrong there
SELECT rpad(c, 24) || split_part(split_part(pg_temp.refused(format('SELECT goque_next_runs(%L)', c)), E'\n', 2), '", ', 2) FROM unnest(ARRAY[
	'', '* * * *', '* * * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 13 *', '* * * * 8', '60 * * * * *',
	'99999999999 * * * *', '5-1 * * * *', '* * * * fri-mon', '*/0 * * * *', '*/60 * * * *', '5/ * * * *', '1,,2 * * * *', '1- * * * *',
	'* * * foo *', '* * * * monday', 'a * * * *', '* L * * *', '* ? * * *', '* * * * 1#6', '* * * * 1#', '* * L-1 * *', '-1 * * * *', '*5 * * * *',
	'@', '@reboot', '@daily x', '@every', '@every x', '@every 0 s', '@every 5', '@every 1 mon', '@every 101 years', '@every 5300 w', '@every 1:60',
	E'* * * * \u00fc', E'%s %n * * *', '  61 * * * *']) WITH ORDINALITY AS t(c, n) ORDER BY n;
-- a long one is cut
SELECT pg_temp.refused(format('SELECT goque_next_runs(%L)', repeat('1,', 100) || 'x * * * *')) ~ 'at position 201' AS place;
\pset format aligned
\pset tuples_only off
-- what is taken
SELECT c, (SELECT count(*) FROM goque_next_runs(c, n => 3)) FROM unnest(ARRAY['* * * * *', E'\t 0-59/59  0\n* jan-DEC SUN ', '0 0 ? * 7', '0 0 L,15 * *', '0 0 * * 5L,1#1', '0 0 * * friL',
	'0 0 * * sat-sun', '0 0 * * 5-7', '5/15 * * * *', '00 07 * * *', '@MONTHLY', '@Hourly', '@every 90 minutes', '@every 1 day 02:03', '@every 01:30:00', '@every 2w3d4h5m6s']) WITH ORDINALITY AS t(c, n) ORDER BY n;

-- names, types and zones are only data (A6)
SELECT goque_schedule(E'schedule.it''s "%s"; DROP TABLE x --\n\\', '@yearly', E'schedule''; %n', '{}', run_on_start => true);
SELECT external_id, metadata->>'schedule' = E'schedule.it''s "%s"; DROP TABLE x --\n\\' AS same FROM goque.tasks WHERE type = E'schedule''; %n';
SELECT goque_run_schedule(E'schedule.it''s "%s"; DROP TABLE x --\n\\') > 0 AS ran, goque_unschedule(E'schedule.it''s "%s"; DROP TABLE x --\n\\');

-- what the server does not know any more
SELECT goque_schedule('schedule.zone', '@daily', 'schedule'), goque_pause_schedule('schedule.zone') \g /dev/null
UPDATE goque.schedule_settings SET timezone = 'Mars/Olympus' WHERE name = 'schedule.zone';
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused($$SELECT goque_resume_schedule('schedule.zone')$$);
UPDATE goque.schedule_settings SET timezone = 'UTC', schedule = '* * * * *x' WHERE name = 'schedule.zone';
SELECT pg_temp.refused($$SELECT goque_resume_schedule('schedule.zone')$$);
\pset format aligned
\pset tuples_only off
SELECT goque_schedule('schedule.zone', '@daily', 'schedule'), goque_resume_schedule('schedule.zone');

-- ---- who may ----

CREATE ROLE regress_schedule_execute;
GRANT USAGE ON SCHEMA goque, public TO regress_schedule_execute;
GRANT EXECUTE ON FUNCTION goque_schedule(text, text, text, jsonb, text, boolean, text, boolean, int) TO regress_schedule_execute;
GRANT EXECUTE ON FUNCTION goque.may_add() TO regress_schedule_execute;
SET ROLE regress_schedule_execute;
SELECT goque_schedule('s', '@daily', 'schedule');
RESET ROLE;
SELECT goque_grant('regress_schedule_execute', 'admin');
SET ROLE regress_schedule_execute;
SELECT goque_schedule('schedule.admin', '@yearly', 'schedule');
SELECT name FROM goque.schedules WHERE name = 'schedule.admin';
SELECT * FROM goque.schedule_settings;
RESET ROLE;
DROP OWNED BY regress_schedule_execute;
DROP ROLE regress_schedule_execute;

SELECT goque_unschedule(name) FROM goque.schedules WHERE name LIKE 'schedule.%';
