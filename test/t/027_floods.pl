# Floods (F56, A12): more types than shared memory has entries, all 65,536 priorities,
# more leases than it has room for ending at once, heartbeats without end. Slower paths
# instead of errors, memory as at the start, batches of limited size, a summary in the
# log; and another type's fetch costs no more than twice as much.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

use GoqueNode;

my $node = GoqueNode::new_node('floods', conf => <<'CONF');
goque.heal_interval = '200ms'
shared_buffers = '128MB'
synchronous_commit = off
log_min_messages = log
CONF
my $s = GoqueSession->new($node);
my $quiet = GoqueSession->new($node);
my $MEMORY = q{SELECT string_agg(name || allocated_size, ',' ORDER BY name) FROM pg_shmem_allocations WHERE name LIKE 'goque%'};
my $memory = $s->query($MEMORY);

# CPU seconds of a session so far.
sub cpu
{
	my ($session) = @_;
	my @stat = split ' ', slurp_file('/proc/' . $session->pid . '/stat') =~ s/^.*\) //sr;

	return ($stat[11] + $stat[12]) / 100;
}

# What 2,000 fetches and completions of a type cost that has nothing to do with the flood.
sub cost
{
	my $best;

	for (1 .. 3)
	{
		my $before = cpu($quiet);

		$quiet->query(q{SELECT count(*) FROM goque_add_many('quiet', array_fill('{}'::jsonb, '{2000}'))});
		my $done = $quiet->query(q{DO $$ DECLARE r record; BEGIN
			FOR i IN 1 .. 2000 LOOP
				SELECT * INTO STRICT r FROM goque_fetch('quiet'); PERFORM goque_complete(r.id, r.token); COMMIT;
			END LOOP; END $$});
		die $done if $done ne '';
		my $used = cpu($quiet) - $before;
		$best = $used if !defined $best || $used < $best;
	}
	return $best;
}

my $alone;
sub others_pay_little
{
	my ($flood) = @_;
	my $cost = cost();

	note("$flood: $cost s of CPU time, $alone s before");
	cmp_ok($cost, '<', 2 * $alone + 0.02, "$flood: another type's fetch costs no more than twice as much");
	is($s->query($MEMORY), $memory, '... memory is as at the start');
	return;
}

plan skip_all => 'no /proc here' unless -r '/proc/self/stat';
cost();
$alone = cost();

# ---- more types than there are entries ----

# entries of another database, which come back
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{CREATE EXTENSION goque; INSERT INTO goque.tasks (type) SELECT 'type.' || i FROM generate_series(1, 10) i});
is($s->query(q{WITH a AS (INSERT INTO goque.tasks (type) SELECT 'type.' || i FROM generate_series(1, 5000) i RETURNING 1) SELECT count(*) FROM a}), '5000', '5,000 types');
others_pay_little('5,000 types');
is($s->query(q{SELECT string_agg(type, ',' ORDER BY type) FROM goque_fetch_any('{type.1,type.2500,type.5000}', 10)}), 'type.1,type.2500,type.5000', 'each is fetched');
my $sleeper = GoqueSession->new($node);
$sleeper->send(q{SELECT type FROM goque_fetch('type.5001', wait => '20 s')});
$sleeper->wait_asleep;
$s->query(q{SELECT goque_add('type.5001')});
is($sleeper->result, 'type.5001', 'a sleeper of one without an entry is woken');
cmp_ok($sleeper->seconds, '<', 10, '... at once');
$sleeper->quit;
is($s->query(q{SELECT count(*), sum(ready), sum(processing) FROM goque.stats WHERE type LIKE 'type.%'}), '5001|4997|4', 'goque.stats counts them all');
# a type without an entry keeps its limit when there is room for one again (F17)
my $claimer = GoqueSession->new($node);
$s->query(q{SELECT goque_configure('type.4999', max_running => 1); SELECT goque_add('type.4999'); SELECT goque_add('type.4999')});
is($claimer->query(q{BEGIN; SELECT count(*) FROM goque_fetch('type.4999')}), '1', 'a claim of a type with a limit');
$node->safe_psql('postgres', 'DROP DATABASE other WITH (FORCE)');
my $rooms = 0;
GoqueNode::wait_for('room for new entries', sub {
	my $room = 'room' . ++$rooms;		# one that was refused an entry gets none later

	$node->safe_psql('postgres', "CREATE DATABASE $room");
	return $node->safe_psql($room, q{CREATE EXTENSION goque; SELECT goque_add('x'); SELECT count(*) FROM goque.type_counters()}) =~ /1$/;
});
is($s->query(q{SELECT count(*) FROM goque_fetch('type.4999')}), '0', '... holds when there is room for its entry');
$claimer->query('ROLLBACK');
$claimer->quit;
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('type.4999', 2)}), '1', '... and leaves no place taken');
$s->query(q{SELECT goque_configure('type.4999', max_running => 0)});
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch_any(NULL, 10000)}), '4998', 'a fetch of all types takes them all');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# ---- all priorities ----

