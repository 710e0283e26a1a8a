# pg_dump and restore: complete, or an error.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('dump', conf => "goque.heal_interval = '1 h'\n");
my $s = GoqueSession->new($node);
my $dir = PostgreSQL::Test::Utils::tempdir();

my $TASKS = q{SELECT count(*), md5(string_agg(t::text, '' ORDER BY id)) FROM goque.tasks t};
my $REST = q{SELECT (SELECT md5(string_agg(s::text, '' ORDER BY type)) FROM goque.settings s),
	(SELECT last_value FROM goque.task_id_seq), (SELECT last_value FROM goque.generation_seq)};

# ---- tasks in every status, over three generations ----

$s->query(q{SELECT goque_configure('a', max_attempts => 3, timeout => '1 h', backoff => 'step', backoff_steps => '{1 s, 1 min}')});
$s->query(q{SELECT goque_configure(NULL, retention => '1 d')});
$s->query(q{SELECT goque_pause('paused')});
for my $generation (0 .. 2)
{
	$s->query("SELECT setval('goque.generation_seq', $generation)");
	$s->query(qq{SELECT goque_add('a', '{"n": [1, "\\u0041", null]}', external_id => 'x$generation', metadata => '{"m": 1}', priority => $generation)});
	$s->query(q{SELECT goque_add('a', delay => '1 h', expires_in => '1 d')});
	$s->query(q{SELECT goque_add('paused')});
	$s->query(q{SELECT goque_add(status) FROM unnest('{done,error,dead,canceled,held}'::text[]) status});
	$s->query(q{SELECT goque_complete(id, token, '{"r": 1}') FROM goque_fetch('done')});
	$s->query(q{SELECT goque_fail(id, E'it''s\tbad\n', token, retry_in => '1 h') FROM goque_fetch('error')});
	$s->query(q{SELECT goque_fail(id, 'bad', token, retry => false) FROM goque_fetch('dead')});
	$s->query(q{SELECT goque_cancel_all('canceled')});
	$s->query(q{SELECT goque_heartbeat(id, token, progress => '{"p": 2}') FROM goque_fetch('held', lease => '1 h')});
	$s->query(q{SELECT goque_add('over') \g /dev/null
		SELECT id FROM goque_fetch('over', lease => '1 ms')});
}
is($s->query(q{SELECT status, count(*) FROM goque.tasks GROUP BY 1 ORDER BY 1}),
	"attempts_left|3\ncanceled|3\ndone|3\nerror|3\nnew|9\nprocessing|6", 'there is a task in every status');
is($s->query(q{SELECT count(DISTINCT tableoid) FROM (
		SELECT tableoid FROM goque.tasks_0 UNION ALL SELECT tableoid FROM goque.tasks_1 UNION ALL SELECT tableoid FROM goque.tasks_2) t}),
	'3', '... in three generations');
my $tasks = $s->query($TASKS);
my $rest = $s->query($REST);
my $max = $s->query('SELECT max(id) FROM goque.tasks');
my $held = $s->query(q{SELECT r.id || ',' || r.token FROM goque.tasks_1 r WHERE r.type = 'held'});

sub dump_to
{
	my ($file, @options) = @_;

	$node->command_ok([ 'pg_dump', '-f', "$dir/$file", @options, $node->connstr('postgres') ], "pg_dump @options");
	return;
}

# What is restored is all there, and works.  The healer waits until that is seen.
sub check_restored
{
	my ($db) = @_;
	my $r = GoqueSession->new($node, $db);

	is($r->query($TASKS), $tasks, "$db: every task");
	is($r->query($REST), $rest, "$db: settings and sequences");
	is($r->query($GoqueNode::WRONG_STATS), '', "$db: stats equal a count");
	$r->query(q{ALTER SYSTEM SET goque.heal_interval = '100 ms'});
	$r->query(q{SELECT pg_reload_conf()});
	is($r->query(q{SELECT external_id FROM goque_fetch('a', 5)}), "x0\nx1\nx2", "$db: tasks are fetched, best first");
	GoqueNode::wait_until($node, q{SELECT every(status = 'error') FROM goque.tasks WHERE type = 'over'}, 't', $db);
	pass("$db: leases that were over are ended");
	is($r->query(q{SELECT count(*) FROM goque_fetch('paused')}), '0', "$db: what was paused is");
	is($r->query("SELECT goque_complete($held)"), 't', "$db: a lease holds");
	is($r->query(q{SELECT goque_add('a', external_id => 'x1')}), 'ERROR:  23505', "$db: external ids are taken");
	is($r->query(q{SELECT goque_add('new')}), $max + 1, "$db: ids go on");
	is($r->query(q{SELECT id FROM goque_fetch('new')}), $max + 1, "$db: new tasks are fetched");
	$r->query(q{ALTER SYSTEM RESET goque.heal_interval});
	$r->query(q{SELECT pg_reload_conf()});
	$r->quit;
	return;
}

