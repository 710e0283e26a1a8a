# A shutdown with many sleepers is quick, and costs no attempt (F25).
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

my $node = GoqueNode::new_node('shutdown', conf => "goque.heal_interval = '100ms'\n");
my $s = GoqueSession->new($node);
my ($id, $token) = split /\|/, $s->query(q{SELECT goque_add('a', max_attempts => 3) \g /dev/null
	SELECT id, token FROM goque_fetch('a', lease => '1 h')});

# smart: with no client there, only our own processes could hold it up
$s->quit;
my $start = time;
$node->stop('smart');
cmp_ok(time - $start, '<', 5, 'a smart shutdown is quick');
$node->start;
$s = GoqueSession->new($node);
is($s->query("SELECT goque_heartbeat($id, $token) IS NOT NULL"), 't', 'the lease holds');

my @sleepers = map { GoqueSession->new($node) } 1 .. 20;
for my $i (0 .. $#sleepers)
{
	$sleepers[$i]->send($i % 2 ? q{SELECT goque_fetch('b', wait => '1 min')} : q{CALL goque_wait('{b, c}', '1 h')});
}
$_->wait_asleep for @sleepers;
$s->query(q{SELECT count(*) FROM goque_add_many('h', array_fill('{}'::jsonb, '{5000}'))});
$s->query(q{BEGIN; SELECT count(*) FROM goque_fetch('h', 5000, lease => '1 ms'); COMMIT});
$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'a fast shutdown with 20 sleepers and a busy keeper is quick');
$_->kill_client for @sleepers, $s;

$node->start;
$s = GoqueSession->new($node);
is($s->query(q{SELECT count(*), max(attempts) FROM goque.tasks}), '5001|1', 'no attempt is spent');
is($s->query("SELECT goque_complete($id, $token)"), 't', 'the lease holds');
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE status = 'processing'}, '0');
pass('what was over is healed');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
