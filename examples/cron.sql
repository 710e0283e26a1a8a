-- cron.sql: recurring tasks from an outside clock (cron, a systemd timer, a
-- Kubernetes CronJob), on as many machines as you like. The server's own clock needs
-- none of them: see nightly_roll_up.sql.
--
--   */5 * * * *  psql -qX -d shop -f cron.sql
--
-- The external id names the occurrence, so that only the first of several clocks
-- adds it.  It stays taken while the task is kept (retention, 3 hours by default),
-- which must be longer than the clocks are apart.
\set ON_ERROR_STOP on

SELECT goque_add('refresh_prices',
	external_id => to_char(date_bin('5 min', now(), timestamptz '2000-01-01'), 'YYYY-MM-DD HH24:MI'),
	on_conflict => 'skip', expires_in => '5 min');

-- Never two at a time: while the last one is not finished, none is added.
SELECT goque_add('vacuum_cache', external_id => 'singleton', on_conflict => 'skip', unique_while => 'live');
