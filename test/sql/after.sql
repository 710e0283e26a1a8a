-- after: tasks that wait for others.  (F16, promise 10; races are in test/specs)
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'after%';
CREATE FUNCTION pg_temp.id(what text) RETURNS bigint
LANGUAGE sql AS $$ SELECT id FROM t WHERE payload = to_jsonb(what) $$;
CREATE FUNCTION pg_temp.add(what text, VARIADIC parents text[] DEFAULT '{}') RETURNS bigint
LANGUAGE sql AS $$
	SELECT goque_add('after.' || regexp_replace(what, '[0-9]+$', ''), to_jsonb(what), external_id => what,
		after => nullif(ARRAY(SELECT pg_temp.id(p) FROM unnest(parents) p), '{}'))
$$;
CREATE FUNCTION pg_temp.complete(what text) RETURNS boolean
LANGUAGE sql AS $$ SELECT goque_complete(id, token) FROM goque_fetch(
	(SELECT type FROM t WHERE payload = to_jsonb(what)), 1) WHERE payload = to_jsonb(what) $$;
-- tasks by name with their status, and whom they wait for
CREATE FUNCTION pg_temp.state(prefix text) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat(payload #>> '{}', ' ', status,
		(SELECT ' (' || string_agg(p.payload #>> '{}', ' ' ORDER BY p.id) || ')' FROM goque.dependencies d JOIN t p ON p.id = d.parent WHERE d.child = t.id)),
		', ' ORDER BY id)
	FROM t WHERE payload #>> '{}' LIKE prefix || '%'
$$;

-- ---- done ----

-- one parent, two, a chain
SELECT pg_temp.add('a1') > 0 AS added, pg_temp.add('a2') > 0 AS added;
SELECT pg_temp.add('a3', 'a1', 'a2') > 0 AS added;
SELECT pg_temp.add('a4', 'a3') > 0 AS added;
SELECT pg_temp.state('a');
SELECT ready, pending FROM goque.stats WHERE type = 'after.a';
SELECT payload, after = ARRAY[pg_temp.id('a1'), pg_temp.id('a2')] AS after FROM t WHERE payload = '"a3"';
SELECT count(*) FROM goque_fetch('after.a', 10);
SELECT goque_complete(pg_temp.id('a2')), goque_complete(pg_temp.id('a2'));
SELECT pg_temp.state('a');
SELECT goque_complete(pg_temp.id('a1'));
SELECT pg_temp.state('a');
SELECT pg_temp.complete('a3');
SELECT pg_temp.complete('a4');
SELECT pg_temp.state('a');
-- what a task waited for stays to be read
SELECT payload, array_length(after, 1) FROM t WHERE type = 'after.a' ORDER BY id;
SELECT count(*) FROM goque.dependencies;

-- of tasks that are done already it need not wait; the same one twice, an empty list: neither
SELECT pg_temp.add('a5', 'a1', 'a2') > 0 AS added;
SELECT goque_add('after.a', '"a6"', after => '{}') > 0 AS added;
SELECT goque_add('after.a', '"a7"', after => ARRAY[pg_temp.id('a6'), pg_temp.id('a6'), pg_temp.id('a1')]) > 0 AS added;
SELECT pg_temp.state('a');
-- time and priority are its own
SELECT goque_add('after.a', '"a8"', delay => '1 h', priority => 3, after => ARRAY[pg_temp.id('a6')]) > 0 AS added;
SELECT payload, status, priority, next_attempt_at > now() + interval '59 min' AS later FROM t WHERE payload = '"a8"';
SELECT count(*) FROM goque_fetch('after.a', 10);
SELECT goque_complete(pg_temp.id('a6'));
SELECT payload, status, priority, next_attempt_at > now() + interval '59 min' AS later FROM t WHERE payload = '"a8"';
SELECT pg_temp.state('a7');

-- all in one transaction
BEGIN;
SELECT pg_temp.add('t1') > 0 AS added;
SELECT pg_temp.add('t2', 't1') > 0 AS added;
SELECT pg_temp.add('t3', 't2') > 0 AS added;
SELECT pg_temp.complete('t1');
SELECT pg_temp.complete('t2');
SELECT pg_temp.state('t');
COMMIT;
SELECT pg_temp.state('t');

-- a failed attempt is no end, nor is a release
SELECT pg_temp.add('f1') > 0 AS added;
SELECT pg_temp.add('f2', 'f1') > 0 AS added;
SELECT goque_fail(id, 'no', retry_in => '0') FROM goque_fetch('after.f');
SELECT goque_release(id) FROM goque_fetch('after.f');
SELECT pg_temp.state('f');
SELECT pg_temp.complete('f1');
SELECT pg_temp.state('f');

-- ---- otherwise ----

-- canceled, with all that wait for it
SELECT pg_temp.add('c1') > 0 AS added, pg_temp.add('c2') > 0 AS added;
SELECT pg_temp.add('c3', 'c1', 'c2') > 0 AS added;
SELECT pg_temp.add('c4', 'c3') > 0 AS added, pg_temp.add('c5', 'c2') > 0 AS added;
SELECT goque_cancel(pg_temp.id('c1'));
SELECT pg_temp.state('c');
SELECT payload, replace(replace(error, pg_temp.id('c1')::text, 'C1'), pg_temp.id('c3')::text, 'C3') AS error, errors ~ '^attempt 0: task ' AS errors, attempts, finished_at IS NOT NULL AS finished
FROM t WHERE payload IN ('"c3"', '"c4"') ORDER BY id;
SELECT pending, canceled, total_canceled FROM goque.stats WHERE type = 'after.c';
SELECT pg_temp.complete('c2');
SELECT pg_temp.state('c');
SELECT count(*) FROM goque.dependencies;
-- out of attempts; healed; expired
SELECT goque_configure('after.d', max_attempts => 1);
SELECT pg_temp.add('d1') > 0 AS added, pg_temp.add('d2') > 0 AS added;
SELECT pg_temp.add('d3', 'd1') > 0 AS added, pg_temp.add('d4', 'd2') > 0 AS added;
SELECT goque_fail(id, 'no') FROM goque_fetch('after.d') WHERE payload = '"d1"';
SELECT count(*) FROM goque_fetch('after.d');
BEGIN;
SELECT pg_temp.change(pg_temp.id('d2'), 'lease_until = now() - interval ''1 s''');
SELECT goque_heal('after.d');
COMMIT;
SELECT pg_temp.state('d');
SELECT goque_add('after.e', '"e1"', expires_in => '1 h') > 0 AS added;
SELECT pg_temp.add('e2', 'e1') > 0 AS added;
SELECT goque_add('after.e', '"e3"', after => ARRAY[pg_temp.id('e2')], expires_in => '1 h') > 0 AS added;
SELECT goque_add('after.e', '"e4"') > 0 AS added;
SELECT goque_add('after.e', '"e5"', after => ARRAY[pg_temp.id('e4')], expires_in => '1 h') > 0 AS added;
BEGIN;
SELECT pg_temp.change(pg_temp.id('e1'), 'expires_at = now() - interval ''1 s'''), pg_temp.change(pg_temp.id('e5'), 'expires_at = now() - interval ''1 s''');
SELECT goque_heal();
COMMIT;
SELECT pg_temp.state('e');
-- had ended when the child was added: it is canceled at once
SELECT pg_temp.add('c6', 'c2', 'c1') > 0 AS added;
SELECT payload, status, replace(error, pg_temp.id('c1')::text, 'C1') AS error FROM t WHERE payload = '"c6"';
SELECT count(*) FROM goque.dependencies d JOIN t ON t.id = d.child WHERE t.payload <> '"e4"';
-- a child is canceled by itself: its parent goes on, its own children are canceled
SELECT pg_temp.add('g1') > 0 AS added;
SELECT pg_temp.add('g2', 'g1') > 0 AS added;
SELECT pg_temp.add('g3', 'g2') > 0 AS added;
SELECT goque_cancel(pg_temp.id('g2'));
SELECT pg_temp.state('g');
SELECT pg_temp.complete('g1');
SELECT pg_temp.state('g');
SELECT pg_temp.add('g4') > 0 AS added;
SELECT pg_temp.add('g5', 'g4') > 0 AS added, pg_temp.add('g6', 'g4') > 0 AS added, pg_temp.add('g7', 'g6') > 0 AS added;
SELECT count(*) FROM goque_cancel_many(ARRAY[pg_temp.id('g7'), pg_temp.id('g5'), pg_temp.id('g4')]);
SELECT pg_temp.state('g');
SELECT pg_temp.add('h1') > 0 AS added;
SELECT pg_temp.add('h2', 'h1') > 0 AS added, pg_temp.add('h3', 'h1') > 0 AS added;
SELECT goque_cancel_all('after.h', 'pending');
SELECT pg_temp.state('h');

-- ---- not kept ----

SELECT goque_configure('after.n', retention => '0', retention_failed => '0');
SELECT pg_temp.add('n1') AS n1, pg_temp.add('n2') AS n2 \gset
SELECT goque_add('after.kept', '"k1"', after => ARRAY[:n1]) > 0 AS added, goque_add('after.kept', '"k2"', after => ARRAY[:n2]) > 0 AS added,
	goque_add('after.n', '"n3"', after => ARRAY[:n2]) AS n3 \gset
SELECT goque_add('after.kept', '"k3"', after => ARRAY[:n3]) > 0 AS added;
SELECT goque_complete(:n1) FROM goque_fetch('after.n');
SELECT goque_cancel(:n2);
SELECT payload, status, error IS NOT NULL AS error FROM t WHERE type IN ('after.n', 'after.kept') ORDER BY id;
-- purged when it has ended
SELECT pg_temp.add('p1') > 0 AS added;
SELECT pg_temp.add('p2', 'p1') > 0 AS added;
SELECT pg_temp.complete('p1'), goque_purge(pg_temp.id('p1'));
SELECT pg_temp.state('p');

-- ---- retry ----

-- waits again for those that live; the others hold it back no more
SELECT goque_retry(pg_temp.id('c1'));
SELECT goque_retry(pg_temp.id('c3')), goque_retry(pg_temp.id('c4'));
SELECT pg_temp.state('c');
SELECT count(*) FROM goque_fetch('after.c', 10);
SELECT goque_complete(pg_temp.id('c1'));
SELECT pg_temp.state('c');
SELECT goque_retry(pg_temp.id('c6')), pg_temp.state('c6');
-- a parent that is retried leaves its canceled children where they are
SELECT goque_retry(pg_temp.id('d1')), pg_temp.state('d');
SELECT goque_retry_all('after.d', 'canceled'), goque_retry_all('after.g', 'canceled');
SELECT pg_temp.state('d'), pg_temp.state('g');

-- ---- many ----

-- a fan out and in
SELECT goque_add('after.fan', '"root"') AS root \gset
SELECT array_agg(f) AS children FROM goque_add_many('after.fan', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 500) n), after => ARRAY[:root]) f \gset
SELECT goque_add('after.fan', '"end"', after => :'children') AS "end" \gset
SELECT status, count(*) FROM t WHERE type = 'after.fan' GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM goque.dependencies WHERE parent = :root OR child = :end;
SELECT goque_complete(id, token) FROM goque_fetch('after.fan', 1000);
SELECT status, count(*) FROM t WHERE type = 'after.fan' GROUP BY 1 ORDER BY 1;
SELECT count(goque_complete(id, token)) FROM goque_fetch('after.fan', 499);
SELECT status FROM t WHERE id = :end;
SELECT payload = '"end"', goque_complete(id, token) FROM goque_fetch('after.fan');
SELECT status FROM t WHERE id = :end;
SELECT count(*) FROM goque.dependencies WHERE child = :end;

