# Many clients at once do everything with everything, with a ledger; then nothing
# may be missing or doubled (S; F1, F7, F10, F17, F36, F41).
#
# GOQUE_STRESS_SECONDS makes it longer.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

use GoqueNode;

my $seconds = $ENV{GOQUE_STRESS_SECONDS} || 12;
my $node = GoqueNode::new_node('stress', conf => <<'CONF');
goque.heal_interval = '200ms'
goque.clean_interval = '300ms'
shared_buffers = '64MB'
CONF
my $s = GoqueSession->new($node);

$s->query('CREATE EXTENSION amcheck');
$s->query($_) for split /;;\s*/, <<'SQL';
CREATE TABLE added (id bigint PRIMARY KEY);;
CREATE TABLE ledger (id bigint, attempt int, token bigint UNIQUE, PRIMARY KEY (id, attempt));;
CREATE TABLE held (id bigint PRIMARY KEY, attempt int, token bigint);;
CREATE TABLE finished (id bigint PRIMARY KEY);;
CREATE TABLE canceled (id bigint PRIMARY KEY);;
CREATE TABLE effects (id bigint PRIMARY KEY);;
SELECT goque_configure(t, max_attempts => 4, timeout => '1 s', backoff => 'static', backoff_base => '50 ms') FROM unnest('{a,b,c}'::text[]) t;;

CREATE FUNCTION some_type() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT (ARRAY['a', 'b', 'c'])[1 + floor(random() * 3)::int] $$;;

CREATE FUNCTION add() RETURNS void LANGUAGE sql AS $$
	INSERT INTO added SELECT goque_add(some_type(), priority => floor(random() * 3)::int,
		delay => CASE WHEN random() < 0.2 THEN interval '100 ms' END) $$;;

CREATE FUNCTION add_many() RETURNS void LANGUAGE sql AS $$
	INSERT INTO added SELECT goque_add_many(some_type(), array_fill('{}'::jsonb, '{10}')) $$;;

-- an attempt in the ledger twice, or a token, is a unique violation
CREATE FUNCTION take() RETURNS void LANGUAGE sql AS $$
	WITH f AS MATERIALIZED (SELECT * FROM goque_fetch_any(CASE WHEN random() < 0.5 THEN ARRAY[some_type()] END,
			1 + floor(random() * 5)::int, wait => CASE WHEN random() < 0.1 THEN interval '20 ms' END)),
	l AS (INSERT INTO ledger SELECT id, attempt, token FROM f)
	INSERT INTO held SELECT id, attempt, token FROM f
	ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, token = excluded.token $$;;

CREATE FUNCTION finish() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	h record;
	what float8 := random();
