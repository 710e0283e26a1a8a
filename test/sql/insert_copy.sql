-- INSERT and COPY into goque.tasks.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all

CREATE TEMP VIEW t AS SELECT * FROM goque.tasks WHERE type LIKE 'insert%';

-- the least: a type; payload has its default
INSERT INTO goque.tasks (type) VALUES ('insert');
INSERT INTO goque.tasks (type, payload) VALUES ('insert', '{"n": 1}'), ('insert', DEFAULT);
-- all that can be set
INSERT INTO goque.tasks (type, payload, external_id, priority, max_attempts, timeout, metadata, next_attempt_at, expires_at)
VALUES ('insert', '{"n": 2}', 'ext', -3, 9, '1 min', '{"m": 1}', '2100-01-01', '2101-01-01');
-- nulls are defaults here too
INSERT INTO goque.tasks (type, payload, external_id, priority, max_attempts, timeout, metadata, ordering_key, after, next_attempt_at, expires_at)
VALUES ('insert', '{"n": 3}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT payload, status, attempts, external_id, priority, max_attempts, timeout, metadata, next_attempt_at > now() AS later, expires_at = '2101-01-01' AS expires,
	created_at = updated_at AND created_at IS NOT NULL AS created
FROM t ORDER BY id;
SELECT payload, max_attempts FROM goque_fetch('insert', 10);
SELECT ready, scheduled, total_added FROM goque.stats WHERE type = 'insert';

-- from a query; ids come back; the type's settings apply
SELECT goque_configure('insert.select', max_attempts => 2);
WITH i AS (INSERT INTO goque.tasks (type, payload) SELECT 'insert.select', to_jsonb(n) FROM generate_series(1, 5) n RETURNING id, type, payload)
SELECT count(DISTINCT id), min(id) > 0 AS ids, type, array_agg(payload) FROM i GROUP BY type;
SELECT payload, max_attempts FROM t WHERE type = 'insert.select' ORDER BY id;

-- COPY, in text and csv, with every column that can be set
COPY goque.tasks (type, payload) FROM STDIN;
insert.copy	{"n": 1}
insert.copy	{"text": "tab\\t, quote\\", newline\\n"}
\.
COPY goque.tasks (type, payload, external_id, priority, next_attempt_at, metadata) FROM STDIN (FORMAT csv);
insert.copy,"{""n"": 3}",a,-1,2001-01-01,[]
insert.copy,"{""n"": 4}",,,,
\.
COPY goque.tasks (type) FROM STDIN;
insert.copy
\.
SELECT payload, external_id, priority, metadata, next_attempt_at = '2001-01-01' AS given FROM t WHERE type = 'insert.copy' ORDER BY id;
SELECT payload FROM goque_fetch('insert.copy');
SELECT total_added FROM goque.stats WHERE type = 'insert.copy';
-- COPY of the view TO a file is PostgreSQL's to refuse, of a query it works
COPY (SELECT payload, status FROM t WHERE type = 'insert.copy' ORDER BY id) TO STDOUT;

-- prepared, and with a cast that a driver sends
PREPARE i AS INSERT INTO goque.tasks (type, payload, priority) VALUES ($1, $2, $3);
SELECT name, parameter_types FROM pg_prepared_statements WHERE name = 'i';
EXECUTE i ('insert.prepared', '{"n": 1}', 4);
SELECT payload, priority FROM t WHERE type = 'insert.prepared';

-- rolled back, to a savepoint too
BEGIN;
INSERT INTO goque.tasks (type, payload) VALUES ('insert.rollback', '1');
SAVEPOINT s;
INSERT INTO goque.tasks (type, payload) VALUES ('insert.rollback', '2');
ROLLBACK TO s;
COMMIT;
SELECT payload FROM goque_fetch('insert.rollback', 10);

-- ---- refused ----

\pset format unaligned
\pset tuples_only on
-- F55, A8: what belongs to goque
SELECT pg_temp.refused(format('INSERT INTO goque.tasks (type, %I) VALUES (''insert.refused'', %s)', c, v)) FROM (VALUES
	('id', '1'), ('status', '''new'''), ('attempts', '0'), ('error', '''x'''), ('errors', '''x'''), ('result', '''1'''), ('progress', '''1'''),
	('worker', '''x'''), ('created_at', '''2030-01-02 03:04:05+00'''), ('started_at', '''2030-01-02 03:04:05+00'''), ('updated_at', '''2030-01-02 03:04:05+00'''), ('lease_until', '''2030-01-02 03:04:05+00'''), ('finished_at', '''2030-01-02 03:04:05+00''')) v(c, v);
-- UPDATE and DELETE, whether a row matches or not
SELECT pg_temp.refused($$UPDATE goque.tasks SET priority = 1 WHERE type = 'insert'$$);
SELECT pg_temp.refused($$UPDATE goque.tasks SET status = 'done' WHERE false$$);
SELECT pg_temp.refused($$DELETE FROM goque.tasks WHERE type = 'insert'$$);
SELECT pg_temp.refused($$DELETE FROM goque.tasks WHERE false$$);
SELECT pg_temp.refused($$TRUNCATE goque.tasks$$) ~ '^42809' AS refused;
-- the same checks as goque_add
SELECT pg_temp.refused($$INSERT INTO goque.tasks (payload) VALUES ('1')$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type) VALUES ('')$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type) VALUES (repeat('t', 129))$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, payload) VALUES ('insert.refused', NULL)$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, priority) VALUES ('insert.refused', 32768)$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, max_attempts) VALUES ('insert.refused', 0)$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, timeout) VALUES ('insert.refused', '0')$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, external_id) VALUES ('insert.refused', repeat('e', 1025))$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, next_attempt_at) VALUES ('insert.refused', 'infinity')$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, expires_at) VALUES ('insert.refused', '-infinity')$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, payload) SELECT 'insert.refused', to_jsonb(repeat('x', 1048577))$$);
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, metadata) SELECT 'insert.refused', to_jsonb(repeat('x', 1048577))$$);
-- as 'error', and all or nothing; no ON CONFLICT
INSERT INTO goque.tasks (type, external_id) VALUES ('insert.clash', 'k');
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, external_id) VALUES ('insert.clash', 'other'), ('insert.clash', 'k')$$) ~ '^23505: .*"k"' AS refused;
SELECT pg_temp.refused($$INSERT INTO goque.tasks (type, external_id) VALUES ('insert.clash', 'k') ON CONFLICT DO NOTHING$$) ~ '^23505' AS refused;
-- COPY with a bad line adds none
COPY goque.tasks (type, payload, priority) FROM STDIN;
insert.refused	1	1
insert.refused	2	40000
\.
COPY goque.tasks (type, status) FROM STDIN;
insert.refused	done
\.
SELECT count(*) FROM t WHERE type = 'insert.refused';
SELECT count(*) FROM goque.stats WHERE type = 'insert.refused';
-- an expiry that is over already: canceled by the healer, never fetched
INSERT INTO goque.tasks (type, expires_at) VALUES ('insert.expired', '2001-01-01');
SELECT count(*) FROM goque_fetch('insert.expired');
-- not to be canceled by the keeper in the midst of another test
SELECT goque_cancel_all('insert.expired') <= 1 AS ended;
