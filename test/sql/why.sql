-- goque_why: every reason that one session can make, in full.  Numbers, times and workers
-- are masked.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
CREATE FUNCTION pg_temp.why(task bigint) RETURNS SETOF text
LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(concat_ws(E'\n', w.reason, w.detail, w.hint),
		'[A-Z][a-z]{2} [A-Z][a-z]{2} \d+ [0-9:.]+ \d{4} P[SD]T|\d{4}-[0-9-]+ [0-9:.+-]+', 'TIME', 'g'),
		'(\(|\[|id = )' || task || '\y', '\1ID', 'g'),
		'"pg_regress/why \d+"', '"WORKER"', 'g'),
		'(transaction |transaction = .)\d+', '\1XID', 'g')
	FROM goque_why(task) w
$$;
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- what is not there, and what has ended
SELECT pg_temp.why(-1);
SELECT goque_configure('why', max_attempts => 2, backoff => 'static', backoff_base => '1 hour');
SELECT goque_add('why', '"secret"') AS id \gset
SELECT count(goque_complete(id, token, '"secret"')) FROM goque_fetch('why');
SELECT pg_temp.why(:id);
SELECT goque_add('why') AS id \gset
SELECT goque_cancel(:id);
SELECT pg_temp.why(:id);
SELECT goque_add('why') AS id \gset
SELECT goque_fail(id, E'two\nlines', token, retry_in => '0') FROM goque_fetch('why');

-- running, and in error; the statement of the hint works
SELECT goque_fetch('why', lease => '1 hour') IS NOT NULL;
SELECT pg_temp.why(:id);
SELECT goque_release(:id);
SELECT goque_fail(id, 'boom', token, retry => false) FROM goque_fetch('why');
SELECT pg_temp.why(:id);
SELECT goque_retry(:id);
SELECT goque_fail(id, 'boom', token) FROM goque_fetch('why');
SELECT pg_temp.why(:id);
SELECT * FROM goque_reschedule_many(ARRAY[:id], run_at => now()) r WHERE r <> :id;
SELECT reason FROM goque_why(:id);

-- the lease is over; the healer passes by
SELECT goque_fetch('why', lease => '1 hour') IS NOT NULL;
BEGIN;
SELECT pg_temp.change(:id, $$lease_until = '2000-01-01', updated_at = '1999-01-01'$$);
SELECT pg_temp.why(:id);
-- ... because somebody guards it: a prepared transaction stands for another session
COMMIT;
BEGIN;
SELECT goque_guard(:id, 0);
PREPARE TRANSACTION 'why';
SELECT pg_temp.why(:id);
-- ... but its heartbeats come
SELECT goque_heartbeat(:id, lease => '1 hour') > now();
SELECT reason FROM goque_why(:id);
COMMIT PREPARED 'why';
SELECT goque_complete(:id);

-- the limits of its type
SELECT goque_configure('why.limit', max_running => 1, timeout => '1 hour');
SELECT goque_add('why.limit') AS held, goque_add('why.limit') AS id \gset
SELECT count(*) FROM goque_fetch('why.limit', 2);
SELECT replace(pg_temp.why(:id), :'held', 'HELD');
-- ... one of them by a transaction that has not committed
SELECT goque_configure('why.limit', max_running => 2);
BEGIN;
SELECT count(*) FROM goque_fetch('why.limit');
PREPARE TRANSACTION 'why';
SELECT goque_add('why.limit') AS third \gset
SELECT replace(detail, :'held', 'HELD') FROM goque_why(:third);
ROLLBACK PREPARED 'why';
SELECT goque_cancel(:third);
SELECT goque_configure('why.limit', max_running => 0, rate_limit => 1, rate_period => '1 hour');
SELECT count(*) FROM goque_add_many('why.limit', '{1}', priority => -1);
SELECT count(*) FROM goque_fetch('why.limit', 2);
SELECT pg_temp.why(:id);
SELECT goque_cancel(:id), goque_unconfigure('why.limit');

