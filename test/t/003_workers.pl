# The launcher and the keepers: where they run, what they do by themselves, and
# that they come back.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

my $node = GoqueNode::new_node('workers',
	extension => 0, conf => "goque.heal_interval = '200ms'\n");
my $s = GoqueSession->new($node);
my $KEEPERS = q{SELECT coalesce(string_agg(datname, ',' ORDER BY datname), '')
	FROM pg_stat_activity WHERE backend_type = 'goque keeper'};

sub keepers_are
{
	my ($expected, $name) = @_;

	GoqueNode::wait_until($node, $KEEPERS, $expected, 'template1');
	pass($name);
	return;
}

# A lease that is over: the healer has something to do.
sub expire_one
{
	my ($db, $options) = @_;
	local $ENV{PGOPTIONS} = $options || '';

	return $node->safe_psql($db,
		q{SELECT goque_add('h') \g /dev/null
		SELECT id FROM goque_fetch('h', lease => '200 ms')});
}

sub heals
{
	my ($db, $name, $options) = @_;
	local $ENV{PGOPTIONS} = $options || '';
	my $id = expire_one($db, $options);

	GoqueNode::wait_until($node,
		"SELECT status = 'error' FROM goque.tasks WHERE id = $id", 't', $db);
	pass($name);
	return;
}

sub warnings_in_log
{
	my ($from) = @_;

	# what the sessions of the test are told is theirs
	my @lines = grep { /(WARNING|ERROR|FATAL|PANIC): / && !/ client backend / }
	  split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile, $from);

	note($_) for @lines;
	return scalar @lines;
}

# ---- a keeper where the extension is ----

GoqueNode::wait_workers($node, q{count(*) = 1 AND every(backend_type = 'goque launcher' AND datname IS NULL)});
pass('without the extension only the launcher runs');

my $start = time;
$s->query('CREATE EXTENSION goque');
keepers_are('postgres', 'CREATE EXTENSION brings a keeper');
cmp_ok(time - $start, '<', 5, '... within 5 s');
heals('postgres', 'it ends an expired lease by itself');

for my $db ('one', 'two', 'three')
{
	$node->safe_psql('template1', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION goque') unless $db eq 'three';
}
keepers_are('one,postgres,two', 'each database that has the extension has a keeper');
$s->quit;
$node->restart;
$s = GoqueSession->new($node);
keepers_are('one,postgres,two', 'after a restart the launcher finds them all (F23)');
heals($_, "it heals in \"$_\"") for 'one', 'two';

# ---- what they show and hold (F37) ----

GoqueNode::wait_workers($node, q{count(*) = 4 AND
	every(state = 'idle' AND backend_xid IS NULL AND backend_xmin IS NULL AND wait_event_type = 'Extension')});
pass('idle workers hold no snapshot and no transaction id');
is($s->query(q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE a.backend_type LIKE 'goque %' AND a.state = 'idle'}),
	'0', '... and no lock');
is($s->query(q{SELECT kind, database, pid IN (SELECT pid FROM pg_stat_activity) FROM goque.workers
		WHERE kind IN ('launcher', 'keeper') ORDER BY kind DESC, database}),
	"launcher||t\nkeeper|one|t\nkeeper|postgres|t\nkeeper|two|t", 'goque.workers shows them');
is($s->query(q{SELECT string_agg(check_name, ',') FROM goque.health WHERE NOT ok}), '', 'all is well');

# ---- signals (F27) ----

for my $signal ('pg_terminate_backend', 'pg_cancel_backend')
{
	for my $type ('goque launcher', 'goque keeper')
	{
		my $who = "backend_type = '$type' AND datname IS NOT DISTINCT FROM "
		  . ($type eq 'goque keeper' ? "'postgres'" : 'NULL');
		my $pid = $s->query("SELECT pid FROM pg_stat_activity WHERE $who");

		is($s->query("SELECT $signal($pid)"), 't', "$signal of the $type");
		$start = time;
		if ($signal eq 'pg_terminate_backend')
		{
			GoqueNode::wait_until($node,
				"SELECT count(*) = 1 AND every(pid <> $pid) FROM pg_stat_activity WHERE $who");
			cmp_ok(time - $start, '<', 5, 'it is back within 5 s');
		}
		heals('postgres', 'expired leases are ended');
	}
}

