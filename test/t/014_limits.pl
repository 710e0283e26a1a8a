# max_running and rate_limit over crashes, restarts and many sessions, with
# sleepers, and without shared memory (F17, promise 10).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $fetch = q{SELECT count(*) FROM goque_fetch('%s', 10%s)};

sub configured
{
	my ($node) = @_;
	my $s = GoqueSession->new($node);

	$s->query(q{SELECT goque_configure('m', max_running => 3, timeout => '1 h');
		SELECT goque_configure('r', rate_limit => 3, rate_period => '1 h', timeout => '1 h');
		SELECT count(*) FROM goque_add_many('m', array_fill('{}'::jsonb, '{20}'));
		SELECT count(*) FROM goque_add_many('r', array_fill('{}'::jsonb, '{20}'))});
	return $s;
}

sub fetched { my ($s, $type) = @_; return $s->query(sprintf $fetch, $type, ''); }

my $node = GoqueNode::new_node('limits', conf => <<'CONF');
restart_after_crash = on
wal_writer_delay = 10s
goque.heal_interval = '1 h'
CONF
my $s = configured($node);
my $other = GoqueSession->new($node);

# ---- orderly restart ----

is($s->query(q{SELECT count(*) FROM goque_fetch('m', 2)}), '2', 'two of three places');
is($s->query(q{SELECT count(*) FROM goque_fetch('r', 2)}), '2', 'two of three fetches');
$_->quit for $s, $other;
$node->restart;
$s = GoqueSession->new($node);
is(fetched($s, 'm'), '1', 'the last place after a restart');
is(fetched($s, 'r'), '1', 'the last fetch after a restart');
is(fetched($s, $_), '0', "no more of $_") for 'm', 'r';
$s->query(q{SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'm' AND status = 'processing'))});

# such a claim is flushed, whatever the session's commits are (F9)
is($s->query(q{SET synchronous_commit = off; SELECT pg_current_wal_insert_lsn() AS before \gset
	SELECT count(*) FROM goque_fetch('m');
	SELECT pg_current_wal_flush_lsn() > :'before'; SHOW synchronous_commit; RESET synchronous_commit}), "1\nt\noff", 'a claim is flushed');
$s->query(q{SELECT goque_complete(id) FROM goque.tasks WHERE type = 'm' AND status = 'processing'});

# ---- crash: what was claimed had been flushed, open claims are gone ----

$other = GoqueSession->new($node);
is(fetched($s, 'm'), '3', 'all places are taken');
$s->query(q{SELECT goque_complete(id) FROM goque.tasks WHERE type = 'm' AND status = 'processing' LIMIT 1});
is($other->query(q{BEGIN; SELECT count(*) FROM goque_fetch('m', 10)}), '1', 'one by a transaction that will not end');
kill 'KILL', $other->pid;
$_->kill_client for $s, $other;
GoqueNode::wait_alive($node);
$s = GoqueSession->new($node);
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'm' AND status = 'processing'}), '2', 'the claims survived the crash');
is(fetched($s, 'm'), '1', 'the open place is to be had at once, whether or not the tables were counted');
is(fetched($s, 'm'), '0', '... once');
is(fetched($s, 'r'), '0', 'the rate is remembered');
GoqueNode::wait_until($node, q{SELECT every(counted) FROM goque.type_counters()});
is(fetched($s, 'm'), '0', 'still, when they were counted');

# ---- prepared claims over a crash, before and after they have ended (F8) ----

$s->query(q{SELECT goque_configure('p', max_running => 4, timeout => '1 h');
	SELECT goque_configure('q', rate_limit => 3, rate_period => '1 h', timeout => '1 h');
	SELECT count(*) FROM unnest('{p,q}'::text[]) t, LATERAL goque_add_many(t, array_fill('{}'::jsonb, '{20}'))});
$other = GoqueSession->new($node);
is($s->query(q{BEGIN; SELECT count(*) FROM goque_fetch('p'); SELECT count(*) FROM goque_fetch('q');
	SELECT count(goque_add('p', priority => -1)); SELECT count(*) FROM goque_fetch('p');
	PREPARE TRANSACTION 'limits'}), "1\n1\n1\n1", 'claims that are prepared, one of a task that no other sees');
