# The synchronous standby is down (F43): who waits for it, and who must not.  goque's own
# maintenance commits without it, so that no lock of a worker waits for a standby.
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $primary = GoqueNode::new_node('primary', init => [ allows_streaming => 1 ],
	conf => "goque.heal_interval = '100ms'\ngoque.clean_interval = '100ms'\n");
my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->backup('b');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'\n");
$primary->reload;
GoqueNode::wait_until($primary, q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}, '1');

my $s = GoqueSession->new($primary, 'postgres', options => '-c synchronous_commit=local');
my $sync = GoqueSession->new($primary);
my $other = GoqueSession->new($primary);

is($sync->query('SHOW synchronous_commit'), 'on', 'a session that waits for the standby');
$s->query(q{SELECT goque_configure('a', backoff => 'static', backoff_base => '1 ms', retention_failed => '1 s', retention => '1 s')});
$s->query(q{SELECT goque_configure('later', retention => '1 h')});
my $held = $sync->query(q{SELECT goque_add('later')});
my $first = $sync->query(q{SELECT goque_add('a')});
like($first, qr/^\d+$/, '... adds while the standby is there');
# (the row of goque_fetch in pg_proc, with so many dead versions in its page that the first
# who reads it prunes the page)
my $snapshot = GoqueSession->new($primary);
$snapshot->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$snapshot->query('SELECT 1');
$s->query("ALTER FUNCTION goque_fetch(text, int, interval, interval, text) COST $_") for 1 .. 100;
$snapshot->quit;
$standby->stop('fast');

# ---- a claim needs no flush, and so no standby; an add does ----

my ($id) = split /\|/, $sync->query(q{SELECT id FROM goque_fetch('a', lease => '300 ms')});
is($id, $first, 'a fetch, the first of its session, does not wait for the standby that is down');
$sync->send(q{SELECT goque_add('a')});
GoqueNode::wait_until($primary, "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = " . $sync->pid);
pass('an add waits');
$other->send("SELECT goque_complete(id, token) FROM goque_fetch('later')");
GoqueNode::wait_until($primary, "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = " . $other->pid);
pass('a completion waits');
is($s->query(q{SELECT count(*) FROM pg_locks WHERE pid IN (} . $sync->pid . ', ' . $other->pid . q{) AND relation IS NOT NULL
		AND mode NOT IN ('AccessShareLock', 'RowExclusiveLock')}), '0', '... with no lock that is in anybody\'s way');

# ---- maintenance goes on ----

GoqueNode::wait_until($primary, "SELECT status = 'error' FROM goque.tasks WHERE id = $id");
pass('the healer ends a lease');
$s->query("SELECT goque_cancel($id)");
GoqueNode::wait_until($primary, "SELECT count(*) FROM goque.tasks WHERE id = $id", '0');
pass('the cleaner removes what is past its retention');

$s->query(q{SELECT count(*) FROM goque_add_many('expires', array_fill('{}'::jsonb, '{100}'), expires_in => '1 ms')});
$s->query(q{SELECT goque_configure('expires', retention_failed => '0')});
GoqueNode::wait_until($primary, q{SELECT count(*) FROM goque.tasks WHERE type = 'expires'}, '0');
pass('what expires is canceled and removed');
$s->query(q{SELECT setval('goque.generation_seq', 1)});
like($s->query(q{SELECT goque_add('a')}), qr/^\d+$/, 'the ring has turned: tasks are added');
my ($again) = split /\|/, $s->query(q{SELECT id FROM goque_fetch('a', lease => '100 ms')});
GoqueNode::wait_until($primary, "SELECT status = 'error' FROM goque.tasks WHERE id = $again");
pass('... fetched and healed');

# the keeper has done a full round since, and none of goque's processes has waited
is($s->query(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'goque %' AND wait_event = 'SyncRep'}), '0',
	'no process of goque waits for the standby');
is($s->query(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE a.backend_type LIKE 'goque %' AND l.relation IS NOT NULL AND l.mode = 'AccessExclusiveLock'}), '0', '... nor holds a table');
is($s->query(q{SELECT failures FROM goque.server_state()}), '0', '... nor has failed');

is($sync->is_done || $other->is_done, '', 'those who waited for the standby still do');

# ---- the standby is back ----

$standby->start;
like($sync->result, qr/^\d+$/, 'it is back: the add is done');
is($other->result, 't', '... and the completion');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is($standby->safe_psql('postgres', "SELECT status FROM goque.tasks WHERE id = $held"), 'done', '... on the standby too');

is(GoqueNode::bad_log_lines($primary), '', 'the log is clean');
$_->quit for $s, $sync, $other;
$standby->stop;
$primary->stop;
done_testing();
