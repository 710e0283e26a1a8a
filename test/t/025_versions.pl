# Library and SQL of different versions, ALTER EXTENSION UPDATE under load, and parallel
# workers that load the library (F49): an error with a hint, no crash, and workers wait.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

use GoqueNode;

my $node = GoqueNode::new_node('versions', conf => "allow_system_table_mods = on\ngoque.heal_interval = '200ms'\n");
my $s = GoqueSession->new($node);
my $VERSION = $s->query(q{SELECT extversion FROM pg_extension WHERE extname = 'goque'});

# ---- ALTER EXTENSION UPDATE, with busy processors, keepers, clients and sleepers ----

# The script of an update; where the extension's files are not ours to write, an update
# to the version that is there stops and starts what a real one does, too.
my ($share) = map { /^\s*extension_destdir\s*=\s*'([^']*)'/m ? $1 : () } GoqueNode::settings();
$share = ($share || '') . `pg_config --sharedir` =~ s/\n//r . '/extension';
($share) = map { m{^\s*extension_control_path\s*=\s*'([^':]*)}m ? "$1/extension" : $share } GoqueNode::settings()
  unless -e "$share/goque.control";
my $script = "$share/goque--0.0.1--$VERSION.sql";
my $has_script = -w $share;
END { unlink $script if $has_script; }

append_to_file($script, <<'SQL') if $has_script;
ALTER TABLE goque.tasks_0 SET (fillfactor = 30);
CREATE FUNCTION goque.new_in_this_version() RETURNS int LANGUAGE sql AS 'SELECT 1';
SQL

$s->query(q{CREATE FUNCTION handler(p jsonb) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.01)';
	SELECT goque_register_processor('run', 'handler', workers => 2)});
$s->query(q{SELECT count(*) FROM goque_add_many('run', array_fill('{}'::jsonb, '{2000}'))});
GoqueNode::wait_until($node, q{SELECT count(*) > 10 FROM goque.tasks WHERE type = 'run' AND status = 'done'});
my @clients = map { GoqueSession->new($node) } 1 .. 3;
my $sleeper = GoqueSession->new($node);
$sleeper->send(q{SELECT type FROM goque_fetch('sleeper', wait => '1 min')});
$sleeper->wait_asleep;
$_->send(q{DO $$ DECLARE r record; BEGIN
	FOR i IN 1 .. 3000 LOOP
		PERFORM goque_add('load'); COMMIT;
		SELECT * INTO r FROM goque_fetch('load'); COMMIT;
		IF r.id IS NOT NULL THEN PERFORM goque_complete(r.id, r.token); COMMIT; END IF;
	END LOOP; END $$}) for @clients;
$s->query(q{UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'goque'}) if $has_script;
my $start = time;
is($s->query('SET client_min_messages = warning; ALTER EXTENSION goque UPDATE'), '', 'ALTER EXTENSION UPDATE under load');
cmp_ok(time - $start, '<', 5, '... within 5 s');
is($s->query(q{SELECT extversion FROM pg_extension WHERE extname = 'goque'}), $VERSION, '... it is of this version');
is($s->query('SELECT goque.new_in_this_version()'), '1', '... the script was run') if $has_script;
$s->query(q{SELECT goque_add('sleeper')});
is($sleeper->result, 'sleeper', 'a sleeper sleeps on, and is woken');
is($_->result, '', 'clients go on') for @clients;
$s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('load', 9000)});
is($s->query(q{SELECT status, count(*) FROM goque.tasks WHERE type = 'load' GROUP BY 1}), 'done|9000', '... and miss no task');
my $done = $s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'run' AND status = 'done'});
GoqueNode::wait_until($node, "SELECT count(*) > $done + 10 FROM goque.tasks WHERE type = 'run' AND status = 'done'");
pass('processors go on');
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'run' AND attempts > 1}), '0', '... no attempt is lost');
$s->query(q{SELECT count(goque_cancel(id)) FROM goque.tasks WHERE type = 'run'});
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
$_->quit for @clients, $sleeper;