kill 'KILL', $other->pid;
$_->kill_client for $s, $other;
GoqueNode::wait_alive($node);
$s = GoqueSession->new($node);
is(fetched($s, 'p'), '2', 'the prepared claims have their places');
is(fetched($s, 'q'), '2', '... and fetches');
$s->query(q{COMMIT PREPARED 'limits'});
is(fetched($s, $_), '0', "no more of $_") for 'p', 'q';
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'p' AND status = 'processing'}), '4', 'as many as max_running');

# ---- sleepers ----

my $log_offset = -s $node->logfile;

my $sleeper = GoqueSession->new($node);
my $looker = GoqueSession->new($node);
for my $freed (
	[ 'a finish', q{SELECT goque_complete(min(id)) FROM goque.tasks WHERE type = 'm' AND status = 'processing'} ],
	[ 'a higher limit', q{SELECT goque_configure('m', max_running => 4)} ])
{
	my ($what, $sql) = @$freed;

	$sleeper->send(q{SELECT count(*) FROM goque_fetch('m', wait => '1 min')});
	$sleeper->wait_asleep;
	$s->query($sql);
	is($sleeper->result, '1', "$what wakes a sleeper");
}
$s->query(q{SELECT goque_complete(min(id)) FROM goque.tasks WHERE type = 'm' AND status = 'processing';
	BEGIN; SELECT count(*) FROM goque_fetch('m', 10)});
$sleeper->send(q{SELECT count(*) FROM goque_fetch('m', wait => '1 min')});
$sleeper->wait_asleep;
$looker->send(q{CALL goque_wait('{m}', '1 h')});
$looker->wait_asleep;
$s->query('ROLLBACK');
is($sleeper->result, '1', 'a rollback wakes a sleeper');
$looker->kill_client;
$s->query(q{SELECT goque_configure('turn', rate_limit => 1, rate_period => '100 ms');
	SELECT count(*) FROM goque_add_many('turn', array_fill('{}'::jsonb, '{2}'))});
is($s->query(q{SELECT count(*) FROM goque_fetch('turn', 2)}), '1', 'one in the period');
is($s->query(q{SELECT count(*) FROM goque_fetch('turn', 2, wait => '1 min')}), '1', 'the clock wakes a sleeper');

# ---- many sessions: never more, and nothing stays behind ----

$s->query($_) for split /;;\s*/, <<'SQL';
SELECT goque_configure('busy', max_running => 3, rate_limit => 20, rate_period => '200 ms', max_attempts => 1000, backoff => 'static', backoff_base => '1 ms');;
CREATE TABLE span (id bigint, token bigint, taken timestamptz, freed timestamptz);;
SELECT count(*) FROM goque_add_many('busy', array_fill('{}'::jsonb, '{3000}'));;
-- claimed and finished by the clock of the session, within the claim's real time
CREATE FUNCTION work() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t record;
	what float8 := random();
BEGIN
	FOR t IN SELECT * FROM goque_fetch('busy', 1 + floor(random() * 3)::int) LOOP
		INSERT INTO span VALUES (t.id, t.token, clock_timestamp());
	END LOOP;
	IF what < 0.2 THEN
		RAISE division_by_zero;
	END IF;
END $$;;
CREATE FUNCTION finish() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	h record;
BEGIN
	FOR h IN SELECT * FROM span WHERE freed IS NULL ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED LOOP
		UPDATE span SET freed = clock_timestamp() WHERE token = h.token;
		IF random() < 0.5 THEN
			PERFORM goque_complete(h.id, h.token);
		ELSE
			PERFORM goque_fail(h.id, 'x', h.token);
		END IF;
	END LOOP;
END $$
SQL

