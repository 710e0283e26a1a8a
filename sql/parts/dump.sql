-- What pg_dump keeps: tasks, what they wait for, settings, schedules, processors, and
-- the sequences that number them.
--
-- Not goque.key_locks, which is always empty, nor goque.fetch_log, whose times
-- mean nothing elsewhere, nor goque.emptied_seq: it holds a
-- transaction id, which means nothing on another server, nor goque.quarantine_seq,
-- which knows what this server's tables held, and not
-- goque.installation_seq, which tells a copy from the original. (pg_upgrade carries
-- all of them over, with the transaction ids.)

SELECT pg_catalog.pg_extension_config_dump('goque.settings', '');
SELECT pg_catalog.pg_extension_config_dump('goque.schedule_settings', '');
SELECT pg_catalog.pg_extension_config_dump('goque.dependencies', '');
SELECT pg_catalog.pg_extension_config_dump('goque.handlers', '');
SELECT pg_catalog.pg_extension_config_dump('goque.task_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('goque.generation_seq', '');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_0', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_1', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_2', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_3', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_4', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_5', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_6', 'WHERE goque.snapshot_guard()');
SELECT pg_catalog.pg_extension_config_dump('goque.tasks_7', 'WHERE goque.snapshot_guard()');

-- Last: this database has goque now.
SELECT goque.announce();
