# Ordering keys over crashes and prepared transactions, with keepers, and under an
# old snapshot (F8, F17, F20, F36).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('order', conf => <<'CONF');
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

# The line of a key, without those that have ended.
sub line_of
{
	my ($type) = @_;

	return $s->query(
		"SELECT string_agg(concat(t.payload, ' ', t.status), ', ' ORDER BY r.place)
		FROM goque.ring r JOIN goque.tasks t USING (id) WHERE r.type = '$type' AND t.finished_at IS NULL");
}

sub add_line
{
	my ($type, $n) = @_;

	$s->query("SELECT goque_add('$type', to_jsonb(n), ordering_key => 'k') FROM generate_series(1, $n) n ORDER BY n");
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

# ---- crashes ----

add_line('crash', 3);
$s->query(q{SELECT count(*) FROM goque_fetch('crash', lease => '1 h')});
my $b = GoqueSession->new($node);
$b->query(q{BEGIN; SELECT goque_complete(id) FROM goque.tasks WHERE type = 'crash' AND status = 'processing'});
is($b->query(q{SELECT count(*) FROM goque_fetch('crash')}), '1', 'the next one is started in the same transaction');
$s->query('CHECKPOINT');
restart('immediate');
$b->kill_client;
is(line_of('crash'), '1 processing, 2 pending, 3 pending', 'a crash takes back the end and the start together');
$s->query(q{SELECT goque_complete(id) FROM goque.tasks WHERE type = 'crash' AND status = 'processing'});
restart('immediate');
is(line_of('crash'), '2 new, 3 pending', 'or keeps both');
is($s->query(q{SELECT payload FROM goque_fetch('crash', 10)}), '2', 'and it is fetched');

# ---- prepared transactions ----

add_line('prepared', 3);
$s->query(q{SELECT count(*) FROM goque_fetch('prepared', lease => '1 h')});
$b = GoqueSession->new($node);
$b->query(q{BEGIN; SELECT goque_complete(id) FROM goque.tasks WHERE type = 'prepared' AND status = 'processing'});
is($b->query(q{PREPARE TRANSACTION 'finish'}), '', 'prepared');
$b->quit;
restart('immediate');
is(line_of('prepared'), '1 processing, 2 pending, 3 pending', 'nothing is seen of it yet');
like($s->query(q{SET lock_timeout = '100 ms'; SELECT goque_add('prepared', ordering_key => 'k')}), qr/55P03/,
	'over the crash it holds the line');
$s->query('RESET lock_timeout');
$s->query(q{COMMIT PREPARED 'finish'});
is(line_of('prepared'), '2 new, 3 pending', 'the next one starts with its commit');
GoqueNode::wait_until($node, q{SELECT count(*) > 0 FROM goque_fetch('prepared', lease => '1 h')});

# settled at the prepare: the head was finished while another added
$b = GoqueSession->new($node);
my $c = GoqueSession->new($node);
$c->query(q{BEGIN; SELECT goque_add('prepared', '4', ordering_key => 'k')});
$b->query(q{BEGIN; SELECT goque_complete(id) FROM goque.tasks WHERE type = 'prepared' AND status = 'processing'});
$b->send(q{PREPARE TRANSACTION 'late'});
$b->wait_blocked;
$c->query('COMMIT');
is($b->result, '', 'the prepare waits for the add');
$s->query(q{COMMIT PREPARED 'late'});
is(line_of('prepared'), '3 new, 4 pending', 'and the line moves on');
$_->quit for ($b, $c);

# ---- the keeper ----

# heals the head; passes by while somebody holds the line, and comes again
$s->query(q{SELECT goque_configure('heal', max_attempts => 1)});
add_line('heal', 2);
$b = GoqueSession->new($node);
$b->query(q{BEGIN; SELECT goque_add('heal', '3', ordering_key => 'k')});
$s->query(q{SELECT count(*) FROM goque_fetch('heal', lease => '10 ms')});
$s->query(q{SELECT goque_add('heal.plain')});
$s->query(q{SELECT count(*) FROM goque_fetch('heal.plain', lease => '10 ms')});
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.tasks WHERE type = 'heal.plain' AND status <> 'processing'});
is(line_of('heal'), '1 processing, 2 pending', 'the healer does not wait for a line, and heals the others');
$b->query('COMMIT');
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.tasks WHERE type = 'heal' AND status = 'new'});
is(line_of('heal'), '2 new, 3 pending', 'it comes again');

# expires one that waits, and the head
$s->query(q{SELECT goque_add('expire', to_jsonb(n), ordering_key => 'k', expires_in => CASE n WHEN 3 THEN interval '1 h' ELSE '1 ms' END)
	FROM generate_series(1, 3) n ORDER BY n});
GoqueNode::wait_until($node, q{SELECT count(*) = 2 FROM goque.tasks WHERE type = 'expire' AND status = 'canceled'});
is(line_of('expire'), '3 new', 'expired tasks leave the line');

# starts what is stranded: rows that came from elsewhere
add_line('stranded', 3);
$s->query(q{DELETE FROM goque.tasks_0 WHERE type = 'stranded' AND payload = '1'});
$s->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.tasks WHERE type = 'stranded' AND status = 'new'});
is(line_of('stranded'), '2 new, 3 pending', 'a task that waits for nothing is started by the check');
GoqueNode::wait_for('the line of the log',
	sub { PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /goque started 1 pending task that waited for nothing any more/ });

# ---- an old snapshot ----

# 20,000 locks of one key cost what one costs: their entries are hidden from the
# next at once, and the index stays small
$s->query(q{ALTER SYSTEM SET goque.clean_interval = '1 h'});
$s->query(q{SELECT pg_reload_conf()});
GoqueNode::wait_until($node, q{SELECT current_setting('goque.clean_interval') = '1h'});
my $old = GoqueSession->new($node);
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$s->query(q{SELECT goque_add('locks', external_id => 'k')});
$s->query(<<'SQL');
DO $$
BEGIN
	FOR i IN 1 .. 20000 LOOP
		PERFORM goque_add('locks', external_id => 'k', on_conflict => 'ignore');
		COMMIT;
	END LOOP;
END
$$
SQL
my $pages = $s->query(q{SELECT pg_relation_size('goque.key_locks_pkey') / 8192});
cmp_ok($pages, '<', 20, 'the index of locks stays small');
cmp_ok($s->query(q{SELECT pg_relation_size('goque.key_locks') / 8192}), '>', 100, '... though VACUUM can remove nothing');
my $plan = $s->query(q{EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) SELECT goque_add('locks', external_id => 'k', on_conflict => 'ignore')});
my ($hits) = $plan =~ /shared hit=(\d+)/;
cmp_ok($hits, '<', 500, 'a lock of that key reads few pages');
# the rows are truncated when nobody holds a lock, the snapshot or not; others come
$s->query(q{ALTER SYSTEM SET goque.clean_interval = '1s'});
$s->query(q{SELECT pg_reload_conf()});
GoqueNode::wait_for('the setting', sub { $s->query('SHOW goque.clean_interval') eq '1s' });
$s->query(q{SELECT goque_add('locks', external_id => 'k', on_conflict => 'ignore')});
GoqueNode::wait_until($node, q{SELECT pg_relation_size('goque.key_locks') < 10 * 8192});
pass('the table of locks is truncated');
is($s->query(q{SELECT goque_add('locks', external_id => 'k', on_conflict => 'skip') IS NULL}), 't', 'and goes on');
$old->query('COMMIT');
$_->quit for ($old, $b);

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
