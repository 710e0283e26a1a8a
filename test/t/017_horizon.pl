# goque.health names what holds back the xmin horizon: a backend, a prepared transaction,
# a standby, a replication slot; it is well while that is young; a subscription (F50).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('horizon', init => [ allows_streaming => 1 ],
	conf => "max_prepared_transactions = 5\nautovacuum = off\n");
my $s = GoqueSession->new($node);

# The check's row; with $limit, as if that was the time it may be held for, and the
# number of transactions.
sub horizon
{
	my ($limit) = @_;
	my $query = 'goque.health';

	if ($limit)
	{
		$query = $s->query(q{SELECT replace(pg_get_viewdef('goque.health'), E'\n', ' ')});
		$query =~ s/;\s*$//;
		$query =~ s/'00:10:00'::interval/'00:00:00'::interval/ or die $query;
		$query =~ s/transactions > 100000/transactions >= 0/ or die $query;
		$query = "($query) h";
	}
	return $s->query("SELECT ok, detail, hint FROM $query WHERE check_name = 'xmin_horizon'");
}

is(horizon(), 't|nothing holds it back|', 'nothing');
$s->query(q{SELECT goque_configure('t', max_attempts => n) FROM generate_series(1, 30) n});

# ---- a backend ----

my $b = GoqueSession->new($node);
my $pid = $b->pid;
$b->query(qq{SET application_name = E'two\\nlines'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class});
$s->query(q{SELECT goque_add('t') FROM generate_series(1, 3)});
like(horizon(), qr/^t\|backend $pid \(two(?:\?|\\x0a)lines, idle in transaction\) holds it back by [1-9]\d* transactions, for 00:\d\d:\S+; meanwhile \d+ bytes in 0 older generations wait to be emptied, and \d+ dead rows in goque's tables stay\|$/,
	'a young one is named, and all is well');
like(horizon('now'), qr/^f\|backend $pid .*\|.*SELECT pg_terminate_backend\($pid\);$/, 'an old one is not well');
$b->query('SELECT pg_current_xact_id()');
like(horizon('now'), qr/^f\|backend $pid /, '... with a transaction id too');
$b->query('ROLLBACK');
is(horizon('now'), 't|nothing holds it back|', 'it is gone');

# what it costs: dead rows, and generations that wait
$s->query(q{VACUUM goque.settings});
$b->query(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM goque.stats});
$s->query(q{SELECT goque_configure('t', max_attempts => 7)});
$s->query(q{SELECT setval('goque.generation_seq', last_value + 1) FROM goque.generation_seq});
GoqueNode::wait_for('the statistics', sub {
	my ($waiting, $dead) = split /\|/, $s->query(q{SELECT waiting_generations, dead_rows FROM goque.horizon_costs()});
	return $waiting >= 1 && $dead >= 1;
});
like(horizon('now'), qr/meanwhile \d+ kB in 1 older generations wait to be emptied, and [1-9]\d* dead rows/, 'bytes and dead rows are told');
$b->query('ROLLBACK');

# ---- a prepared transaction ----

$b->query(q{BEGIN; SELECT goque_add('t'); PREPARE TRANSACTION 'it''s mine'});
like(horizon('now'), qr/^f\|prepared transaction 'it''s mine' holds it back .*\|.*COMMIT PREPARED 'it''s mine'; or: ROLLBACK PREPARED 'it''s mine';$/,
	'a prepared transaction');
$b->query(q{ROLLBACK PREPARED 'it''s mine'});

# ---- another database: not our horizon ----

$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
my $e = GoqueSession->new($node, 'elsewhere');
$e->query(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class});
is(horizon('now'), 't|nothing holds it back|', 'a transaction in another database holds nothing back here');
$e->quit;

# ---- a standby, and a replication slot ----

$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = '100ms'\n");
$standby->start;
my $r = GoqueSession->new($standby);
$r->query(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class});
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.horizon_holders() WHERE kind = 'standby'});
$s->query(q{SELECT goque_add('t') FROM generate_series(1, 3)});
like(horizon('now'), qr/^f\|standby 'standby' holds it back by \d+ transactions; .*hot_standby_feedback/, 'a standby');
$r->quit;
$s->query(q{SELECT pg_create_physical_replication_slot('seat')});
$standby->append_conf('postgresql.conf', "primary_slot_name = 'seat'\n");
$standby->restart;
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.horizon_holders() WHERE kind = 'replication slot'});
$standby->stop;
like(horizon('now'), qr/^f\|replication slot 'seat' holds it back by \d+ transactions; .*SELECT pg_drop_replication_slot\('seat'\);$/, 'a slot');
like(horizon(), qr/^t\|replication slot/, '... young');
GoqueNode::wait_for('the slot to be free', sub { $s->query(q{SELECT pg_drop_replication_slot('seat')}) eq '' });
is(horizon('now'), 't|nothing holds it back|', 'it is gone');

# ---- who may only monitor sees the same ----

$s->query(q{CREATE ROLE watcher LOGIN; SELECT goque_grant('watcher', 'monitor')});
my $w = GoqueSession->new($node, 'postgres', user => 'watcher');
$b->query(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class});
like($w->query(q{SELECT detail FROM goque.health WHERE check_name = 'xmin_horizon'}), qr/^backend $pid \(two(?:\?|\\x0a)lines, idle in transaction\)/,
	'a role with monitor is told all of it');
$b->query('ROLLBACK');

# ---- a subscription (F50) ----

my $subscription = q{SELECT ok, detail, hint <> '' FROM goque.health WHERE check_name = 'subscription'};
is($s->query($subscription), q{t|no subscription writes into goque's tables|}, 'no subscription');
$s->query(q{CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (connect = false)} . ' \g /dev/null');
$s->query(q{SET allow_system_table_mods = on; INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'goque.tasks_3'::regclass, 'r' FROM pg_subscription});
is($s->query($subscription), q{f|subscription sub copies tasks of another server into 1 of goque's tables here|t}, 'one that brings tasks is named');
is($w->query($subscription), q{f|subscription sub copies tasks of another server into 1 of goque's tables here|t}, '... to who may only monitor, too');

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $b, $w;
$node->stop;
done_testing();