-- INSERT and COPY
INSERT INTO goque.tasks (type, payload, after) VALUES ('after.insert', '"i1"', ARRAY[:end]) RETURNING id > 0 AS added;
INSERT INTO goque.tasks (type, payload, after) SELECT 'after.insert', '"i2"', ARRAY[pg_temp.id('i1')];
SELECT pg_temp.state('i');

-- ---- with ordering keys ----

-- a head that waits for others holds its line; one that has its turn starts when both are so
SELECT goque_add('after.o', '"o1"') > 0 AS added;
SELECT goque_add('after.o', '"o2"', ordering_key => 'k', after => ARRAY[pg_temp.id('o1')]) > 0 AS added;
SELECT goque_add('after.o', '"o3"', ordering_key => 'k') > 0 AS added;
SELECT goque_add('after.o', '"o4"', ordering_key => 'k', after => ARRAY[pg_temp.id('o1')]) > 0 AS added;
SELECT pg_temp.state('o');
SELECT pg_temp.complete('o1');
SELECT pg_temp.state('o');
SELECT pg_temp.complete('o2');
SELECT pg_temp.complete('o3');
SELECT pg_temp.state('o');
-- the turn comes before the parent is done
SELECT goque_add('after.o', '"o5"') > 0 AS added;
SELECT goque_add('after.o', '"o6"', ordering_key => 'k', after => ARRAY[pg_temp.id('o5')]) > 0 AS added, goque_add('after.o', '"o7"', ordering_key => 'k') > 0 AS added;
SELECT goque_complete(id) FROM goque_fetch('after.o') WHERE payload = '"o4"';
SELECT pg_temp.state('o');
-- canceled in its line, by its parent: the next one starts
SELECT goque_cancel(pg_temp.id('o5'));
SELECT pg_temp.state('o');

