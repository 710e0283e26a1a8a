-- ordering_key: tasks of a type with one key run one at a time, in the order in
-- which they were added.  (F17, promise 10; races are in test/specs)
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'order%';
-- the line of a key, its head first; those that ended are last
CREATE FUNCTION pg_temp.line(which text, queue text DEFAULT 'order') RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat(r.payload #>> '{}', ' ', t.status), ', ' ORDER BY t.finished_at IS NULL DESC, r.place, r.id)
	FROM goque.ring r JOIN goque.tasks t USING (id) WHERE r.type = queue AND r.ordering_key = which
$$;
CREATE FUNCTION pg_temp.add(what text, which text, queue text DEFAULT 'order') RETURNS bigint
LANGUAGE sql AS $$ SELECT goque_add(queue, to_jsonb(what), ordering_key => which) $$;
CREATE FUNCTION pg_temp.fetch(n int DEFAULT 100, queue text DEFAULT 'order') RETURNS text
LANGUAGE sql AS $$ SELECT string_agg(payload #>> '{}', ' ') FROM goque_fetch(queue, n) $$;
CREATE FUNCTION pg_temp.id(what text, queue text DEFAULT 'order') RETURNS bigint
LANGUAGE sql AS $$ SELECT id FROM goque.tasks WHERE type = queue AND payload = to_jsonb(what) $$;

-- ---- one at a time ----

-- keys, types and tasks without a key do not see each other
SELECT pg_temp.add(what, which) > 0 AS added FROM unnest(
	'{a1,a2,b1,a3,b2,none}'::text[], '{a,a,b,a,b,NULL}'::text[]) u(what, which);
SELECT pg_temp.add('other', 'a', 'order.other') > 0 AS added;
SELECT pg_temp.line('a'), pg_temp.line('b'), pg_temp.line('a', 'order.other');
SELECT ready, scheduled, pending, oldest_ready IS NOT NULL AS oldest FROM goque.stats WHERE type = 'order';
SELECT pg_temp.fetch(), pg_temp.fetch(queue => 'order.other');
SELECT pg_temp.fetch();
SELECT goque_complete(pg_temp.id('a1'));
SELECT pg_temp.line('a'), pg_temp.line('b');
SELECT ready, scheduled, pending, processing, done FROM goque.stats WHERE type = 'order';
SELECT pg_temp.fetch();
SELECT goque_complete_many(ARRAY[pg_temp.id('b1'), pg_temp.id('a2'), pg_temp.id('none')]) > 0 AS done;
SELECT payload, ordering_key FROM goque_fetch('order', 10);
SELECT goque_complete_many(ARRAY[pg_temp.id('a3'), pg_temp.id('b2')]) > 0 AS done;
SELECT pg_temp.line('a'), pg_temp.line('b'), pg_temp.fetch();
-- nobody stands there: the next one need not wait
SELECT pg_temp.add('a4', 'a') > 0 AS added;
SELECT pg_temp.fetch(), goque_complete(pg_temp.id('a4'));

-- all of it in one transaction, as in a test of somebody's application
BEGIN;
SELECT pg_temp.add('t1', 't') > 0 AS added, pg_temp.add('t2', 't') > 0 AS added;
SELECT pg_temp.fetch(), pg_temp.line('t');
SELECT goque_complete(pg_temp.id('t1'));
SELECT pg_temp.fetch(), pg_temp.line('t');
SELECT goque_complete(pg_temp.id('t2'));
SELECT pg_temp.add('t3', 't') > 0 AS added;
SELECT pg_temp.fetch(), pg_temp.line('t');
ROLLBACK;
SELECT pg_temp.line('t');

-- priority is ignored within a key, and so is time: the head holds the others back
SELECT goque_add('order.time', '"late"', ordering_key => 'k', delay => '1 h', priority => 5) > 0 AS added,
	goque_add('order.time', '"early"', ordering_key => 'k', priority => -5) > 0 AS added,
	goque_add('order.time', '"third"', ordering_key => 'k', run_at => '2100-01-01 00:00+00') > 0 AS added;
SELECT pg_temp.fetch(queue => 'order.time');
SELECT payload, status, priority, next_attempt_at > now() + interval '59 min' AS later, next_attempt_at < 'infinity' AS finite
FROM t WHERE type = 'order.time' ORDER BY id;
SELECT goque_reschedule_many(ARRAY[pg_temp.id('late', 'order.time')], now()) > 0 AS moved;
SELECT pg_temp.fetch(queue => 'order.time');
SELECT goque_complete(pg_temp.id('late', 'order.time'));
-- pending ones are moved in time without starting
SELECT goque_reschedule_many(ARRAY[pg_temp.id('third', 'order.time')], '2100-01-02 00:00+00', 7) > 0 AS moved;
SELECT payload, status, priority, next_attempt_at = '2100-01-02 00:00+00' AS moved FROM t WHERE payload = '"third"';
SELECT pg_temp.fetch(queue => 'order.time');
SELECT goque_complete(pg_temp.id('early', 'order.time'));
SELECT payload, status, next_attempt_at = '2100-01-02 00:00+00' AS moved FROM t WHERE payload = '"third"';

-- ---- how a head ends ----

-- failed, released, healed: it stays the head until it has no attempts left
SELECT goque_add('order.fail', '"f1"', ordering_key => 'k', max_attempts => 2) > 0 AS added, goque_add('order.fail', '"f2"', ordering_key => 'k') > 0 AS added;
SELECT pg_temp.fetch(queue => 'order.fail');
SELECT goque_release(pg_temp.id('f1', 'order.fail'));
SELECT pg_temp.line('k', 'order.fail');
SELECT pg_temp.fetch(queue => 'order.fail');
SELECT goque_fail(pg_temp.id('f1', 'order.fail'), 'no', retry_in => '0');
SELECT pg_temp.line('k', 'order.fail');
SELECT pg_temp.fetch(queue => 'order.fail');
SELECT goque_fail(pg_temp.id('f1', 'order.fail'), 'no');
SELECT pg_temp.line('k', 'order.fail');
-- a dead letter that is retried goes last
SELECT pg_temp.add('f3', 'k', 'order.fail') > 0 AS added;
SELECT goque_retry(pg_temp.id('f1', 'order.fail'));
SELECT pg_temp.line('k', 'order.fail');
SELECT pg_temp.fetch(queue => 'order.fail'), goque_complete(pg_temp.id('f2', 'order.fail'));
SELECT pg_temp.fetch(queue => 'order.fail'), goque_complete(pg_temp.id('f3', 'order.fail'));
SELECT pg_temp.fetch(queue => 'order.fail'), goque_complete(pg_temp.id('f1', 'order.fail'));
-- ... alone in its line, at once; several in the order of their ids
SELECT goque_retry_many(ARRAY[pg_temp.id('f3', 'order.fail'), pg_temp.id('f1', 'order.fail')]) > 0 AS retried;
SELECT pg_temp.line('k', 'order.fail');
SELECT goque_retry(pg_temp.id('f3', 'order.fail')) AS a_pending_one;
-- retry of the head makes it ready now, and keeps its place
SELECT goque_reschedule_many(ARRAY[pg_temp.id('f1', 'order.fail')], now() + interval '1 h') > 0 AS moved;
SELECT pg_temp.fetch(queue => 'order.fail'), goque_retry(pg_temp.id('f1', 'order.fail'));
SELECT pg_temp.fetch(queue => 'order.fail'), pg_temp.line('k', 'order.fail');

-- healed
SELECT pg_temp.add(what, 'k', 'order.heal') > 0 AS added FROM unnest('{h1,h2,h3}'::text[]) what;
SELECT pg_temp.fetch(queue => 'order.heal');
BEGIN;
SELECT pg_temp.change(pg_temp.id('h1', 'order.heal'), 'lease_until = now() - interval ''1 s''');
SELECT goque_heal('order.heal');
SELECT pg_temp.line('k', 'order.heal');
SELECT pg_temp.change(pg_temp.id('h1', 'order.heal'), 'status = 3, attempts = 5, token = 1, lease_until = now() - interval ''1 s''');
SELECT goque_heal('order.heal');
COMMIT;
SELECT pg_temp.line('k', 'order.heal');
-- canceled: the head, and one that waits
SELECT goque_cancel(pg_temp.id('h2', 'order.heal'));
SELECT pg_temp.line('k', 'order.heal');
SELECT pg_temp.add(what, 'k', 'order.heal') > 0 AS added FROM unnest('{h4,h5}'::text[]) what;
SELECT goque_cancel(pg_temp.id('h4', 'order.heal'));
SELECT pg_temp.line('k', 'order.heal');
SELECT pg_temp.fetch(queue => 'order.heal'), goque_complete(pg_temp.id('h3', 'order.heal'));
SELECT pg_temp.line('k', 'order.heal');
SELECT goque_cancel_all('order.heal');
SELECT pg_temp.add(what, 'k', 'order.heal') > 0 AS added FROM unnest('{h6,h7,h8}'::text[]) what;
SELECT goque_cancel_all('order.heal', 'pending');
SELECT pg_temp.line('k', 'order.heal');
SELECT pg_temp.add(what, 'k', 'order.heal') > 0 AS added FROM unnest('{h9,h10}'::text[]) what;
SELECT goque_cancel_many(ARRAY[pg_temp.id('h9', 'order.heal'), pg_temp.id('h6', 'order.heal')]) > 0 AS canceled;
SELECT pg_temp.line('k', 'order.heal');
-- canceled while it is processed: the next one starts, as the holder is told to stop
SELECT pg_temp.add('h11', 'k', 'order.heal') > 0 AS added;
SELECT pg_temp.fetch(queue => 'order.heal'), goque_cancel(pg_temp.id('h10', 'order.heal')), goque_heartbeat(pg_temp.id('h10', 'order.heal')) IS NULL AS stop;
SELECT pg_temp.fetch(queue => 'order.heal');

-- expired: one that waits, then the head
SELECT goque_add('order.expire', '"e1"', ordering_key => 'k', expires_in => '1 h') > 0 AS added,
	goque_add('order.expire', '"e2"', ordering_key => 'k', expires_in => '1 h') > 0 AS added,
	goque_add('order.expire', '"e3"', ordering_key => 'k') > 0 AS added;
BEGIN;
SELECT pg_temp.change(pg_temp.id('e2', 'order.expire'), 'expires_at = now() - interval ''1 s''');
SELECT goque_heal();
SELECT pg_temp.line('k', 'order.expire');
SELECT pg_temp.change(pg_temp.id('e1', 'order.expire'), 'expires_at = now() - interval ''1 s''');
SELECT goque_heal();
SELECT pg_temp.line('k', 'order.expire');
COMMIT;

-- not kept: the rows go, the line moves on
SELECT goque_configure('order.gone', retention => '0', retention_failed => '0');
SELECT pg_temp.add(what, 'k', 'order.gone') > 0 AS added FROM unnest('{g1,g2,g3,g4}'::text[]) what;
SELECT pg_temp.fetch(queue => 'order.gone'), goque_complete(pg_temp.id('g1', 'order.gone'));
SELECT pg_temp.line('k', 'order.gone');
SELECT goque_cancel(pg_temp.id('g3', 'order.gone'));
SELECT pg_temp.line('k', 'order.gone');
SELECT pg_temp.fetch(queue => 'order.gone'), goque_fail(pg_temp.id('g2', 'order.gone'), 'no', retry => false);
SELECT pg_temp.line('k', 'order.gone');
SELECT pg_temp.fetch(queue => 'order.gone'), goque_complete(pg_temp.id('g4', 'order.gone'));
SELECT pg_temp.line('k', 'order.gone');
SELECT pg_temp.add('g5', 'k', 'order.gone') > 0 AS added, pg_temp.fetch(queue => 'order.gone');

-- ---- with external ids ----

SELECT goque_add('order.x', '"x1"', 'x1', ordering_key => 'k') > 0 AS added, goque_add('order.x', '"x2"', 'x2', ordering_key => 'k') > 0 AS added,
	goque_add('order.x', '"x3"', 'x3', ordering_key => 'k') > 0 AS added;
-- 'ignore' and 'skip' change no line
SELECT goque_add('order.x', '"no"', 'x2', ordering_key => 'other', on_conflict => 'ignore') = pg_temp.id('x2', 'order.x') AS same,
	goque_add('order.x', '"no"', 'x2', ordering_key => 'other', on_conflict => 'skip') IS NULL AS skipped;
SELECT pg_temp.line('k', 'order.x');
-- 'replace' with the same key keeps the place
SELECT goque_add('order.x', '"x2 again"', 'x2', ordering_key => 'k', run_at => '2100-01-01 00:00+00', on_conflict => 'replace') > 0 AS replaced;
SELECT pg_temp.line('k', 'order.x');
SELECT next_attempt_at = '2100-01-01 00:00+00' AS later FROM t WHERE external_id = 'x2';
-- with another it leaves the line, and goes last in the new one
SELECT goque_add('order.x', '"l1"', ordering_key => 'l') > 0 AS added;
SELECT goque_add('order.x', '"x2"', 'x2', ordering_key => 'l', on_conflict => 'replace') > 0 AS replaced;
SELECT pg_temp.line('k', 'order.x'), pg_temp.line('l', 'order.x');
-- the head too: the next one starts
SELECT goque_add('order.x', '"x1"', 'x1', ordering_key => 'l', on_conflict => 'replace') > 0 AS replaced;
SELECT pg_temp.line('k', 'order.x'), pg_temp.line('l', 'order.x');
-- out of any line: it need not wait; into an empty one: neither
SELECT goque_add('order.x', '"x2"', 'x2', on_conflict => 'replace') > 0 AS replaced;
SELECT goque_add('order.x', '"x1"', 'x1', ordering_key => 'm', on_conflict => 'replace') > 0 AS replaced;
SELECT status, ordering_key FROM t WHERE external_id IN ('x1', 'x2') ORDER BY external_id;
-- from none into a line
SELECT goque_add('order.x', '"x2"', 'x2', ordering_key => 'm', on_conflict => 'replace') > 0 AS replaced;
SELECT pg_temp.line('k', 'order.x'), pg_temp.line('l', 'order.x'), pg_temp.line('m', 'order.x');
-- in a batch, also one that it adds itself
SELECT count(*) FROM goque_add_many('order.x', '{"\"x1\"","\"x2\"","\"x3\"","\"x4\"","\"x4 again\"","\"y\""}', '{x1,x2,x3,x4,x4,NULL}',
	'{m,k,m,k,m,k}', on_conflict => 'replace');
SELECT pg_temp.line('k', 'order.x'), pg_temp.line('l', 'order.x'), pg_temp.line('m', 'order.x');
-- begun: not replaced, and stays where it is
SELECT pg_temp.fetch(queue => 'order.x');
SELECT goque_add('order.x', '"no"', 'x1', ordering_key => 'new', on_conflict => 'replace') = pg_temp.id('x1', 'order.x') AS same;
SELECT pg_temp.line('m', 'order.x'), pg_temp.line('new', 'order.x');

-- ---- many ----

SELECT count(*) FROM goque_add_many('order.many', (SELECT array_agg(to_jsonb(n) ORDER BY n) FROM generate_series(1, 3000) n),
	ordering_keys => (SELECT array_agg(CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END ORDER BY n) FROM generate_series(1, 3000) n));
SELECT ordering_key, status, count(*), min(payload::int) FROM t WHERE type = 'order.many' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*), count(*) FILTER (WHERE ordering_key IS NULL) AS without FROM goque_fetch('order.many', 3000);
SELECT goque_cancel_all('order.many', 'processing');
-- one after the other
DO $$
DECLARE
	task goque.task;
	last jsonb := '{"a": 3, "b": 1}';
BEGIN
	FOR i IN 1 .. 200 LOOP
		SELECT * INTO task FROM goque_fetch('order.many');
		ASSERT task.payload::int = (last ->> task.ordering_key)::int + 3, format('task %s of %s', task.payload, task.ordering_key);
		last := jsonb_set(last, ARRAY[task.ordering_key], task.payload);
		ASSERT goque_complete(task.id, task.token);
	END LOOP;
END $$;
SELECT status, count(*) FROM t WHERE type = 'order.many' GROUP BY 1 ORDER BY 1;

-- INSERT and COPY: an earlier row of the same statement is ahead
INSERT INTO goque.tasks (type, payload, ordering_key) VALUES ('order.insert', '"i1"', 'k'), ('order.insert', '"i2"', 'k'), ('order.insert', '"i3"', NULL);
COPY goque.tasks (type, payload, ordering_key) FROM STDIN;
order.insert	"c1"	k
order.insert	"c2"	l
order.insert	"c3"	l
\.
SELECT pg_temp.line('k', 'order.insert'), pg_temp.line('l', 'order.insert');

-- ---- rolled back (F7) ----

SELECT pg_temp.add(what, 'k', 'order.roll') > 0 AS added FROM unnest('{r1,r2,r3}'::text[]) what;
BEGIN;
SELECT pg_temp.fetch(queue => 'order.roll');
SAVEPOINT s;
SELECT goque_complete(pg_temp.id('r1', 'order.roll'));
SELECT pg_temp.line('k', 'order.roll');
SELECT pg_temp.fetch(queue => 'order.roll'), goque_complete(pg_temp.id('r2', 'order.roll'));
SELECT pg_temp.line('k', 'order.roll');
ROLLBACK TO s;
-- r2 is not the head
SELECT pg_temp.line('k', 'order.roll');
COMMIT;
SELECT pg_temp.line('k', 'order.roll');
-- what is settled in a subtransaction that is rolled back is settled again
BEGIN;
SELECT goque_complete(pg_temp.id('r1', 'order.roll'));
SAVEPOINT s;
SELECT goque_cancel(pg_temp.id('r2', 'order.roll'));
SELECT pg_temp.line('k', 'order.roll');
ROLLBACK TO s;
SELECT pg_temp.line('k', 'order.roll');
COMMIT;
SELECT pg_temp.line('k', 'order.roll');
DO $$ BEGIN
	PERFORM goque_cancel(pg_temp.id('r2', 'order.roll'));
	RAISE 'no';
EXCEPTION WHEN raise_exception THEN NULL;
END $$;
SELECT pg_temp.line('k', 'order.roll');
-- an add that is rolled back leaves no gap
BEGIN;
SELECT pg_temp.add('r4', 'k', 'order.roll') > 0 AS added;
ROLLBACK;
SELECT goque_cancel(pg_temp.id('r2', 'order.roll'));
SELECT pg_temp.line('k', 'order.roll');

-- ---- stored values and sizes ----

-- keys are compared byte by byte; empty ones and long ones are keys
SELECT goque_add('order.keys', ordering_key => k) > 0 AS added FROM unnest(ARRAY['', ' ', 'A', 'a', repeat('x', 1024)]) k;
SELECT status, count(*) FROM t WHERE type = 'order.keys' GROUP BY 1;
SELECT goque_add('order.keys', ordering_key => repeat('x', 1024)) > 0 AS added, goque_add('order.keys', ordering_key => '') > 0 AS added;
SELECT status, count(*) FROM t WHERE type = 'order.keys' GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM goque.key_locks;