$s->query(q{ALTER SYSTEM SET goque.heal_interval = '1 h'; SELECT pg_reload_conf()});
GoqueNode::wait_until($node, q{SELECT current_setting('goque.heal_interval') = '1h'});
my $id = expire_one('one');
$s->query(q{ALTER SYSTEM RESET goque.heal_interval; SELECT pg_reload_conf()});
GoqueNode::wait_until($node,
	"SELECT status = 'error' FROM goque.tasks WHERE id = $id", 't', 'one');
pass('SIGHUP applies settings');

# a lease that is over before its claim is committed
for my $add ('', q{SELECT goque_add('h') \g /dev/null})
{
	$s->query(q{SELECT goque_add('h')}) unless $add;
	$s->query("BEGIN; $add");
	$id = $s->query(q{SELECT id FROM goque_fetch('h', lease => '1 ms')});
	$node->safe_psql('postgres', q{SELECT goque_add('h2') \g /dev/null
		SELECT 1 FROM goque_fetch('h2', lease => '1 ms')});
	GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'h2' AND status = 'processing'}, '0');
	$s->query('COMMIT');
	$start = time;
	GoqueNode::wait_until($node, "SELECT status = 'error' FROM goque.tasks WHERE id = $id");
	cmp_ok(time - $start, '<', 5, 'a lease that was over before its commit is ended' . ($add && ', the add in the same transaction'));
}

# ---- DROP EXTENSION (F29) ----

$s->query(q{SELECT goque_add('busy') FROM generate_series(1, 2000)});
$s->query(q{SELECT count(*) FROM goque_fetch('busy', 2000, lease => '1 ms')});
is($s->query('BEGIN; DROP EXTENSION goque'), '', 'DROP EXTENSION with a busy keeper');
$s->query('ROLLBACK');
heals('postgres', 'rolled back: it goes on');
$id = expire_one('postgres');
is($s->query('DROP EXTENSION goque'), '', 'DROP EXTENSION');
$start = time;
keepers_are('one,two', 'the keeper leaves');
cmp_ok(time - $start, '<', 5, '... within 5 s');
for (1 .. 3)
{
	$s->query('CREATE EXTENSION goque; DROP EXTENSION goque');
}
keepers_are('one,two', 'nor does one stay after CREATE and DROP in quick succession');
$s->query('BEGIN; CREATE EXTENSION goque; ROLLBACK');
is($s->query('CREATE EXTENSION goque'), '', 'CREATE EXTENSION again');
keepers_are('one,postgres,two', 'it has a keeper again');
heals('postgres', 'which heals');
is($s->query(q{SELECT goque_complete(id, token) FROM goque_fetch_any(NULL)}), '', 'nothing is left of the old queue');
is($s->query(q{SELECT type, total_added FROM goque.stats}), 'h|1', '... nor of its totals');
is($s->query('DROP SCHEMA goque CASCADE'), 'ERROR:  2BP01', 'the schema cannot be dropped without the extension');

# ---- databases that nobody may connect to (F32) ----

my $log = -s $node->logfile;
$s->query('ALTER DATABASE two ALLOW_CONNECTIONS false');
keepers_are('one,postgres', 'connections disallowed: the keeper goes');
$s->query('ALTER DATABASE one CONNECTION LIMIT 0');
keepers_are('postgres', 'limited to 0: too');
$s->quit;
$node->restart;
$s = GoqueSession->new($node);
keepers_are('postgres', 'nor are they connected to after a restart');
heals('postgres', 'the others go on');
is(warnings_in_log($log), '0', 'nothing is said about it');
$s->query('ALTER DATABASE two ALLOW_CONNECTIONS true; ALTER DATABASE one CONNECTION LIMIT -1');
keepers_are('one,postgres,two', 'allowed again: they are back');

