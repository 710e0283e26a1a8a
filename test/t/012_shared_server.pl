# What else goes on in a server: a pooler (F5), users who hold goque's tables (F38),
# few locks (F58), who may send signals (A10), decoys on the search path (A5), and
# sessions that live long (F39).
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;

use GoqueNode;

my $node = GoqueNode::new_node('shared_server', conf => <<'CONF');
max_locks_per_transaction = 10
goque.heal_interval = '200ms'
goque.clean_interval = '200ms'
CONF
my $s = GoqueSession->new($node);
my $QUICK = q{SET statement_timeout = '5 s'; SET lock_timeout = '500 ms'};

# ---- a pooler in transaction mode (F5) ----

$s->query(q{CREATE ROLE pooled; SELECT goque_grant('pooled', 'work'); SELECT goque_grant('pooled', 'produce')});
my @backends = map { GoqueSession->new($node) } 1 .. 3;
my %used;
my $turn = 0;

# One transaction on the next backend, which knows nothing of the ones before.
sub pooled
{
	my ($sql) = @_;
	my $backend = $backends[ $turn++ % @backends ];

	$used{ $backend->pid }++;
	return $backend->query("DISCARD ALL; SET ROLE pooled; BEGIN; $sql; COMMIT");
}

my $id = pooled(q{SELECT goque_add('p')});
like($id, qr/^\d+$/, 'pooler: add');
my ($got, $first) = split /\|/, pooled(q{SELECT id, token FROM goque_fetch('p', lease => '1 h')});
is($got, $id, '... fetch on another backend');
is(pooled(q{SELECT count(*) FROM goque_fetch('p')}), '0', '... nobody else gets it');
is(pooled("SELECT goque_heartbeat($id, $first, '2 h') > now() + interval '1 h'"), 't', '... heartbeat');
is(pooled("SELECT goque_fail($id, 'x', $first, retry_in => '0')"), 'error', '... fail');
($got, my $second) = split /\|/, pooled(q{SELECT id, token FROM goque_fetch('p', lease => '1 h')});
is($got, $id, '... fetch again');
isnt($second, $first, '... with another token');
is(pooled("SELECT goque_complete($id, $first)"), 'f', '... the first token does not complete');
is(pooled("SELECT goque_heartbeat($id, $first)"), '', '... nor extend');
is(pooled("SELECT goque_release($id, $first)"), 'f', '... nor release');
is(pooled("SELECT goque_release($id, $second)"), 't', '... release with the second');
($got, my $third) = split /\|/, pooled(q{SELECT id, token FROM goque_fetch('p', lease => '1 h')});
is($got, $id, '... fetch a third time');
is(pooled("SELECT goque_complete($id, $second)"), 'f', '... the second token is over, too');
$_->quit, $_->wait_gone for shift @backends;
is(pooled("SELECT goque_complete($id, $third)"), 't', '... complete');
is(pooled("SELECT goque_complete($id, $third)"), 'f', '... once');
is($s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id"), 'done|2', '... as in the tables');
is(scalar keys %used, 3, '... on three backends');
$_->quit for @backends;

# ---- few locks (F58) ----

is($s->query('SHOW max_locks_per_transaction'), '10', 'ten locks a transaction');
is($s->query(q{SELECT count(*) FROM goque_add_many('many', array_fill('{}'::jsonb, '{20000}'),
		ARRAY(SELECT 'key ' || i FROM generate_series(1, 20000) i))}),
	'20000', '20,000 external ids in one call');
is($s->query(q{CREATE TEMP TABLE fetched AS SELECT id, token FROM goque_fetch('many', 20000, lease => '1 h');
		SELECT count(*) FROM fetched}), '20000', '... fetched by one');
is($s->query(q{SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM fetched ORDER BY id), ARRAY(SELECT token FROM fetched ORDER BY id))}),
	'20000', '... completed by one');
$s->query('TRUNCATE goque.tasks_0');