is($s->query(q{WITH a AS (INSERT INTO goque.tasks (type, priority) SELECT 'prio', i FROM generate_series(-32768, 32767) i ORDER BY md5(i::text) RETURNING 1) SELECT count(*) FROM a}), '65536', '65,536 priorities');
others_pay_little('65,536 priorities');
is($s->query(q{SELECT string_agg(priority::text, ',' ORDER BY priority) FROM goque_fetch('prio', 4)}), '-32768,-32767,-32766,-32765', 'the first come first');
is($s->query(q{SELECT count(goque_complete(id, token)), max(priority) FROM goque_fetch('prio', 30000)}), '30000|-2765', '30,000 are done');
my $before = cpu($s);
is($s->query(q{SELECT priority FROM goque_fetch('prio')}), '-2764', 'the next is the next one');
is(join(',', map { $s->query(q{SELECT priority FROM goque_fetch('prio')}) } 1 .. 2), '-2763,-2762', '... and so on');
my $after = cpu($s);
note('three fetches past 30,000 priorities: ', $after - $before, ' s');
$s->query(q{SELECT goque_cancel_all('prio') \g /dev/null});

# ---- more leases than there is room for, ending at once, and heartbeats without end ----

$s->query(q{SELECT goque_configure('lease', backoff => 'static', backoff_base => '1 h')});
$s->query(q{SELECT count(*) FROM goque_add_many('lease', array_fill('{}'::jsonb, '{50000}'))}) for 1, 2;
my $log = -s $node->logfile;
$s->query(q{SELECT goque_add('beat')});
my $held = $s->query(q{SELECT id FROM goque_fetch('beat')});
my $beater = GoqueSession->new($node);
$beater->send("DO \$\$ BEGIN LOOP PERFORM goque_heartbeat($held); COMMIT; END LOOP; END \$\$");
# the keeper, which looks five times a second, sees them all before they end
is($s->query(q{SELECT count(*) FROM goque_fetch('lease', 100000, lease => '4 s')}), '100000', '100,000 leases');
others_pay_little('100,000 leases end, and heartbeats go on');
GoqueNode::wait_until($node, q{SELECT count(*) = 100000 FROM goque.tasks WHERE type = 'lease' AND status = 'error'});
pass('all are ended');
is($s->query("SELECT status FROM goque.tasks WHERE id = $held"), 'processing', '... but the one of the heartbeats');
$s->query('SELECT pg_cancel_backend(' . $beater->pid . ')');
like($beater->result, qr/57014/, '... which go on to the end');
my @said = grep { / goque keeper / } split /\n/, slurp_file($node->logfile, $log);
note($_) for @said;
cmp_ok(scalar @said, '<', 20, '... and the log says so in summary');
is($s->query($MEMORY), $memory, 'memory is as at the start');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $quiet, $beater;
$node->stop;
done_testing();
