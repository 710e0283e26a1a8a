# The disk is full for tables, for WAL, for temporary files (F57): 53100 to the
# caller, nothing half done, and goque's processes wait and go on by themselves.
#
# A library in the server's processes lets no file get longer: test/fault/shim.c.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

use GoqueNode;
use GoqueFaults;

my $missing = GoqueFaults::missing();
plan skip_all => $missing if $missing;

my $node = GoqueNode::new_node('full', start => 0,
	conf => "goque.heal_interval = '200ms'\ngoque.clean_interval = '200ms'\nautovacuum = off\nwal_recycle = off\nmin_wal_size = '32MB'\n");
GoqueFaults::start($node);
$node->safe_psql('postgres', 'CREATE EXTENSION goque');
my $s = GoqueSession->new($node);

$s->query('CREATE TABLE filler (t text)');
GoqueFaults::set_full('tables');
plan skip_all => 'the disk of this server cannot be filled'
  if $s->query(q{INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 100)}) ne 'ERROR:  53100';
GoqueFaults::set_full();

my $COUNT = q{SELECT count(*), coalesce(sum(attempts), 0), md5(string_agg(t::text, ',' ORDER BY id)) FROM goque.tasks t};

sub end_all
{
	$s->query(q{SELECT goque_cancel(id), goque_purge(id) FROM goque.tasks});
	return;
}

# ---- tables ----

$s->query(q{SELECT goque_configure('a', backoff => 'static', backoff_base => '1 ms')});
$s->query(q{CREATE FUNCTION handler(p jsonb) RETURNS void LANGUAGE sql AS '';
	SELECT goque_register_processor('run', 'handler')});
$s->query(q{SELECT goque_add('a', jsonb_build_object('n', n), external_id => n::text) FROM generate_series(1, 50) n});
$s->query(q{SELECT count(*) FROM goque_add_many('late', array_fill('{}'::jsonb, '{3000}'))});
is($s->query(q{SELECT count(*) FROM goque_fetch('late', 3000, lease => '1 s')}), '3000', 'leases that will need room when they end');
# From 19 on who reads makes pages of the visibility map, too.
$s->query('VACUUM');
GoqueFaults::set_full('tables');
my $log = -s $node->logfile;

# until the pages that there are have no room left
my $added = $s->query(q{DO $$ BEGIN LOOP PERFORM goque_add('b', jsonb_build_object('x', repeat('x', 900))); COMMIT; END LOOP; END $$});
is($added, 'ERROR:  53100', 'goque_add: 53100');
my $before = $s->query($COUNT);
is($s->query(q{SELECT goque_add('b', jsonb_build_object('x', repeat('x', 900)), external_id => 'b')}), 'ERROR:  53100', '... again');
is($s->query(q{SELECT count(*) FROM goque_add_many('b', array_fill(jsonb_build_object('x', repeat('x', 900)), '{1000}'))}),
	'ERROR:  53100', 'goque_add_many');
is($s->query(q{INSERT INTO goque.tasks (type, payload) SELECT 'b', jsonb_build_object('x', repeat('x', 900)) FROM generate_series(1, 1000)}),
	'ERROR:  53100', 'INSERT');
is($s->query($COUNT), $before, '... and nothing was added or changed');
is($s->query(q{BEGIN; SELECT 1 FROM goque_fetch('a'); SELECT count(*) FROM goque_add_many('b', array_fill(jsonb_build_object('x', repeat('x', 900)), '{1000}'))}),
	"1\nERROR:  53100", 'a fetch and an add in one transaction');
$s->query('ROLLBACK');
is($s->query($COUNT), $before, '... neither was');

# what needs no room goes on
my ($id, $token) = split /\|/, $s->query(q{SELECT id, token FROM goque_fetch('a')});
ok($id, 'a fetch needs no room');
is($s->query("SELECT goque_complete($id, $token)"), 't', '... nor does goque_complete');
like($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('a', 20)}), qr/^20$/, '... nor do twenty');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# The keeper tries, and says so once.
GoqueNode::wait_until($node, q{SELECT detail ~ ', [2-9] failures up to' FROM goque.health WHERE check_name = 'healer_alive'});
pass('goque.health says that the keeper fails, again and again');
GoqueNode::wait_until($node, q{SELECT reason = 'lease_over' AND detail ~ ': it failed [0-9]+ times, the last time at .' AND hint ~ 'server log'
	FROM goque_why((SELECT min(id) FROM goque.tasks WHERE type = 'late'))});
pass('... and so does goque_why');
$node->wait_for_log(qr/keeper 53100 ERROR:  .*No space left on device/, $log);
pass('... and the log says why');
GoqueNode::wait_until($node, q{SELECT NOT EXISTS (SELECT FROM goque_fetch_any(NULL, 100) f WHERE NOT goque_complete(id, token)) AND count(*) = 3000
	FROM goque.tasks WHERE type = 'late' AND status = 'processing'});
