-- goque_guard: what it takes, what it holds, and heartbeats meanwhile.  (Races: the spec
-- guarded_task; errors: the test errors.)
\set VERBOSITY terse


SELECT goque_add('guard.sql') AS id \gset
SELECT token FROM goque_fetch('guard.sql', lease => '1 hour') \gset

-- outside of a transaction block it only asks
SELECT goque_guard(:id, :token);
SELECT goque_guard(id => :id, token => 0);
SELECT goque_heartbeat(:id, :token, '1 hour', '{"page": 1}') IS NOT NULL AS held;

-- guard, work, complete
BEGIN;
SELECT goque_guard(:id, :token);
SELECT goque_guard(:id, :token);
SELECT goque_complete(:id, :token);
SELECT goque_guard(:id, :token + 1) IS NULL;
ROLLBACK;
SELECT status FROM goque.tasks WHERE id = :id;

-- one's own heartbeat, with progress, is a change like any other
BEGIN;
SELECT goque_guard(:id, :token);
SELECT goque_heartbeat(:id, :token, '2 hours', '{"page": 2}') > now() + interval '119 min' AS extended;
SELECT goque_guard(:id, :token);
COMMIT;
SELECT progress, lease_until > now() + interval '119 min' AS extended FROM goque.tasks WHERE id = :id;

-- ... also where a subtransaction's change was rolled back beside the lock; and others
-- still do not wait
BEGIN;
SELECT goque_guard(:id, :token);
SAVEPOINT s;
SELECT goque_complete(:id, :token);
ROLLBACK TO s;
SELECT goque_heartbeat(:id, :token, '2 hours', '{"page": 4}') IS NOT NULL AS held;
ROLLBACK TO s;
PREPARE TRANSACTION 'guard.sql';
SELECT goque_heartbeat(:id, :token) IS NOT NULL AS held;
COMMIT PREPARED 'guard.sql';

-- fetched in the same transaction
BEGIN;
SELECT goque_add('guard.sql') AS id2 \gset
SELECT token AS token2 FROM goque_fetch('guard.sql') \gset
SELECT goque_guard(:id2, :token2);
SELECT goque_complete(:id2, :token2);
COMMIT;

-- all isolation levels
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT goque_guard(:id, :token);
COMMIT;

-- a heartbeat from another session, which a prepared transaction's lock stands for, is
-- not waited for; the row stays, progress is not saved, the lease is never shortened so
BEGIN;
SELECT goque_guard(:id, :token);
PREPARE TRANSACTION 'guard.sql';
SELECT goque_heartbeat(:id, :token, '3 hours') > now() + interval '179 min' AS extended;
\pset format unaligned
SELECT regexp_replace(goque_heartbeat(:id, :token, '1 s', '{"page": 3}')::text, '.+', 'extended');
\pset format aligned
SELECT goque_heartbeat(:id, :token, '1 s') > now() + interval '179 min' AS extended;
SELECT count(*) FROM goque_heartbeat_many(ARRAY[:id], ARRAY[:token]);
SELECT progress, lease_until > now() + interval '179 min' AS extended FROM goque.tasks WHERE id = :id;
SELECT lease_until > now() + interval '179 min' AS extended FROM goque.leases() WHERE id = :id;
SET lock_timeout = '10 ms';
SELECT goque_complete(:id, :token);
SELECT goque_cancel(:id);
RESET lock_timeout;
SELECT goque_heal('guard.sql');
ROLLBACK PREPARED 'guard.sql';
SELECT goque_complete(:id, :token);
SELECT count(*) FROM goque.leases() WHERE id = :id;