BEGIN
	DELETE FROM held WHERE id IN (SELECT id FROM held ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING * INTO h;
	IF NOT FOUND THEN
		RETURN;
	ELSIF what < 0.55 THEN
		IF goque_complete(h.id, h.token) THEN
			INSERT INTO finished VALUES (h.id);
		END IF;
	ELSIF what < 0.7 THEN
		PERFORM goque_fail(h.id, 'no', h.token);
	ELSIF what < 0.8 THEN
		IF goque_release(h.id, h.token) THEN
			DELETE FROM ledger WHERE id = h.id AND attempt = h.attempt AND token = h.token;
		END IF;
	ELSIF what < 0.9 THEN
		IF goque_heartbeat(h.id, h.token) IS NOT NULL AND goque_complete(h.id, h.token) THEN
			INSERT INTO finished VALUES (h.id);
		END IF;
	END IF;		-- else it dies: the healer's
END $$;;

CREATE FUNCTION exactly_once() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM goque_fetch(some_type(), 2) LOOP
		INSERT INTO ledger VALUES (t.id, t.attempt, t.token);
		INSERT INTO effects VALUES (t.id);
		IF NOT goque_complete(t.id, t.token) THEN
			RAISE EXCEPTION 'task % was taken away', t.id;
		END IF;
		INSERT INTO finished VALUES (t.id);
	END LOOP;
END $$;;

CREATE FUNCTION cancel() RETURNS void LANGUAGE sql AS $$
	INSERT INTO canceled SELECT goque_cancel_many(ARRAY(SELECT id FROM added ORDER BY id DESC OFFSET floor(random() * 50)::int LIMIT 1)) $$;;

CREATE FUNCTION undone() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM add(), take(), finish();
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
END $$;;

-- alone: two transactions that hold tasks and cancel each other's deadlock, rightly
CREATE FUNCTION undone_cancel() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cancel();
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
END $$;;

-- the next generation, if it is empty
CREATE FUNCTION turn() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	position bigint;
	n bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(1);
	SELECT last_value + 1 INTO position FROM goque.generation_seq;
	EXECUTE format('SELECT count(*) FROM goque.tasks_%s', position % 8) INTO n;
	IF n = 0 THEN
		PERFORM setval('goque.generation_seq', position);
	END IF;
	-- goque_clean() need not wait a minute
	PERFORM setval('goque.quarantine_seq', last_value - (61::bigint << 28)) FROM goque.quarantine_seq WHERE last_value > 0;
END $$
SQL

my $dir = PostgreSQL::Test::Utils::tempdir();
my %weights = (
	'SELECT add();' => 10, 'SELECT add_many();' => 3, 'SELECT take();' => 12, 'SELECT finish();' => 24,
	'SELECT exactly_once();' => 5, 'SELECT cancel();' => 2, 'SELECT undone();' => 4, 'SELECT undone_cancel();' => 2,
	"BEGIN;\nSELECT add();\nSELECT take();\nROLLBACK;" => 2,
	"BEGIN;\nSELECT take();\nSAVEPOINT p;\nSELECT finish();\nSELECT take();\nROLLBACK TO p;\nSELECT finish();\nCOMMIT;" => 4,
	"BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT exactly_once();\nSELECT add();\nCOMMIT;" => 2,
	"BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT exactly_once();\nCOMMIT;" => 2,
	'SELECT goque_heal();' => 1, 'SELECT count(*) FROM goque.stats;' => 1, 'SELECT count(*) FROM goque.tasks;' => 1,
	'SELECT goque_clean(), turn();' => 1);
my @scripts;
for my $sql (sort keys %weights)
{
	my $file = "$dir/" . @scripts . '.sql';

	append_to_file($file, "$sql\n");
	push @scripts, '-f', "$file\@$weights{$sql}";
}

# clients that run into 40001 or 40P01 try again; any other error ends one, and the test
$node->command_checks_all(
	[ 'pgbench', '-n', '-c8', '-j2', '-T', $seconds, '--max-tries=1000', @scripts, $node->connstr('postgres') ],
	0, [qr/number of transactions actually processed: [1-9]/], [qr/^(?!.*(ERROR|aborted))/s], 'eight clients');
my $log = slurp_file($node->logfile);
unlike($log, qr/deadlock detected/, 'no deadlock');
note $1 while $log =~ /(.*ERROR.*)/g && $1 !~ /could not serialize/;

# ---- drain ----

GoqueNode::wait_until($node, q{
	WITH f AS MATERIALIZED (SELECT * FROM goque_fetch_any(NULL, 1000)),
	l AS (INSERT INTO ledger SELECT id, attempt, token FROM f),
	d AS MATERIALIZED (SELECT goque_complete_many(array_agg(id), array_agg(token)) AS id FROM f HAVING count(*) > 0)
	INSERT INTO finished SELECT id FROM d;
	SELECT count(*) = 0 FROM goque.tasks WHERE status NOT IN ('done', 'attempts_left', 'canceled')}, "INSERT 0 0\nt");
pass('all queues drain');

# ---- invariants ----

cmp_ok($s->query('SELECT count(*) FROM added'), '>', 100, 'many tasks were added');
note $s->query('SELECT * FROM goque.stats');
is($s->query('SELECT count(*) FROM added a FULL JOIN goque.tasks t USING (id) WHERE a.id IS NULL OR t.id IS NULL'),
	'0', 'every acknowledged task is there, and no other (I1, I2)');
is($s->query('SELECT count(*) - count(DISTINCT id) FROM goque.tasks'), '0', '... once');
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE attempts > max_attempts}), '0', 'attempts are within max_attempts (I6)');
is($s->query(q{SELECT count(*) FROM goque.tasks t LEFT JOIN (SELECT id, count(*) AS n, max(attempt) AS last FROM ledger GROUP BY id) l USING (id)
		WHERE t.attempts <> coalesce(l.n, 0) OR t.attempts <> coalesce(l.last, 0)}), '0', '... and equal the ledger');
is($s->query(q{SELECT count(*) FROM finished f FULL JOIN (SELECT id FROM goque.tasks WHERE status = 'done') t USING (id) WHERE f.id IS NULL OR t.id IS NULL}),
	'0', 'done is what was said to be completed (I7)');
is($s->query(q{SELECT count(*) FROM canceled c FULL JOIN (SELECT id FROM goque.tasks WHERE status = 'canceled') t USING (id) WHERE c.id IS NULL OR t.id IS NULL}),
	'0', 'canceled is what was said to be canceled');
is($s->query(q{SELECT count(*) FROM effects WHERE id NOT IN (SELECT id FROM finished)}), '0', 'exactly-once effects (I12)');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count (I15)');
is($s->query(q{SELECT sum(total_added), sum(total_completed), sum(total_canceled) FROM goque.stats}),
	$s->query(q{SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM finished), (SELECT count(*) FROM canceled)}), 'totals, too');
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind IN ('holder', 'waiter')}), '0', 'nobody holds or waits');
is($s->query(q{SELECT count(*) FROM goque.key_locks}), '0', 'no lock of an external id is left');
is($s->query(q{WITH i AS MATERIALIZED (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'goque'::regnamespace AND c.relkind = 'i')
		SELECT count(*) FROM i WHERE bt_index_check(i.oid, true) IS NULL}), '0', 'amcheck');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean (I16)');
$s->quit;
$node->stop;
done_testing();