# ---- somebody holds goque's tables (F38) ----

my $holder = GoqueSession->new($node);
my $quick = GoqueSession->new($node);

sub expired_later
{
	return $s->query(q{SELECT goque_add('h') \g /dev/null
		SELECT id FROM goque_fetch('h', lease => '300 ms')});
}

# goque.tasks would wait for the table that is held
sub wait_healed
{
	my ($task, $generation, $name) = @_;

	GoqueNode::wait_until($node, "SELECT status = 4 FROM goque.tasks_$generation WHERE id = $task");
	pass($name);
	return;
}

sub wait_keeper_blocked
{
	my ($activity, $name) = @_;

	GoqueNode::wait_workers($node, "count(*) FILTER (WHERE query = 'goque: $activity' AND wait_event_type = 'Lock') = 1");
	pass($name);
	return;
}

$quick->query($QUICK);
$s->query(q{SELECT goque_configure('h', retention_failed => '1 h', backoff => 'static', backoff_base => '1 h')});
my $task = expired_later();
$holder->query('BEGIN; LOCK TABLE goque.tasks_3 IN ACCESS EXCLUSIVE MODE');
wait_keeper_blocked('clean', 'one table is held: the cleaner waits');
wait_healed($task, 0, '... leases are ended in another');
like($quick->query(q{SELECT goque_add('other')}), qr/^\d+$/, '... tasks are added');
$holder->query('COMMIT');

# two of four are past their retention: those are deleted, none is moved
$s->query(q{SELECT goque_add(t) FROM unnest('{kept,short,kept,short}'::text[]) t});
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch_any('{kept,short}', 4)});
$s->query(q{SELECT setval('goque.generation_seq', 1)});
$task = expired_later();
$holder->query('BEGIN; LOCK TABLE goque.tasks_1 IN SHARE MODE');
wait_keeper_blocked('heal', 'the current table is held: the keeper waits');
is($quick->query("SELECT status FROM goque.tasks_1 WHERE id = $task"), '3', '... readers do not');
$quick->query(q{SELECT goque_configure('short', retention => '1 ms')});
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks_0 WHERE type = 'short'}, '0');
pass('... it gives up and does its other duties');
wait_keeper_blocked('heal', '... and tries again');
is($quick->query("SELECT status FROM goque.tasks_1 WHERE id = $task"), '3', '... in vain');
is($quick->query(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE a.backend_type = 'goque keeper' AND l.relation IS NOT NULL
			AND l.mode NOT IN ('AccessShareLock', 'RowExclusiveLock')}),
	'0', '... asking for no strong lock');
$holder->query('COMMIT');
wait_healed($task, 1, '... and ends the lease when it is free');

# a reader of everything, while a generation is to be emptied
my $SIZE = q{SELECT pg_relation_size('goque.tasks_0') > 0};
$s->query(q{SELECT goque_cancel(id), goque_purge(id) FROM goque.tasks});
$holder->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM goque.tasks; FETCH c');
is($holder->query(q{SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'goque.tasks_0'::regclass}), '1', 'a reader');
for (1 .. 3)
{
	is($quick->query('SELECT goque_clean() >= 0'), 't', '... goque_clean() does not wait');
	$quick->query($GoqueNode::NO_QUARANTINE);
	like($quick->query(q{SELECT goque_add('other')}), qr/^\d+$/, '... nor do those who add');
}
is($quick->query(q{SELECT count(*) FROM pg_locks WHERE NOT granted}), '0', '... nobody waits for a lock');
is($quick->query($SIZE), 't', '... and nothing was emptied');
$holder->query('COMMIT');
GoqueNode::wait_until($node, "SELECT goque_clean() \\g /dev/null\n$GoqueNode::NO_QUARANTINE \\g /dev/null\n$SIZE", 'f');
pass('... which is done without the reader');
$task = expired_later();
wait_healed($task, 1, '... and the keeper works on');
$_->quit for $holder, $quick;

