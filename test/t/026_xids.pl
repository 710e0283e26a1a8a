# Transaction ids and multixacts near their limits (F59): goque goes on as long as
# PostgreSQL gives ids, says what PostgreSQL says when it gives none, and takes none
# when idle; the vacuum against wraparound and the turning of the ring let each other be.
#
# pg_resetwal sets the counters of a stopped server.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;

use GoqueNode;

my $node = GoqueNode::new_node('xids', conf => <<'CONF');
goque.heal_interval = '200ms'
goque.clean_interval = '200ms'
autovacuum = off
log_min_messages = error
CONF
my $s = GoqueSession->new($node);

# Stop, make the next transaction id what is given, and start.
sub jump
{
	my ($xid, $multi) = @_;
	my $data = $node->data_dir;

	$s->quit;
	$node->stop;
	run_log([ 'pg_resetwal', '-x', $xid, ($multi ? ('-m', "$multi,1") : ()), $data ]) or die 'pg_resetwal';
	# the segment of the commit log in which it is: all zeros is "in progress"
	my $file = sprintf('%s/pg_xact/%04X', $data, $xid / (8192 * 4 * 32));
	append_to_file($file, "\0" x (8192 * 32)) unless -e $file;
	if ($multi)
	{
		# a page holds 2,048 offsets; from 19 on they are of 8 bytes
		my $segment = ($node->pg_version->major >= 19 ? 1024 : 2048) * 32;

		$file = sprintf('%s/pg_multixact/offsets/%04X', $data, $multi / $segment);
		append_to_file($file, "\0" x (8192 * 32)) unless -e $file;
	}
	$node->start;
	# PostgreSQL warns at each transaction id from then on
	$s = GoqueSession->new($node, 'postgres', options => '-c client_min_messages=error');
	return;
}

sub works
{
	my ($when) = @_;
	my $id = $s->query(q{SELECT goque_add('w', external_id => 'w')});

	like($id, qr/^\d+$/, "$when: added");
	is($s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('w')}), 't', '... fetched and completed');
	is($s->query("SELECT goque_retry($id), goque_cancel($id), goque_purge($id)"), 't|t|t', '... retried, canceled, purged');
	$id = $s->query(q{SELECT goque_add('lease')});
	$s->query(q{SELECT count(*) FROM goque_fetch('lease', lease => '1 ms')});
	GoqueNode::wait_until($node, "SELECT status = 'error' FROM goque.tasks WHERE id = $id");
	pass('... and healed');
	$s->query("SELECT goque_cancel($id), goque_purge($id)");
	is($s->query($GoqueNode::WRONG_STATS), '', '... stats equal a count');
	return;
}

# Rows that stay, from the first ids on.
$s->query(q{SELECT goque_configure('old', retention => '1 day')});
$s->query(q{SELECT count(*) FROM goque_add_many('old', array_fill('{}'::jsonb, '{20}'))});
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('old', 10)}), '10', 'some done, some ready');
works('before');

# ---- idle, it takes none ----

my $XMAX = 'SELECT pg_snapshot_xmax(pg_current_snapshot())';
$s->query(q{SELECT goque_add('held'), goque_schedule('s', '@yearly', 's')});
$s->query(q{SELECT count(*) FROM goque_fetch('held', lease => '1 h')});
my @sleepers = map { GoqueSession->new($node) } 1 .. 2;
$sleepers[0]->send(q{SELECT count(*) FROM goque_fetch('none', wait => '3 s')});
$sleepers[1]->send(q{CALL goque_wait('{none}', '3 s')});
$_->wait_asleep for @sleepers;
GoqueNode::wait_workers($node, q{every(state = 'idle')});
my $xmax = $s->query($XMAX);
is($sleepers[0]->result . $sleepers[1]->result, '0', 'three seconds of sleepers and keepers');
is($s->query('SELECT (SELECT count(*) FROM goque.health), goque_heal(), goque_clean()') =~ /\|0\|0$/ ? 1 : 0, 1, '... views, goque_heal and goque_clean with nothing to do');
is($s->query($XMAX), $xmax, '... took no transaction id');
$s->query(q{SELECT goque_complete(id) FROM goque.tasks WHERE type = 'held'});
$_->quit for @sleepers;

# ---- a vacuum that does not give way, on a table due to be emptied ----