# ---- tables of another version ----

# What a call says of a table that it does not know.
sub refused
{
	my ($call, $table, $columns, $known) = @_;
	my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT $call");

	like($err, qr/ERROR:  55000: table "goque.$table" is not one of this version of goque\nDETAIL:  It has $columns columns; the library that the server has loaded, of version \Q$VERSION\E, knows $known.\nHINT:  Run "ALTER EXTENSION goque UPDATE", or restart the server if the library was updated./,
		"$call: $table with $columns columns");
	return;
}

my %call = (
	tasks_0 => [ 28, q{goque_add('v')}, q{count(*) FROM goque_fetch('v')}, 'goque_complete(1)', 'goque_heal()', 'goque_clean()' ],
	settings => [ 15, q{goque_add('v')} ],
	handlers => [ 9, q{count(*) FROM goque.processor_list()} ],
	key_locks => [ 3, q{goque_add('v', external_id => 'x')} ],
	dependencies => [ 2, q{goque_add('v', after => ARRAY[1])} ],
	fetch_log => [ 4, q{count(*) FROM goque_fetch('rate')} ]);

$s->query(q{SELECT goque_configure('rate', rate_limit => 5, rate_period => '1 min'), goque_add('rate')});
for my $table (sort keys %call)
{
	my ($known, @calls) = @{ $call{$table} };

	# the SQL is newer
	$s->query("ALTER TABLE goque.$table ADD COLUMN new int");
	refused($_, $table, $known + 1, $known) for @calls;
	# as before, with nothing of a column that was dropped
	$s->query("DELETE FROM pg_attribute WHERE attrelid = 'goque.$table'::regclass AND attname = 'new';
		UPDATE pg_class SET relnatts = $known WHERE oid = 'goque.$table'::regclass");
}
is($s->query(q{SELECT type FROM goque_fetch('rate')}), 'rate', 'a table that is known again is used again');

# ... the library is newer
$s->query(q{BEGIN; UPDATE pg_class SET relnatts = 27 WHERE oid = 'goque.tasks_0'::regclass;
	DELETE FROM pg_attribute WHERE attrelid = 'goque.tasks_0'::regclass AND attnum = 28; COMMIT});
refused($_, 'tasks_0', 27, 28) for @{ $call{tasks_0} }[1 .. 3];

# ---- and workers wait, of whatever version the SQL says it is ----

my $log = -s $node->logfile;
$s->query(q{UPDATE pg_extension SET extversion = '99' WHERE extname = 'goque'});
$s->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
$node->wait_for_log(qr/WARNING:  goque does not heal or clean in database "postgres"/, $log);
GoqueNode::wait_workers($node, q{every(backend_type = 'goque launcher')});
pass('neither keeper nor runner stays');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;

# ---- parallel workers that load the library: the session's settings are theirs ----

my $plain = GoqueNode::new_node('plain', preload => 0);
$s = GoqueSession->new($plain, 'postgres', options => '-c goque.release_on_disconnect=on -c goque.async_claims=off');
$s->query('CREATE TABLE big AS SELECT i FROM generate_series(1, 100000) i; ANALYZE big');
$s->query(q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2});
for my $set ('', q{SET goque.max_payload_size = '2kB'}, q{SET goque.async_claims = on})
{
	$s->query($set) if $set;
	is($s->query(q{SELECT goque_add('p') > 0}), 't', "the library is loaded by the session: $set");
	is($s->query(q{SELECT count(*), count(DISTINCT current_setting('goque.max_payload_size')) FROM big WHERE i % 2 = 0}), '50000|1', '... and by parallel workers');
	like($s->query('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT sum(i) FROM big'), qr/Workers Launched: [12]/, '... of which there were some');
}
is(GoqueNode::bad_log_lines($plain), '', 'the log is clean');
$s->quit;
$plain->stop;
done_testing();
