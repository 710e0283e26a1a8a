# Lines of goque.health that need a server in trouble: no launcher and so no keeper,
# leases that nobody ends, and waiters that take most of the connections.
use strict;
use warnings;
use Test::More;

use GoqueNode;

# the only background worker is PostgreSQL's own, for logical replication
my $node = GoqueNode::new_node('health',
	conf => "goque.heal_interval = '100ms'\nmax_worker_processes = 1\nmax_connections = 14\n");
my $s = GoqueSession->new($node);

sub health
{
	my ($check, $columns) = @_;

	return $s->query("SELECT $columns FROM goque.health WHERE check_name = '$check'");
}

# ---- no launcher ----

is($s->query(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'goque %'}), '0', 'there is no room for the launcher');
like(health('launcher_alive', 'ok, detail, hint'), qr/^f\|no launcher is running\|.*max_worker_processes/, 'health says so');
is(health('library_preloaded', 'ok'), 't', 'goque is preloaded all the same');
is(health('healer_alive', 'ok'), 't', 'there is nothing to heal yet');
my $id = $s->query(q{SELECT goque_add('h')});
is($s->query(q{SELECT id FROM goque_fetch('h', lease => '1 ms')}), $id, 'a lease that is over at once');

# ---- waiters, meanwhile ----

my @waiters = map { GoqueSession->new($node) } 1 .. 12;
$_->send(q{SELECT goque_complete(id, token) FROM goque_fetch('w', wait => '1 min')}) for @waiters[ 0 .. 10 ];
$_->wait_asleep for @waiters[ 0 .. 10 ];
is(health('waiters', 'ok, detail'), 't|11 sessions of this server wait for tasks, max_connections is 14', 'eleven of 14 connections wait');
my $other = $s->query(q{SELECT goque_add('other')});
$waiters[11]->send("SELECT status FROM goque_wait_for($other, '1 min')");
$waiters[11]->wait_asleep;
like(health('waiters', 'ok, detail, hint'), qr/^f\|12 sessions .* 14\|.*raise max_connections/, 'twelve are too many, whatever they wait for');
$s->query("SELECT goque_cancel($other)");
is($waiters[11]->result, 'canceled', 'who waits for a task is told');
$s->query(q{SELECT goque_add('w') FROM generate_series(1, 11)});
is(join(' ', map { $_->result } @waiters[ 0 .. 10 ]), join(' ', ('t') x 11), 'they work without a keeper');
is(health('waiters', 'ok'), 't', '... and all is well');

# ---- nobody heals ----

GoqueNode::wait_until($node, q{SELECT NOT ok FROM goque.health WHERE check_name = 'healer_alive'});
like(health('healer_alive', 'detail, hint'), qr/^had nothing to heal yet; 1 leases have been over since .*\|.*goque_heal\(\)/, 'health tells that nobody heals');
is($s->query("SELECT reason FROM goque_why($id)"), 'lease_over', '... and so does goque_why');
is($s->query('SELECT goque_heal()'), '1', 'what it says helps');
is(health('healer_alive', 'ok'), 't', '... and all is well');

# ---- with room for them ----

$_->quit for $s, @waiters;
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;
GoqueNode::wait_workers($node, q{count(*) >= 1});
$s = GoqueSession->new($node);
GoqueNode::wait_until($node, q{SELECT ok FROM goque.health WHERE check_name = 'launcher_alive'});
like(health('launcher_alive', 'detail'), qr/^pid \d+, since .*, last ran at /, 'after a restart with more room it is there');
$s->quit;
$node->stop;
done_testing();