# ---- plain, parallel, data only, triggers off (F46) ----

$s->query('CREATE ROLE dumper LOGIN; GRANT pg_read_all_data TO dumper');
dump_to('plain');
dump_to('dumper', '-U', 'dumper');		# whom pg_read_all_data suffices
dump_to('parallel', '-Fd', '-j2');
dump_to('data_only', '--data-only');
dump_to('triggers_off', '--data-only', '--disable-triggers');

$s->query('CREATE DATABASE plain');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', "$dir/plain" ], 'restored');
check_restored('plain');

$s->query('CREATE DATABASE dumper');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('dumper'), '-f', "$dir/dumper" ], 'restored');
check_restored('dumper');

$s->query('CREATE DATABASE parallel');
$node->command_ok([ 'pg_restore', '-e', '-j2', '-d', $node->connstr('parallel'), "$dir/parallel" ], 'restored by two');
check_restored('parallel');

# into databases where these types were in use: nothing that memory holds may
# hide what comes
for my $db ('data_only', 'triggers_off')
{
	$s->query("CREATE DATABASE $db");
	my $r = GoqueSession->new($node, $db);
	$r->query('CREATE EXTENSION goque');
	$r->query(q{SELECT goque_add('a', priority => p) FROM generate_series(-1, 3) p});
	$r->query(q{SELECT goque_complete(id, token) FROM goque_fetch('a', 10)});
	is($r->query(q{SELECT count(*) FROM goque_fetch('a')}), '0', 'nothing is left');
	$r->query(q{SELECT goque_purge(id) FROM goque.tasks});
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', "$dir/$db" ], 'restored');
	if ($db eq 'triggers_off')
	{
		# without the trigger nobody is told; the keeper's check finds them, and a new keeper checks at once
		$node->safe_psql($db, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = current_database()});
		GoqueNode::wait_until($node, q{SELECT FROM goque_fetch('a', 5) \g /dev/null
			SELECT count(*) FROM goque.tasks WHERE type = 'a' AND status = 'processing'}, '3', $db);
		pass("$db: tasks are fetched");
	}
	else
	{
		check_restored($db);
	}
	$r->quit;
}

# ---- a snapshot from before a table was emptied (F44) ----

my $old = GoqueSession->new($node);
my $fresh = GoqueSession->new($node);
my $snapshot = $old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot()');
$node->command_ok([ 'pg_dump', '-f', "$dir/old", "--snapshot=$snapshot", $node->connstr('postgres') ],
	'pg_dump of an exported snapshot');
$s->query('SELECT goque_cancel_all(type) FROM goque.task_types');
$s->query("SELECT goque_cancel_all(type, 'error') FROM goque.task_types");
$s->query(q{SELECT goque_cancel(id) FROM goque.tasks});
$s->query(q{SELECT goque_configure(type, retention => '0', retention_failed => '0') FROM goque.task_types});
GoqueNode::wait_until($node, "SELECT goque_clean() \\g /dev/null\n$GoqueNode::NO_QUARANTINE \\g /dev/null
	SELECT pg_relation_size('goque.tasks_0')", '0');
pass('a table was emptied');
$node->command_fails_like([ 'pg_dump', '-f', "$dir/old", "--snapshot=$snapshot", $node->connstr('postgres') ],
	qr/snapshot from before goque last emptied a table/, 'pg_dump with the older snapshot fails');
is($old->query('SELECT count(*) FROM goque.tasks'), 'ERROR:  40001', 'so does a reader with it');
$old->query('ROLLBACK');
is($old->query('SELECT count(*) FROM goque.tasks'), '0', '... not its next transaction');
$fresh->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($fresh->query('SELECT count(*) FROM goque.tasks'), '0', 'nor one that began afterwards');
dump_to('empty');

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $old, $fresh;
$node->stop;
done_testing();