$s->query('ALTER DATABASE three IS_TEMPLATE true');
$node->safe_psql('three', 'CREATE EXTENSION goque');
heals('three', 'a template is healed');
keepers_are('one,postgres,two', '... but no keeper stays there');

# ---- settings of the database or the role (F40) ----

$log = -s $node->logfile;
for my $of ('DATABASE one', 'ROLE ' . $s->query('SELECT current_user'))
{
	my $harmless = '-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c search_path=public';

	$s->query("ALTER $of SET $_")
	  for 'default_transaction_read_only = on', q{default_transaction_isolation = 'serializable'},
	  'default_transaction_deferrable = on', q{search_path = 'no_such_schema'},
	  q{statement_timeout = '1 ms'}, q{lock_timeout = '1 ms'}, 'row_security = off',
	  q{TimeZone = 'Asia/Kathmandu'}, q{DateStyle = 'German'}, q{IntervalStyle = 'sql_standard'},
	  q{synchronous_commit = off}, 'session_replication_role = replica';
	$node->safe_psql('template1',
		q{SET default_transaction_read_only = off; SET statement_timeout = 0;
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
	heals('one', "healed in spite of the settings of $of", $harmless);
	is($s->query("SET default_transaction_read_only = off; ALTER $of RESET ALL"), '', '... which are taken away');
}
is(warnings_in_log($log), '0', 'nothing is said about it');

# ---- not ours, or of another version (F33) ----

$log = -s $node->logfile;
$node->safe_psql('template1', 'CREATE DATABASE foreign_schema');
$node->safe_psql('foreign_schema', 'CREATE SCHEMA goque; CREATE TABLE goque.tasks_0 (id int)');
my $version = $s->query(q{SELECT extversion FROM pg_extension WHERE extname = 'goque'});
$node->safe_psql('two', q{UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'goque'});
$node->safe_psql('postgres',
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = 'two'});
keepers_are('one,postgres', 'no keeper stays where the schema is not ours, or of another version');
$node->wait_for_log(qr/WARNING:  goque does not heal or clean in database "two"/, $log);
is($node->safe_psql('two', q{SELECT ok, hint <> '' FROM goque.health WHERE check_name = 'version_mismatch'}),
	'f|t', 'goque.health says so');
heals('postgres', 'the others go on');
is(warnings_in_log($log), '1', 'one message tells of it');
$node->safe_psql('two', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'goque'");

# ---- no worker slots (F28) ----

$s->quit;
$log = -s $node->logfile;
$node->adjust_conf('postgresql.conf', 'max_worker_processes', '2');
$node->restart;		# one for the launcher, one for logical replication
$s = GoqueSession->new($node);
$id = expire_one('postgres');
GoqueNode::wait_until($node,
	q{SELECT NOT ok AND hint <> '' FROM goque.health WHERE check_name = 'worker_slots'});
pass('goque.health says that no worker slot is free');
$node->wait_for_log(qr/WARNING:  no background worker is free for goque/, $log);
is(warnings_in_log($log), '1', '... and one line of the log');
is($s->query("SELECT status FROM goque.tasks WHERE id = $id"), 'processing', 'nobody heals');
like($s->query("SELECT reason, detail, hint FROM goque_why($id)"),
	qr/^lease_over\|.*: no background worker could be started for it since .*\|.*raise max_worker_processes/, '... and goque_why says why');
is($s->query('SELECT goque_heal()'), '1', 'by hand it works');
$s->quit;

# one slot for four databases: in turn
$node->append_conf('postgresql.conf', 'max_logical_replication_workers = 0');
$node->restart;
expire_one($_) for 'postgres', 'one', 'two';
for my $db ('postgres', 'one', 'two')
{
	GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE status = 'processing'}, '0', $db);
	pass("one slot for all: \"$db\" has its turn");
}

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$node->stop;
done_testing();