pass('... while tasks are fetched and completed, and no lease is lost');

GoqueFaults::set_full();
my $start = time;
my $run = $s->query(q{SELECT goque_add('run')});
GoqueNode::wait_until($node, q{SELECT bool_and(status = 'error') FROM goque.tasks WHERE type = 'late'});
GoqueNode::wait_until($node, "SELECT status = 'done' FROM goque.tasks WHERE id = $run");
cmp_ok(time - $start, '<', 10, 'there is room: leases are ended and processors run');
is($s->query(q{SELECT min(attempts), max(attempts) FROM goque.tasks WHERE type = 'late'}), '1|1', '... each once');
like($s->query(q{SELECT goque_add('b', external_id => 'b')}), qr/^\d+$/, '... and tasks are added');
GoqueNode::wait_until($node, q{SELECT detail !~ 'failures' FROM goque.health WHERE check_name = 'healer_alive'});
pass('... and health is well');
is($s->query($GoqueNode::WRONG_STATS), '', '... and stats equal a count');
my @said = grep { / goque keeper 53100 ERROR: / } split /\n/, slurp_file($node->logfile, $log);
is(scalar @said, 1, '... one line in the log') or diag(join "\n", @said);
$s->query(q{SELECT goque_cancel(id), goque_purge(id) FROM goque.tasks});

# ---- temporary files: the result of a fetch that does not fit into work_mem ----

$s->query(q{SELECT count(*) FROM goque_add_many('temp', array_fill(jsonb_build_object('x', repeat('x', 900)), '{1000}'))});
GoqueFaults::set_full('temporary');
is($s->query(q{SET work_mem = '64 kB'; SELECT count(*) FROM goque_fetch('temp', 1000)}), 'ERROR:  53100', 'goque_fetch: 53100');
is($s->query(q{SELECT status, attempts, count(*) FROM goque.tasks GROUP BY 1, 2}), 'new|0|1000', '... and nothing was claimed');
GoqueFaults::set_full();
is($s->query(q{SELECT count(goque_complete(id, token)) FROM goque_fetch('temp', 1000)}), '1000', 'there is room: all are fetched');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
$s->query(q{SELECT goque_purge(id) FROM goque.tasks});

# ---- WAL: PostgreSQL itself gives up, and starts again when there is room ----

my $adder = GoqueSession->new($node);

$s->query(q{SELECT goque_add('held')});
my ($id_held, $token_held) = split /\|/, $s->query(q{SELECT id, token FROM goque_fetch('held', lease => '1 h')});
my @acknowledged = $s->query(q{SELECT goque_add('wal')});
GoqueFaults::set_full('wal');
# Each add has a commit of its own, and its id is printed after that.
my $file = PostgreSQL::Test::Utils::tempdir() . '/adds.sql';
append_to_file($file, "SELECT goque_add('wal', jsonb_build_object('x', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 10000) n)));\n" x 500);
push @acknowledged, (eval { $adder->query("\\i $file") } || $@) =~ /^(?:.*[a-z]: )?(\d+)$/mg;
cmp_ok(scalar @acknowledged, '<', 501, 'WAL is full: adding ends after ' . scalar @acknowledged);
$_->quit for $s, $adder;
GoqueNode::wait_for('the server to be down', sub { !-e $node->data_dir . '/postmaster.pid' });
$node->kill9;					# it is gone; that the node knows it, too
GoqueFaults::set_full();
GoqueFaults::start($node);
$start = time;
$s = GoqueSession->new($node);
GoqueNode::wait_workers($node, q{count(DISTINCT backend_type) >= 2});
cmp_ok(time - $start, '<', 5, 'there is room: the workers are back');
is($s->query('SELECT count(*) FROM unnest(ARRAY[' . join(',', @acknowledged) . q{]) i WHERE NOT EXISTS (SELECT FROM goque.tasks WHERE id = i AND status = 'new')}),
	'0', '... every task whose add was acknowledged is there');
is($s->query("SELECT goque_complete($id_held, $token_held)"), 't', '... a lease holds');
is($s->query(q{SELECT count(goque_complete(id, token)) = (SELECT count(*) FROM goque.tasks WHERE type = 'wal') FROM goque_fetch('wal', 1000)}), 't', '... all are fetched');
$run = $s->query(q{SELECT goque_add('run')});
GoqueNode::wait_until($node, "SELECT status = 'done' FROM goque.tasks WHERE id = $run");
pass('... processors run');
is($s->query($GoqueNode::WRONG_STATS), '', '... and stats equal a count');
unlike(slurp_file($node->logfile), qr/TRAP:|XX000|signal 11/, 'the log is clean');
$s->quit;
$node->stop;
done_testing();