-- ---- replace ----

SELECT pg_temp.add('r1') > 0 AS added, pg_temp.add('r2') > 0 AS added;
SELECT pg_temp.add('r3', 'r1') > 0 AS added;
-- others to wait for; none; those of a task that waited for nobody
SELECT goque_add('after.r', '"r3"', 'r3', after => ARRAY[pg_temp.id('r2')], on_conflict => 'replace') = pg_temp.id('r3') AS replaced;
SELECT pg_temp.state('r');
SELECT goque_add('after.r', '"r3"', 'r3', on_conflict => 'replace') = pg_temp.id('r3') AS replaced;
SELECT pg_temp.state('r'), after FROM t WHERE payload = '"r3"';
SELECT goque_add('after.r', '"r3"', 'r3', ordering_key => 'k', after => ARRAY[pg_temp.id('r1'), pg_temp.id('r2')], on_conflict => 'replace') = pg_temp.id('r3') AS replaced;
SELECT pg_temp.state('r'), ordering_key FROM t WHERE payload = '"r3"';
-- a younger one
SELECT pg_temp.add('r4') > 0 AS added;
SELECT goque_add('after.r', '"r3"', 'r3', ordering_key => 'k', after => ARRAY[pg_temp.id('r4')], on_conflict => 'replace') = pg_temp.id('r3') AS replaced;
SELECT goque_complete(id, token) FROM goque_fetch('after.r', 10);
SELECT pg_temp.state('r');
-- one that had ended otherwise
SELECT pg_temp.add('r5') > 0 AS added;
SELECT goque_add('after.r', '"r5"', 'r5', after => ARRAY[pg_temp.id('g2'), pg_temp.id('h2')], on_conflict => 'replace') = pg_temp.id('r5') AS replaced;
SELECT pg_temp.state('r5');