$s->query(q{SELECT goque_configure('gone', retention => '0')});
$s->query(q{SELECT count(*) FROM goque_add_many('gone', array_fill(jsonb_build_object('x', repeat('x', 500)), '{3000}'))});
$s->query(q{SELECT count(goque_cancel(id)) FROM goque.tasks WHERE type <> 'gone'});
$s->query(q{SELECT count(goque_purge(id)) FROM goque.tasks WHERE type <> 'gone'});
my $vacuum = GoqueSession->new($node);
$vacuum->query(q{SET vacuum_cost_delay = '50 ms'; SET vacuum_cost_limit = 1});
$vacuum->send('VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) goque.tasks_0');
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_progress_vacuum WHERE relid = 'goque.tasks_0'::regclass});
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('gone', 3000)}), '3000', 'a vacuum is at work: tasks are fetched and completed');
$s->query(q{SELECT setval('goque.generation_seq', 1)});
works('a vacuum is at work');
$s->query("SELECT goque_clean() \\g /dev/null\n$GoqueNode::NO_QUARANTINE \\g /dev/null\nSELECT goque_clean()");
is($s->query(q{SELECT pg_relation_size('goque.tasks_0') > 0}), 't', '... the table is not emptied');
ok(!$vacuum->is_done, '... nor is the vacuum canceled');
$s->query('SELECT pg_cancel_backend(' . $vacuum->pid . ')');
like($vacuum->result, qr/57014/, 'the vacuum ends');
GoqueNode::wait_until($node, qq{SELECT goque_clean() \\g /dev/null
	$GoqueNode::NO_QUARANTINE \\g /dev/null
	SELECT pg_relation_size('goque.tasks_0')}, '0');
pass('... and the table is emptied');
$vacuum->quit;
$s->query(q{SELECT count(*) FROM goque_add_many('old', array_fill('{}'::jsonb, '{20}'))});
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('old', 10)}), '10', 'some done, some ready');
my $OLD = q{SELECT string_agg(t::text, ',' ORDER BY id) FROM goque.tasks t WHERE type = 'old'};
my $old = $s->query($OLD);

# ---- near the limits ----

my $LIMIT = 2**31 - 3_000_000;
$s->query('ALTER DATABASE template0 ALLOW_CONNECTIONS true');
$s->query(q{SELECT count(*) FROM pg_class; CHECKPOINT});
my $oldest = $s->query(q{SELECT min(datfrozenxid::text::bigint) FROM pg_database});
# PostgreSQL begins to vacuum at once: a table that it cannot read keeps it from being done.
$s->query('CREATE TABLE unreadable AS SELECT 1; CHECKPOINT');
my $file = $node->data_dir . '/' . $s->query(q{SELECT pg_relation_filepath('unreadable')});
chmod 0, $file;
jump($oldest + $LIMIT - 500, 1 + $LIMIT + 100);
works('500 before the limit');
is($s->query($OLD), $old, '... old tasks are there');
my $log = -s $node->logfile;
my $last = $s->query(q{DO $$ BEGIN LOOP PERFORM goque_complete(goque_add('last')); COMMIT; END LOOP; END $$});
like($last, qr/ERROR:  (54000|55000)$/, 'at the limit: PostgreSQL gives no more');
my $count = $s->query(q{SELECT count(*) FROM goque.tasks});
my ($held) = $s->query(q{SELECT id FROM goque.tasks WHERE type = 'old' AND status = 'new' LIMIT 1});
like($s->query("SELECT $_"), qr/^ERROR:  5[45]000$/, "$_: refused")
  for q{goque_add('w')}, q{count(*) FROM goque_fetch('old')}, "goque_cancel($held)";
is($s->query(q{SELECT count(*) FROM goque.tasks}), $count, '... nothing is changed');
is($s->query($OLD), $old, '... old tasks are there');
ok($s->query(q{SELECT count(*) FROM goque.health WHERE ok}) > 5, '... and goque.health can be read');
my @said = grep { / goque \w+ \w+ (ERROR|FATAL|PANIC): / } split /\n/, slurp_file($node->logfile, $log);
cmp_ok(scalar @said, '<=', 1, '... one line in the log at most') or diag(join "\n", @said);

# PostgreSQL's way out
chmod 0600, $file;
$node->command_ok([ 'vacuumdb', '--all', '--freeze', '-h', $node->host, '-p', $node->port ], 'VACUUM FREEZE everywhere');
works('after the vacuum');
is($s->query($OLD), $old, '... old tasks are there');
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('old', 100)}), '10', '... and are fetched');

# over the point where ids are counted anew
jump(3_000_000_000);
$node->command_ok([ 'vacuumdb', '--all', '--freeze', '-h', $node->host, '-p', $node->port ], '... again');
jump(2**32 - 10);
works("around 2^32, $_") for 1 .. 3;
cmp_ok($s->query($XMAX), '>', 2**32, '... and over it');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
