# Memory stays (F39): a process that serves for months must not grow.
#
# What months do is done here in seconds, in one process each:
# - a session of a client: 100,000 tasks added, fetched and completed, 20,000 of them
#   one by one, each call in a transaction of its own;
# - a session that does the keeper's duties by hand: 20,000 goque_heal() and
#   goque_clean(), 2,000 of which find a lease to end and a task to remove, and 10,000
#   goque_heal() that fail in transactions that roll back; and one call over 20,000;
# - the keeper: 20,000 leases to end and tasks to remove, as fast as it goes.
# After a tenth of it each process has what it keeps; from then to the end it may
# take a megabyte.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;

use GoqueNode;

plan skip_all => 'no /proc here' unless -r '/proc/self/status';

my $node = GoqueNode::new_node('memory',
	conf => "goque.heal_interval = '100ms'\ngoque.clean_interval = '100ms'\n");
my $s = GoqueSession->new($node);

# What a process has for itself, in kB.
sub memory
{
	my ($pid) = @_;
	my ($kb) = slurp_file("/proc/$pid/status") =~ /RssAnon:\s+(\d+) kB/;

	return $kb;
}

# Do a tenth, then the rest.
sub stays
{
	my ($name, $pid, $n, $do) = @_;

	$do->($n / 10);
	my $before = memory($pid);

	$do->($n - $n / 10);
	my $growth = memory($pid) - $before;

	note("$name: $growth kB more");
	cmp_ok($growth, '<', 1024, "$name: memory stays");
	return;
}

# A loop of transactions, without a round trip for each.
sub loop
{
	my ($session, $n, $declare, $body) = @_;

	is($session->query("DO \$\$ DECLARE $declare BEGIN FOR i IN 1..$n LOOP $body COMMIT; END LOOP; END \$\$"), '', "... $n times");
	return;
}

$s->query(q{SELECT goque_configure(t, retention => '0', retention_failed => '0', max_attempts => 1)
	FROM unnest('{one,many,lease}'::text[]) t});

# ---- a client ----

my $client = GoqueSession->new($node);

stays('20,000 tasks one by one', $client->pid, 20_000, sub {
	loop($client, $_[0], 'r record;', q{PERFORM goque_add('one', jsonb_build_object('i', i)); COMMIT;
		SELECT * INTO STRICT r FROM goque_fetch('one'); COMMIT;
		PERFORM goque_complete(r.id, r.token);});
});
stays('80,000 tasks, 100 in a call', $client->pid, 800, sub {
	loop($client, $_[0], 'ids bigint[]; tokens bigint[];',
		q{PERFORM goque_add_many('many', array_fill(jsonb_build_object('i', i), '{100}')); COMMIT;
		SELECT array_agg(id), array_agg(token) INTO ids, tokens FROM goque_fetch('many', 100); COMMIT;
		PERFORM goque_complete_many(ids, tokens);});
});
is($s->query(q{SELECT type, ready, processing FROM goque.stats WHERE type IN ('one', 'many') AND ready + processing > 0}), '', 'all were done');
$client->quit;

# ---- the keeper ----

my $KEEPER = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = current_database()};
my $keeper = $s->query($KEEPER);

stays('the keeper, 20,000 leases', $keeper, 20_000, sub {
	$s->query(qq{SELECT goque_add_many('lease', array_fill('{}'::jsonb, '{$_[0]}')) \\g /dev/null});
	loop($s, $_[0] / 10, '', q{PERFORM goque_fetch('lease', 10, lease => '1 ms');});
	GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'lease'}, '0');
});
is($s->query($KEEPER), $keeper, '... by one process');

# ---- by hand: cycles that succeed, and cycles that fail ----

my $hand = GoqueSession->new($node);

stays('20,000 goque_heal() and goque_clean()', $hand->pid, 20_000, sub {
	loop($hand, $_[0], '', q{IF i % 10 = 0 THEN
			PERFORM goque_add('lease'); COMMIT; PERFORM goque_fetch('lease', lease => '1 us'); COMMIT;
		END IF;
		PERFORM goque_heal(); COMMIT; PERFORM goque_clean();});
});
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'lease'}), '0', '... did their work');

# One call over many tasks keeps a few bytes of each: 20,000 that have expired.
my $peak = sub { (slurp_file('/proc/' . $hand->pid . '/status') =~ /VmPeak:\s+(\d+) kB/)[0] };

$hand->query(q{SELECT goque_heal()});
my $peak_before = $peak->();
is($hand->query(q{BEGIN; SELECT count(*) FROM goque_add_many('expire', array_fill('{}'::jsonb, '{20000}'), expires_in => '1 us');
	SELECT goque_heal(); SELECT count(*) FROM goque.tasks WHERE type = 'expire' AND status = 'canceled'; COMMIT}), "20000\n0\n20000", 'a call that cancels 20,000 expired tasks');
my $peak_growth = $peak->() - $peak_before;
note("20,000 expired tasks in one call: $peak_growth kB more at the peak");
cmp_ok($peak_growth, '<', 16 * 1024, '... and keeps little of each');

# A table is held: each call reads some tables, waits a millisecond and fails.
my $file = PostgreSQL::Test::Utils::tempdir() . '/failing.sql';
my $holder = GoqueSession->new($node);
$hand->query(q{SET log_min_messages = panic; SET lock_timeout = '1 ms'});
$holder->query('BEGIN; LOCK TABLE goque.tasks_1 IN ACCESS EXCLUSIVE MODE');
stays('10,000 goque_heal() that fail', $hand->pid, 10_000, sub {
	unlink $file;
	append_to_file($file, "SELECT goque_heal();\n" x $_[0]);
	my $failed = () = $hand->query("\\i $file\nSELECT 1") =~ /ERROR:  55P03/g;
	is($failed, $_[0], '... each of them');
});
$holder->query('COMMIT');
is($hand->query('SELECT goque_heal()'), '0', '... and then it succeeds');
$_->quit for $hand, $holder;
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