# ---- signals of a member of pg_signal_backend (A10) ----

$s->query('CREATE ROLE signaller IN ROLE pg_signal_backend');
for my $type ('goque launcher', 'goque keeper')
{
	for my $signal ('pg_cancel_backend', 'pg_terminate_backend')
	{
		my $pid = $s->query("SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'");
		my $answer = $s->query("SET ROLE signaller; SELECT $signal($pid); RESET ROLE");

		like($answer, qr/^(t|ERROR:  42501)$/, "$signal of the $type: refused or survived");
		GoqueNode::wait_until($node,
			"SELECT count(*) = 1 AND every(pid <> $pid) FROM pg_stat_activity WHERE backend_type = '$type'")
		  if $answer eq 't' && $signal eq 'pg_terminate_backend';
		wait_healed(expired_later(), 1, '... leases are ended');
	}
}
GoqueNode::wait_workers($node, 'count(*) = 2');

# ---- a session that lives long (F39) ----

my $file = PostgreSQL::Test::Utils::tempdir() . '/cycles.sql';
my $MEMORY = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $long = GoqueSession->new($node);

sub cycle
{
	my ($n) = @_;
	my $cycle = q{SELECT goque_add('m') \g /dev/null
SELECT goque_complete(id, token) FROM goque_fetch('m') \g /dev/null
};

	unlink $file;
	append_to_file($file, $cycle x $n);
	return $long->query("\\i $file\nSELECT 1");
}

cycle(300);
my $before = $long->query($MEMORY);
is(cycle(1000), '1', '3,000 calls in one session');
cmp_ok($long->query($MEMORY) - $before, '<', 1024 * 1024, '... its memory stays');
is($long->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'm' AND status = 'done'}), '1300', '... and all were done');
$long->quit;

# ---- decoys on the search path (A5) ----

$s->query('CREATE DATABASE decoys');
$s->query(q{ALTER DATABASE decoys SET search_path = decoy, public, pg_catalog});
$node->safe_psql('decoys', <<'SQL');
SET search_path = pg_catalog;
CREATE SCHEMA decoy;
CREATE SEQUENCE decoy.calls MINVALUE 0 START 0;		-- a rollback does not undo it
SELECT nextval('decoy.calls');
DO $$
DECLARE
	types CONSTANT regtype[] := '{bool,int2,int4,int8,float8,text,name,oid,xid,timestamptz,interval,jsonb}';
	target text;
	r record;