# the tables are counted while others claim and finish
$s->query('SELECT work()') while $s->query('SELECT count(*) FROM span') eq '0';
kill 'KILL', $sleeper->pid;
$_->kill_client for $s, $sleeper, $looker;
GoqueNode::wait_alive($node);
$s = GoqueSession->new($node);
$sleeper = GoqueSession->new($node);
$log_offset = -s $node->logfile;
my $dir = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$dir/work.sql", "DO 'BEGIN PERFORM work(); EXCEPTION WHEN division_by_zero THEN END';\n");
PostgreSQL::Test::Utils::append_to_file("$dir/finish.sql", "SELECT finish();\n");
$node->command_ok([ 'pgbench', '-n', '-c8', '-j2', '-T', 5, '-f', "$dir/work.sql", '-f', "$dir/finish.sql", $node->connstr('postgres') ],
	'eight sessions');
cmp_ok($s->query('SELECT count(*) FROM span'), '>', 50, 'many tasks were claimed');
is($s->query(q{SELECT max(n) <= 3 FROM (SELECT sum(change) OVER (ORDER BY moment, change ROWS UNBOUNDED PRECEDING) AS n FROM (
		SELECT taken AS moment, 1 AS change FROM span UNION ALL SELECT freed, -1 FROM span WHERE freed IS NOT NULL) c) r}),
	't', 'never more than max_running at once');
is($s->query(q{SELECT max(n) <= 20 FROM (SELECT sum(n) OVER (ORDER BY fetched_at RANGE BETWEEN '199.999 ms' PRECEDING AND CURRENT ROW) AS n
		FROM goque.fetch_log WHERE type = 'busy') r}), 't', 'never more than rate_limit in any rate_period');
is($s->query(q{SELECT every(counted) FROM goque.type_counters()}), 't', 'the tables were counted meanwhile');
is($s->query(q{SELECT sum(n) = (SELECT count(*) FROM span) FROM goque.fetch_log WHERE type = 'busy'}), 't', 'each fetch is in the log, and no other');
GoqueNode::wait_until($node, q{SELECT count(finish()) >= 0 AND (SELECT count(*) = 0 FROM span WHERE freed IS NULL) FROM generate_series(1, 100)});
is(fetched($s, 'p'), '0', 'the claims that were prepared were counted too');
$s->query(q{SELECT goque_complete(min(id)) FROM goque.tasks WHERE type = 'p' AND status = 'processing'});
is(fetched($s, 'p'), '1', '... once');
$s->query(q{SELECT goque_configure('busy', rate_limit => 0)});
is(fetched($s, 'busy'), '3', 'no place was lost');
is(GoqueNode::bad_log_lines($node, $log_offset), '', 'the log is clean');
$_->quit for $s, $sleeper;
$node->stop;

# ---- without shared memory ----

$node = GoqueNode::new_node('plain', preload => 0);
$s = configured($node);
$other = GoqueSession->new($node);
is($s->query(q{BEGIN; SELECT count(*) FROM goque_fetch('m', 2); SELECT count(*) FROM goque_fetch('r', 2)}), "2\n2", 'not preloaded: two of three');
is(fetched($other, $_), '0', "one transaction at a time claims tasks of $_") for 'm', 'r';
$s->query('COMMIT');
is(fetched($other, $_), '1', "the last one of $_") for 'm', 'r';
is(fetched($s, $_), '0', "no more of $_") for 'm', 'r';
$s->query(q{SELECT goque_complete(min(id)) FROM goque.tasks WHERE type = 'm' AND status = 'processing'});
is($s->query(q{BEGIN; SELECT reason FROM goque_why((SELECT max(id) FROM goque.tasks WHERE type = 'm'))}), 'ready', 'who asks why');
$looker = GoqueSession->new($node);
$looker->query(q{CALL goque_wait('{m}', '1 min')});
cmp_ok($looker->seconds, '<', 30, 'a place is free for who waits');
is($other->query(q{BEGIN; SELECT count(*) FROM goque_fetch('m', 10)}), '1', 'who looks keeps nobody from fetching');
$other->query('ROLLBACK');
$s->query('COMMIT');
$looker->quit;
is($other->query(q{SELECT count(*) FROM goque_fetch('m', 10, wait => '10 s')}), '1', 'a place that was freed');
$_->quit for $s, $other;
$node->stop;
done_testing();