-- scheduled, paused, expired
SELECT goque_add('why', delay => '1 hour', expires_in => '2 hours') AS id \gset
SELECT pg_temp.why(:id);
SELECT goque_pause('why');
SELECT reason FROM goque_why(:id);
SELECT * FROM goque_reschedule_many(ARRAY[:id], run_at => now()) r WHERE r <> :id;
SELECT pg_temp.why(:id);
SELECT goque_pause();
SELECT pg_temp.why(:id);
SELECT goque_resume();
SELECT goque_resume('why');
BEGIN;
SELECT pg_temp.change(:id, $$expires_at = '2000-01-01'$$);
SELECT pg_temp.why(:id);
ROLLBACK;

-- ready, first or not
SELECT pg_temp.why(:id);
SELECT goque_add('why') AS second \gset
SELECT pg_temp.why(:second);
SELECT count(*) FROM goque_add_many('why', array_fill('{}'::jsonb, '{1100}'), priority => -1);
SELECT detail FROM goque_why(:second);
-- looking has hidden nothing
SELECT count(*) FROM goque_fetch('why', 2000);
-- nobody fetches the type; its name is cut and quoted
SELECT goque_add(E'why.it''s\n' || repeat('x', 100)) AS id \gset
SELECT pg_temp.why(:id);
SELECT count(*) FROM goque_fetch_any(ARRAY['why.none']);
-- the handler of its type is gone
CREATE FUNCTION why_handler(p jsonb) RETURNS void LANGUAGE sql AS '';
SELECT goque_register_processor('why.processor', 'why_handler');
DROP FUNCTION why_handler(jsonb);
SELECT goque_add('why.processor') AS id \gset
SELECT pg_temp.why(:id);
SELECT goque_unregister_processor('why.processor');
SELECT reason FROM goque_why(:id);

-- in line
SELECT goque_add('why.line', ordering_key => 'k') AS head \gset
SELECT goque_add('why.line', ordering_key => 'k') AS id \gset
SELECT replace(w, :'head', 'HEAD') FROM pg_temp.why(:id) w;
-- ... and far behind: the head is named all the same
SELECT max(id) AS last FROM goque_add_many('why.line', array_fill('{}'::jsonb, '{50}'), ordering_keys => array_fill('k'::text, '{50}')) id \gset
SELECT replace(detail, :'head', 'HEAD') FROM goque_why(:last);

-- after others, of which the unfinished are named
SELECT goque_add('why.parent') AS parent1 \gset
SELECT goque_add('why.parent') AS parent2 \gset
SELECT goque_add('why.child', after => ARRAY[:parent1, :parent2]) AS id \gset
SELECT replace(replace(w, :'parent1', 'PARENT1'), :'parent2', 'PARENT2') FROM pg_temp.why(:id) w;
SELECT goque_complete(id) FROM goque_fetch('why.parent');
SELECT replace(w, :'parent2', 'PARENT2') FROM pg_temp.why(:id) w;
SELECT goque_add('why.child', after => array_agg(id)) AS id FROM goque_add_many('why.parent', array_fill('{}'::jsonb, '{12}')) id \gset
SELECT reason, detail ~ ': \d+(, \d+){9} and 2 more\.$' AS listed FROM goque_why(:id);

-- added, claimed, and canceled, by a transaction that has not ended
BEGIN;
SELECT goque_add('why') AS added \gset
SELECT reason FROM goque_why(:added);
PREPARE TRANSACTION 'why';
SELECT pg_temp.why(:added);
ROLLBACK PREPARED 'why';
SELECT reason FROM goque_why(:added);
BEGIN;
SELECT goque_cancel(:head);
SELECT reason FROM goque_why(:head);
PREPARE TRANSACTION 'why';
SELECT pg_temp.why(:head);
ROLLBACK PREPARED 'why';
SELECT reason FROM goque_why(:head);
SELECT count(goque_cancel(id)) FROM goque.tasks WHERE type LIKE 'why%' AND finished_at IS NULL;
SELECT goque_unconfigure('why');