BEGIN
	FOREACH target IN ARRAY '{decoy,public}'::text[] LOOP
		-- all operators of these types
		FOR r IN SELECT o.oid, oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result
			FROM pg_operator o WHERE oprleft = ANY (types) AND oprright = ANY (types) AND oprnamespace = 'pg_catalog'::regnamespace
		LOOP
			EXECUTE format('CREATE FUNCTION %I.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS
				''BEGIN PERFORM pg_catalog.nextval(''''decoy.calls''''); RETURN NULL; END''',
				target, r.oid, r.l, r.r, r.result);
			EXECUTE format('CREATE OPERATOR %1$I.%2$s (FUNCTION = %1$I.op_%3$s, LEFTARG = %4$s, RIGHTARG = %5$s)',
				target, r.oprname, r.oid, r.l, r.r);
		END LOOP;
		-- and functions that such programs use
		FOR r IN SELECT DISTINCT ON (proname, pg_get_function_identity_arguments(oid)) proname,
				pg_get_function_identity_arguments(oid) AS arguments, prorettype::regtype AS result
			FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset AND provariadic = 0
				AND prorettype = ANY (types) AND proallargtypes IS NULL
				AND NOT EXISTS (SELECT FROM unnest(proargtypes) a WHERE a <> ALL (types))
				AND proname IN ('now', 'clock_timestamp', 'transaction_timestamp', 'setval', 'nextval', 'currval', 'lower', 'upper',
					'length', 'left', 'right', 'substr', 'replace', 'pg_backend_pid', 'current_setting', 'set_config',
					'pg_advisory_lock', 'pg_try_advisory_xact_lock', 'pg_advisory_xact_lock', 'pg_sleep', 'date_part',
					'random', 'to_char', 'regexp_replace', 'int4', 'int8', 'text', 'age', 'timestamptz', 'current_database')
		LOOP
			EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS
				''BEGIN PERFORM pg_catalog.nextval(''''decoy.calls''''); RETURN NULL; END''',
				target, r.proname, r.arguments, r.result);
		END LOOP;
	END LOOP;
END $$;
SQL
my $plain = GoqueSession->new($node, 'decoys', options => '-c search_path=pg_catalog');
my $CALLS = 'SELECT last_value FROM decoy.calls';
cmp_ok($plain->query(q{SELECT count(*) FROM pg_proc WHERE pronamespace IN ('decoy'::regnamespace, 'public'::regnamespace)}),
	'>', 400, 'hundreds of decoys');
is($plain->query($CALLS), '0', '... not called yet');
$plain->query('CREATE EXTENSION goque SCHEMA public');
$plain->query(q{SELECT public.goque_configure('short', retention => '1 ms')});
$plain->query(q{SELECT public.goque_add('h') FROM generate_series(1, 3)});
$task = $plain->query(q{SELECT id FROM public.goque_fetch('h', lease => '300 ms')});
my $expiring = $plain->query(q{SELECT public.goque_add('e', expires_in => '300 ms')});
$plain->query(q{SELECT public.goque_add('short')});
$plain->query(q{SELECT public.goque_complete(id, token) FROM public.goque_fetch('short')});

sub wait_plain
{
	my ($query, $name) = @_;

	GoqueNode::wait_for($name, sub { $plain->query("SELECT $query") eq 't' });
	pass($name);
	return;
}
wait_plain("status = 'error' FROM goque.tasks WHERE id = $task", 'the keeper ends a lease');
wait_plain("status = 'canceled' FROM goque.tasks WHERE id = $expiring", '... cancels what expired');
wait_plain("count(*) = 0 FROM goque.tasks WHERE type = 'short'", '... removes what is past its retention');

# a new keeper has all duties to do, the check with them
my $keeper = q{pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = 'decoys'};
my $pid = $plain->query("SELECT pid FROM $keeper");
$plain->query("SELECT pg_terminate_backend($pid)");
wait_plain("count(*) = 1 AND every(pid <> $pid AND state = 'idle') FROM $keeper", '... another keeper begins');
$task = $plain->query(q{SELECT id FROM public.goque_fetch('h', lease => '300 ms')});
wait_plain("status = 'error' FROM goque.tasks WHERE id = $task", '... and ends a lease');
is($plain->query($CALLS), '0', 'no decoy was called');

# by hand, in a session with that path, until the ring has turned: it has TRUNCATE in it
$plain->query(q{SELECT public.goque_cancel(id), public.goque_purge(id) FROM goque.tasks});
$plain->query(q{SELECT setval('goque.generation_seq', 1)});
my $victim = GoqueSession->new($node, 'decoys', options => '-c search_path=pg_catalog');
$victim->query('SET search_path = decoy, public, pg_catalog');
GoqueNode::wait_for('the emptied table', sub {
	$victim->query('SELECT goque_clean()');
	return $plain->query(q{SELECT pg_relation_size('goque.tasks_0')}) eq '0';
});
is($victim->query('SELECT goque_heal()'), '0', 'goque_heal() and goque_clean() by hand');
is($plain->query($CALLS), '0', '... called none, either');
$victim->query('SELECT 1 = 1');
is($plain->query($CALLS), '1', 'but the session itself does');
$_->quit for $victim, $plain;

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
unlike(slurp_file($node->logfile), qr/ 53200 /, 'nor did locks run out');
$s->quit;
$node->stop;
done_testing();
