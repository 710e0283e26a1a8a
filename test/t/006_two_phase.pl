# Prepared transactions with adds, claims and finishes, committed or rolled back
# from elsewhere, with restarts and crashes in between (F8).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('two_phase', conf => "restart_after_crash = on\n");
my $s = session();

# A crash must not take back what this session claims.
sub session
{
	return GoqueSession->new($node, 'postgres', options => '-c goque.async_claims=off');
}

sub status_of
{
	my ($id) = @_;

	return $s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id");
}

# A COMMIT or ROLLBACK PREPARED tells nobody of goque; the keeper's check finds
# what it made ready, within a minute.  A new keeper checks at once.
sub after_check
{
	$s->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
	GoqueNode::wait_until($node, $_[0]);
	return;
}

sub restart
{
	my ($how) = @_;

	$s->kill_client;
	$node->stop($how);
	$node->start;
	$s = session();
	return;
}

sub prepare
{
	my ($name, $sql) = @_;
	my $b = GoqueSession->new($node);
	my $answer = $b->query("BEGIN; $sql");

	is($b->query("PREPARE TRANSACTION '$name'"), '', "prepared: $name");
	is($b->query('SELECT 1'), '1', 'the session goes on');
	$b->quit;
	return $answer;
}

my $FOUND = q{SELECT count(*) > 0 FROM goque_fetch('%s', lease => '1 h')};

# ---- adds ----

for my $how ('fast', 'immediate', '')
{
	my $id = prepare('add', q{SELECT goque_add('a')});
	my $gone = prepare('gone', q{SELECT goque_add('a')});
	my $later = $s->query(q{SELECT goque_add('a')});

	is($s->query(q{SELECT id FROM goque_fetch('a', 5)}), $later, 'a prepared add is not seen');
	is($s->query(q{SELECT id FROM goque_fetch('a', 5)}), '', '... nor later');
	restart($how) if $how;
	is(status_of($id), '', 'it is held while prepared');
	is($s->query(q{COMMIT PREPARED 'add'; ROLLBACK PREPARED 'gone'}), '', 'ended elsewhere');
	is(status_of($id), 'new|0', 'the committed add is there');
	is(status_of($gone), '', 'the other is not');
	is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
	after_check(sprintf $FOUND, 'a');
	is(status_of($id), 'processing|1', 'it is fetched');
}

# ---- claims ----

for my $how ('immediate', '')
{
	my @ids = map { $s->query(q{SELECT goque_add('c')}) } 1 .. 2;
	my ($token) = prepare('claim', q{SELECT token FROM goque_fetch('c', lease => '1 h')});
	prepare('unclaim', q{SELECT token FROM goque_fetch('c', lease => '1 h')});

	is($s->query(q{SELECT id FROM goque_fetch('c')}), '', 'a prepared claim keeps others away');
	is($s->query("SELECT goque_heal()"), '0', '... the healer, too');
	restart($how) if $how;
	is(status_of($ids[0]), 'new|0', 'it is not counted yet');
	is($s->query(q{SELECT id FROM goque_fetch('c')}), '', 'it keeps others away still');
	$s->query(q{COMMIT PREPARED 'claim'; ROLLBACK PREPARED 'unclaim'});
	is(status_of($ids[0]), 'processing|1', 'committed');
	is(status_of($ids[1]), 'new|0', 'rolled back');
	is($s->query("SELECT goque_complete($ids[0], $token)"), 't', 'its token holds');
	is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
	after_check(sprintf $FOUND, 'c');
	is(status_of($ids[1]), 'processing|1', 'the other is fetched');
}

# a claim whose lease is over when it is committed
my $id = $s->query(q{SELECT goque_add('o')});
prepare('over', q{SELECT token FROM goque_fetch('o', lease => '1 ms')});
$s->query(q{COMMIT PREPARED 'over'});
is($s->query(q{SELECT goque_heal()}), '1', 'goque_heal ends a lease that was prepared');

# ... and one that is rolled back, and that nobody else takes
$id = $s->query(q{SELECT goque_add('r')});
prepare('back', q{SELECT token FROM goque_fetch('r', lease => '1 ms')});
$s->query(q{SELECT goque_pause('r'); ROLLBACK PREPARED 'back'});
GoqueNode::wait_until($node, "SELECT count(*) = 0 FROM goque.workers WHERE what = 'holds task $id'");
is(status_of($id), 'new|0', 'goque.workers names no holder when the lease would be over');

# ---- finishes ----

my %finish = (
	done => 'goque_complete(%s, %s)', error => q{goque_fail(%s, 'x', %s)},
	new => 'goque_release(%s, %s)', canceled => 'goque_cancel(%s)');

for my $status (sort keys %finish)
{
	my (@tasks) = map {
		$s->query(q{SELECT goque_add('f') \g /dev/null
			SELECT id, token FROM goque_fetch('f', lease => '1 h')}) } 1 .. 2;
	my @ids = map { (split /\|/)[0] } @tasks;
	my @tokens = map { (split /\|/)[1] } @tasks;

	prepare('finish', 'SELECT ' . sprintf($finish{$status}, $ids[0], $tokens[0]));
	prepare('unfinish', 'SELECT ' . sprintf($finish{$status}, $ids[1], $tokens[1]));
	is(status_of($ids[0]), 'processing|1', 'held while prepared');
	restart('immediate') if $status eq 'done';
	$s->query(q{COMMIT PREPARED 'finish'; ROLLBACK PREPARED 'unfinish'});
	is(status_of($ids[0]), $status eq 'new' ? 'new|0' : "$status|1", "committed: $status");
	is(status_of($ids[1]), 'processing|1', 'rolled back');
	is($s->query("SELECT goque_complete($ids[0], $tokens[0])"), 'f', 'the token of the one is over');
	is($s->query("SELECT goque_complete($ids[1], $tokens[1])"), 't', '... that of the other holds');
	is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
	$s->query("SELECT goque_cancel($ids[0])");
}

# ---- an external id (F14) ----

for my $end ('COMMIT', 'ROLLBACK')
{
	my $b = GoqueSession->new($node);

	prepare('key', qq{SELECT goque_add('x', external_id => '$end')});
	$b->send(qq{SELECT goque_add('x', external_id => '$end') > 0});
	$b->wait_blocked;
	is($s->query(qq{SELECT goque_add('x', external_id => 'other $end') > 0; SELECT goque_cancel_all('x') > 0}),
		"t\nt", 'nobody else waits');
	$s->query("$end PREPARED 'key'");
	is($b->result, $end eq 'COMMIT' ? 'ERROR:  23505' : 't', "$end PREPARED: the second add of an external id");
	$b->quit;
}

# ---- stats are right, and are counted in memory, when all are gone ----

after_check(q{SELECT every(counted) FROM goque.type_counters()});
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
