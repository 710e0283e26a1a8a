# goque_wait_for: woken by commits, of a prepared transaction at its next look; limits of
# time, lost clients, cancel; without shared memory; on a standby (F18, F37).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $PROMPT = 2.5;				# before its own next look
my $node = GoqueNode::new_node('wait_for', init => [ allows_streaming => 1 ],
	conf => "max_prepared_transactions = 5\n");
my $s = GoqueSession->new($node);
my $a = GoqueSession->new($node);

sub new_task
{
	my $id = $s->query(q{SELECT goque_add('t')});

	$s->query(q{SELECT id FROM goque_fetch('t')});
	return $id;
}

sub waiting_for
{
	my ($id, $timeout) = @_;

	$timeout ||= '1 min';
	return "SELECT status, result, error FROM goque_wait_for($id, '$timeout')";
}

# ---- woken by the commit ----

my $id = new_task();
$a->send(waiting_for($id));
$a->wait_asleep;
is($s->query("SELECT what FROM goque.workers WHERE kind = 'waiter'"),
	"waits for the end of task $id", 'goque.workers shows it');
is($s->query('SELECT backend_xid IS NULL FROM pg_stat_activity WHERE pid = ' . $a->pid),
	't', 'it holds no transaction id (F37)');
is($s->query(q{BEGIN; LOCK TABLE goque.tasks_0 NOWAIT; ROLLBACK}), '', '... and no lock on a table');
$s->query("BEGIN; SELECT goque_complete($id, result => '[1]')");
ok(!$a->is_done, 'not before the commit');
$s->query('COMMIT');
is($a->result, 'done|[1]|', 'the commit wakes it');
cmp_ok($a->seconds, '<', 30, '... before its time');

# many who wait, for one task and for others
my @ids = map { new_task() } 1 .. 8;
my @waiters = map { GoqueSession->new($node) } 1 .. 8;
$waiters[$_]->send(waiting_for($ids[$_ / 2])) for 0 .. 7;
$_->wait_asleep for @waiters;
my $all = join ',', @ids;
is($s->query("SELECT count(*) FROM goque_complete_many(ARRAY[$all])"), '8', 'a batch ends all');
is(join(' ', map { $_->result } @waiters), join(' ', ('done||') x 8), '... and wakes all');
is(scalar(grep { $_->seconds < $PROMPT } @waiters), 8, '... promptly');
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}), '0', 'nobody is left in the table');

# the end comes at any moment between sign-up, look and sleep
my $slow = 0;
for (1 .. 40)
{
	$id = new_task();
	$a->send(waiting_for($id));
	$s->query("SELECT goque_complete($id)");
	$slow++ unless $a->result eq 'done||' && $a->seconds < $PROMPT;
}
is($slow, 0, 'no wake-up is lost');

# the healer and the cleaner
$s->query(q{SELECT goque_configure('t', max_attempts => 1)});
$id = $s->query(q{SELECT goque_add('t')});
$s->query(q{SELECT id FROM goque_fetch('t', lease => '1 s')});
$a->send(waiting_for($id));
like($a->result, qr/^attempts_left\|\|lease expired/, 'the healer wakes it');
$s->query(q{SELECT goque_configure('t', max_attempts => 2)});

# ---- prepared: at the next look ----

$id = new_task();
$a->send(waiting_for($id));
$a->wait_asleep;
$s->query("BEGIN; SELECT goque_complete($id); PREPARE TRANSACTION 'p'");
ok(!$a->is_done, 'PREPARE does not end the task');
$s->query("COMMIT PREPARED 'p'");
is($a->result, 'done||', 'COMMIT PREPARED does, within seconds');
cmp_ok($a->seconds, '<', 20, '... and before its time');

# ---- what it cannot wait for ----

is($s->query(q{BEGIN; SELECT goque_wait_for(goque_add('t'))}), 'ERROR:  55000', 'added by this very transaction');
$s->query('ROLLBACK');
$id = new_task();
is($s->query("BEGIN; SELECT goque_heartbeat($id) > now(); " . waiting_for($id)), "t\nERROR:  55000", '... changed by it');
$s->query('ROLLBACK');
is($s->query("BEGIN; SELECT goque_guard($id, 0); " . waiting_for($id)), "\nERROR:  55000", '... guarded by it');
$s->query('ROLLBACK');
is($s->query("BEGIN; SELECT goque_complete($id); " . waiting_for($id) . '; ROLLBACK'), "t\ndone||", '... but one that it ended has ended');
is($s->query(waiting_for(-1)), '||', 'no such task');
$s->query(q{BEGIN});
my $unseen = $s->query(q{SELECT goque_add('u')});
is($a->query(waiting_for($unseen)), '||', 'nor one that is not committed');
$s->query(q{ROLLBACK});

# ---- limits of time, cancel, lost clients ----

$id = new_task();
$a->query(q{SET statement_timeout = '1 s'});
is($a->query(waiting_for($id)), '', 'it returns before its statement_timeout, without a row');
$a->query(q{RESET statement_timeout});
is($a->query(waiting_for($id, '200 ms')), '', 'a wait ends at its time');
cmp_ok($a->seconds, '>=', 0.2, '... and not before');

$a->send(waiting_for($id));
$a->wait_asleep;
$s->query('SELECT pg_cancel_backend(' . $a->pid . ')');
is($a->result, 'ERROR:  57014', 'it is canceled');
$a->query("BEGIN; SAVEPOINT s");
$a->send(waiting_for($id));
$a->wait_asleep;
$s->query('SELECT pg_cancel_backend(' . $a->pid . ')');
is($a->result, 'ERROR:  57014', '... in a subtransaction too');
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}), '0', 'no waiter is left behind');
$a->query('ROLLBACK');

for my $how ('terminated', 'killed')
{
	my $lost = GoqueSession->new($node);
	$lost->send(waiting_for($id));
	$lost->wait_asleep;
	$how eq 'killed' ? $lost->kill_client : $s->query('SELECT pg_terminate_backend(' . $lost->pid . ')');
	$lost->wait_gone;
	is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}), '0', "the place of a client that was $how is free");
	$lost->kill_client;
}

# ---- a standby: once a second ----

$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
my $r = GoqueSession->new($standby);
$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
$r->send(waiting_for($id));
$r->wait_asleep;
$s->query("SELECT goque_complete($id)");
is($r->result, 'done||', 'on a standby');
cmp_ok($r->seconds, '<', 30, '... before its time');
$r->quit;
$standby->stop;

# ---- without shared memory: once a second ----

$_->quit for $s, $a, @waiters;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
($s, $a) = map { GoqueSession->new($node) } 1 .. 2;
$id = new_task();
$a->send(waiting_for($id));
$a->wait_asleep;
$s->query("SELECT goque_complete($id)");
is($a->result, 'done||', 'without shared memory');
cmp_ok($a->seconds, '<', 30, '... before its time');

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $a;
$node->stop;
done_testing();
