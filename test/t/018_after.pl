# Tasks that wait for others, over crashes, restarts, prepared transactions and dumps,
# with keepers, and many of them (F8, F16, F20, F36, F46).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('after', conf => <<'CONF');
restart_after_crash = on
autovacuum = off
goque.heal_interval = '100ms'
goque.clean_interval = '1s'
CONF
my $s = session();

# A crash must not take back what this session claims.
sub session
{
	return GoqueSession->new($node, 'postgres', options => '-c goque.async_claims=off');
}

sub state_of
{
	my ($type) = @_;

	return $s->query("SELECT string_agg(concat(payload, ' ', status), ', ' ORDER BY id) FROM goque.tasks WHERE type = '$type'");
}

sub add
{
	my ($type, $payload, @parents) = @_;

	return $s->query("SELECT goque_add('$type', '$payload', after => '{" . join(',', @parents) . "}')");
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

sub fetch { my ($type, $lease) = @_; return $s->query("SELECT count(*) FROM goque_fetch('$type', 1, lease => '" . ($lease || '1 h') . "')"); }
sub complete { my ($type) = @_; return $s->query("SELECT goque_complete(id) FROM goque.tasks WHERE type = '$type' AND status = 'processing'"); }

# ---- restarts ----

# which types have children is not known after a start: that counts as yes
my $p = add('start', 1);
add('start', 2, $p);
fetch('start');
restart('immediate');
complete('start');
is(state_of('start'), '1 done, 2 new', 'a parent is done after a crash');
$p = add('start.fast', 1);
add('start.fast', 2, $p);
fetch('start.fast');
restart('fast');
$s->query("SELECT goque_cancel($p)");
is(state_of('start.fast'), '1 canceled, 2 canceled', 'or canceled after an orderly restart');

# ---- prepared transactions ----

$p = add('prepared', 1);
add('prepared', 2, $p);
my $b = GoqueSession->new($node);
$b->query(q{BEGIN; SELECT goque_complete(id, token) FROM goque_fetch('prepared')});
is($b->query(q{PREPARE TRANSACTION 'finish'}), '', 'prepared');
$b->quit;
restart('immediate');
is(state_of('prepared'), '1 new, 2 pending', 'nothing is seen of it yet');
$s->query(q{COMMIT PREPARED 'finish'});
is(state_of('prepared'), '1 done, 2 new', 'the child starts with its commit');
GoqueNode::wait_until($node, q{SELECT count(*) > 0 FROM goque_fetch('prepared', lease => '1 h')});

# ---- the keeper ----

# heals a parent; passes by while the child is locked, and comes again
$s->query(q{SELECT goque_configure('heal', max_attempts => 1)});
$p = add('heal', 1);
my $c = add('heal', 2, $p);
add('heal', 3, $c);
$b = GoqueSession->new($node);
$b->query("BEGIN; SELECT * FROM goque_reschedule_many('{$c}', now(), 1)");
fetch('heal', '10 ms');
add('heal.plain', 1);
fetch('heal.plain', '10 ms');
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.tasks WHERE type = 'heal.plain' AND status <> 'processing'});
is(state_of('heal'), '1 processing, 2 pending, 3 pending', 'the healer waits for no child, and heals the others');
$b->query('COMMIT');
GoqueNode::wait_until($node, q{SELECT count(*) = 2 FROM goque.tasks WHERE type = 'heal' AND status = 'canceled'});
is(state_of('heal'), '1 attempts_left, 2 canceled, 3 canceled', 'it comes again');
$b->quit;

# finds those whose parent went without their hearing of it
$p = add('lost', 1);
add('lost', 2, $p);
$s->query("DELETE FROM goque.tasks_0 WHERE id = $p");
$p = add('lost', 3);
add('lost', 4, $p);
$s->query("UPDATE goque.tasks_0 SET status = 5, finished_at = now() WHERE id = $p");
$s->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
GoqueNode::wait_until($node, q{SELECT count(*) = 0 FROM goque.tasks WHERE type = 'lost' AND status = 'pending'});
is(state_of('lost'), '2 canceled, 3 done, 4 new', 'the check finds them');

# ---- a dump ----

$p = add('dump', 1);
add('dump', 2, $p);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $node->basedir . '/dump', '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('copy'), $node->basedir . '/dump' ], 'pg_restore');
$b = GoqueSession->new($node, 'copy');
is($b->query(q{SELECT goque_complete(id, token) FROM goque_fetch('dump')}), 't', 'the parent is done in the copy');
is($b->query(q{SELECT payload FROM goque_fetch('dump')}), '2', 'and its child starts');
$b->quit;

# ---- many ----

$p = $s->query(q{SELECT goque_add('fan')});
$s->query("SELECT count(*) FROM goque_add_many('fan', array_fill('1'::jsonb, ARRAY[10000]), after => ARRAY[$p])");
note sprintf('10,000 children were added in %.1f s', $s->seconds);
$s->query(q{SELECT goque_add('fan.end', after => ARRAY(SELECT id FROM goque.tasks WHERE type = 'fan'))});
note sprintf('one after 10,001 was added in %.1f s', $s->seconds);
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('fan', 100)});
note sprintf('10,000 were started in %.1f s', $s->seconds);
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'fan' AND status = 'new'}), '10000', 'all children of one start');
$s->query(q{SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque_fetch('fan', 10000)))});
note sprintf('10,000 were fetched and ended together in %.1f s', $s->seconds);
is(state_of('fan.end'), '{} new', 'and the child of all of them');
is($s->query('SELECT count(*) FROM goque.dependencies d WHERE EXISTS (SELECT FROM goque.tasks t WHERE t.id = d.child AND t.type LIKE \'fan%\')'), '0', 'no dependency is left');
$p = $s->query(q{SELECT goque_add('chain')});
$s->query(<<'SQL');
DO $$
DECLARE
	last bigint := (SELECT id FROM goque.tasks WHERE type = 'chain');
BEGIN
	FOR i IN 1 .. 2000 LOOP
		last := goque_add('chain', after => ARRAY[last]);
	END LOOP;
END
$$
SQL
is($s->query("SELECT goque_cancel($p)"), 't', 'the head of a chain of 2,000 is canceled');
note sprintf('2,000 were canceled one after the other in %.1f s', $s->seconds);
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'chain' AND status = 'canceled'}), '2001', 'with all that follow');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