-- ---- rolled back (F7) ----

SELECT pg_temp.add('s1') > 0 AS added;
SELECT pg_temp.add('s2', 's1') > 0 AS added;
BEGIN;
SAVEPOINT a;
SELECT pg_temp.complete('s1');
SELECT pg_temp.state('s');
ROLLBACK TO a;
SELECT pg_temp.state('s');
SELECT pg_temp.complete('s1');
SAVEPOINT b;
SELECT goque_cancel(pg_temp.id('s2'));
ROLLBACK TO b;
COMMIT;
SELECT pg_temp.state('s');
BEGIN;
SELECT pg_temp.add('s3', 's2') > 0 AS added;
ROLLBACK;
SELECT pg_temp.complete('s2');
SELECT count(*) FROM goque.dependencies WHERE parent = pg_temp.id('s2');

-- those that start together run by their ids, whatever their ordering keys
SELECT pg_temp.add('z0') > 0 AS added;
SELECT goque_add('after.z', to_jsonb('z' || n), ordering_key => k, after => ARRAY[pg_temp.id('z0')]) > 0 AS added
FROM unnest(ARRAY['y', NULL, 'x', 'w', NULL]) WITH ORDINALITY AS f (k, n) ORDER BY n;
SELECT pg_temp.complete('z0');
SELECT payload FROM goque_fetch('after.z', 10);

-- ---- refused ----

\pset format unaligned
\pset tuples_only on
-- error table: after names a task that does not exist; it closes a cycle
SELECT pg_temp.refused($$SELECT goque_add('after.x', after => '{9000000000000000000}')$$);
SELECT pg_temp.refused($$SELECT goque_add('after.x', after => '{-1}')$$);
SELECT pg_temp.refused(format($$SELECT goque_add_many('after.x', '{1,2}', after => '{%s,0}')$$, pg_temp.id('r4')));
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, after) VALUES ('after.x', '{9000000000000000000}')$$);
SELECT pg_temp.refused($$SELECT goque_add('after.x', after => '{1,NULL}')$$);
SELECT pg_temp.refused($$SELECT goque_add('after.x', after => '{{1},{2}}')$$);
SELECT pg_temp.refused(format($$SELECT goque_add('after.x', after => ARRAY[%s])$$, :n1)) ~ '^23503' AS not_kept;
SELECT pg_temp.add('y1') AS y1, pg_temp.add('y2', 'y1') AS y2, pg_temp.add('y3', 'y2') AS y3 \gset
SELECT replace(replace(replace(pg_temp.refused(format($$SELECT goque_add('after.y', '1', 'y1', after => ARRAY[%s], on_conflict => 'replace')$$, p)),
	:y1::text, 'Y1'), :y2::text, 'Y2'), :y3::text, 'Y3') FROM unnest(ARRAY[:y1, :y2, :y3]) p;
-- in a batch
SELECT replace(pg_temp.refused(format($$SELECT goque_add_many('after.y', '{1,2}', '{y3,y1}', after => ARRAY[%s], on_conflict => 'replace')$$, :y2)), :y2::text, 'Y2') ~ 'closes a cycle' AS refused;
SELECT pg_temp.state('y');
