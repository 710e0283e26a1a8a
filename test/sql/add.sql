-- Adding tasks: goque_add and goque_add_many.
--
-- The types of a test begin with its name, so that the tests do not meet.

-- a task as it is born, with every default
SELECT goque_add('add') AS id \gset
\x
SELECT type, external_id, payload, status, attempts, max_attempts, priority, error, errors, result,
	progress, metadata, ordering_key, after, timeout, worker, started_at, expires_at, lease_until,
	finished_at
FROM goque.tasks WHERE id = :id;
SELECT created_at = updated_at AS updated, created_at = next_attempt_at AS ready_at_once,
	created_at BETWEEN now() - interval '10 min' AND now() AS of_now
FROM goque.tasks WHERE id = :id;

-- and with every option
SELECT goque_add('add', '{"n": 1}', 'ext 1', -5, max_attempts => 3, timeout => '90 s',
	delay => '1 day', metadata => '{"trace": "x"}', expires_in => '2 days') AS id \gset
SELECT type, external_id, payload, status, attempts, max_attempts, priority, metadata, timeout,
	next_attempt_at - created_at AS delay, expires_at - created_at AS expires_in
FROM goque.tasks WHERE id = :id;
\x

-- NULL for what has a default is the default; named notation in any order
SELECT goque_add('add.null', '7', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) > 0 AS added;
SELECT goque_add(priority => 5, payload => '8', type => 'add.null') > 0 AS added;
SELECT payload, external_id, priority, max_attempts, timeout, metadata, expires_at
FROM goque.tasks WHERE type = 'add.null' ORDER BY id;

-- limits that are still allowed
SELECT goque_add(repeat('t', 128), external_id => repeat('e', 1024), priority => -32768, max_attempts => 1) > 0 AS added;
SELECT goque_add(repeat('t', 128), external_id => '', priority => 32767, max_attempts => 2147483647) > 0 AS added;
SELECT octet_length(type) AS type, octet_length(external_id) AS external_id, priority, max_attempts
FROM goque.tasks WHERE type LIKE 'ttt%' ORDER BY id;

-- run_at in the past: ready at once, and first; delay 0 is now
SELECT goque_add('add.run_at', '"now"') > 0 AS added;
SELECT goque_add('add.run_at', '"past"', run_at => '2001-02-03 04:05:06+00') > 0 AS added;
SELECT goque_add('add.run_at', '"later"', run_at => now() + interval '1 day') > 0 AS added;
SELECT goque_add('add.run_at', '"zero"', delay => '0') > 0 AS added;
SELECT payload, status, next_attempt_at <= clock_timestamp() AS ready, next_attempt_at = '2001-02-03 04:05:06+00' AS given
FROM goque.tasks WHERE type = 'add.run_at' ORDER BY id;
SELECT payload FROM goque_fetch('add.run_at', 10);

-- ids rise
SELECT goque_add('add.ids') < goque_add('add.ids') AS rising;

-- not there after a rollback, and not there for others before the commit
BEGIN;
SELECT goque_add('add.rollback') > 0 AS added;
SELECT count(*) FROM goque.tasks WHERE type = 'add.rollback';
ROLLBACK;
SELECT count(*) FROM goque.tasks WHERE type = 'add.rollback';
SELECT count(*) FROM goque_fetch('add.rollback', 10);

-- the outbox: in one transaction with a row of the application
CREATE TEMP TABLE orders (id int PRIMARY KEY, task bigint);
BEGIN;
INSERT INTO orders SELECT n, goque_add('add.outbox', jsonb_build_object('order', n)) FROM generate_series(1, 3) n;
COMMIT;
SELECT o.id, t.payload, t.status FROM orders o JOIN goque.tasks t ON t.id = o.task ORDER BY o.id;

-- max_attempts and timeout come from the type's settings; timeout stays there
SELECT goque_configure('add.configured', max_attempts => 9, timeout => '5 min');
SELECT goque_add('add.configured') AS id \gset
SELECT max_attempts, timeout FROM goque.tasks WHERE id = :id;
SELECT goque_add('add.configured', max_attempts => 2, timeout => '6 min') AS id \gset
SELECT max_attempts, timeout FROM goque.tasks WHERE id = :id;

-- ---- goque_add_many ----

-- ids in the order of the payloads, options for all of them
CREATE TEMP TABLE added AS
SELECT id, n FROM goque_add_many('add.many', ARRAY['{"n": 1}', '{"n": 2}', '{"n": 3}']::jsonb[],
	external_ids => ARRAY['a', NULL, 'c'], priority => 7, max_attempts => 2, timeout => '1 min',
	delay => '1 hour', metadata => '[]', expires_in => '1 day') WITH ORDINALITY a(id, n);
SELECT a.n, t.payload, t.external_id, t.priority, t.max_attempts, t.timeout, t.metadata,
	t.next_attempt_at - t.created_at AS delay, t.expires_at - t.created_at AS expires_in, t.status
FROM added a JOIN goque.tasks t USING (id) ORDER BY a.n;
DROP TABLE added;

-- nothing to add; nulls for everything that has a default
SELECT count(*) FROM goque_add_many('add.none', '{}');
SELECT count(*) FROM goque_add_many('add.none', '{}', '{}');
SELECT count(*) FROM goque_add_many('add.many.null', ARRAY['1', '2']::jsonb[], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT type, count(*) FROM goque.tasks WHERE type IN ('add.none', 'add.many.null') GROUP BY type;

-- more than one batch of rows, small and large ones, in order
CREATE TEMP TABLE added AS
SELECT id, n FROM goque_add_many('add.large', ARRAY(SELECT jsonb_build_object('n', n, 'fill',
	CASE WHEN n % 100 = 0 THEN repeat(md5(n::text), 2000) END) FROM generate_series(1, 2500) n)) WITH ORDINALITY a(id, n);
SELECT count(*), count(DISTINCT a.id), bool_and((t.payload ->> 'n')::bigint = a.n) AS in_order,
	max(octet_length(t.payload ->> 'fill')) AS fill
FROM added a JOIN goque.tasks t USING (id);
SELECT ready, total_added FROM goque.stats WHERE type = 'add.large';
DROP TABLE added;

-- a lower bound of 0, as a driver may send it
SELECT count(*) FROM goque_add_many('add.bounds', '[0:1]={"1","2"}', '[5:6]={a,b}');
SELECT payload, external_id FROM goque.tasks WHERE type = 'add.bounds' ORDER BY id;

-- all or nothing: the second external_id clashes
SELECT goque_add('add.all', external_id => 'taken') > 0 AS added;
\set VERBOSITY sqlstate
SELECT goque_add_many('add.all', ARRAY['1', '2']::jsonb[], ARRAY['free', 'taken']);
SELECT goque_add_many('add.all', ARRAY['1', NULL]::jsonb[]);
\set VERBOSITY default
SELECT count(*) FROM goque.tasks WHERE type = 'add.all';

-- the numbers follow
SELECT ready, scheduled, total_added FROM goque.stats WHERE type = 'add.many';
SELECT ready, scheduled, total_added FROM goque.stats WHERE type = 'add.all';
SELECT count(*) FROM goque.stats WHERE type = 'add.none';
