# Crashes: what was acknowledged is there, what was not is not, an unflushed claim
# may be taken back and its token never comes back.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

# Nobody but the tested sessions writes or flushes WAL, and it fits in memory.
my $node = GoqueNode::new_node('crash', conf => <<'CONF');
restart_after_crash = on
autovacuum = off
wal_writer_delay = 10s
bgwriter_lru_maxpages = 0
wal_buffers = 16MB
goque.clean_interval = '1 h'
goque.heal_interval = '1 h'
CONF
my $s = GoqueSession->new($node);
my %tokens;

sub status_of
{
	my ($id) = @_;

	return $s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id");
}

# Add a task and fetch it: id and token; both commits flushed.
sub fetched
{
	my ($type, $more) = @_;

	$more = $more ? ", $more" : '';
	$s->query(qq{SELECT goque_add('$type')});
	my ($id, $token) = split /\|/,
	  $s->query(qq{SET goque.async_claims = off; SELECT id, token FROM goque_fetch('$type'$more); RESET goque.async_claims});
	ok(!$tokens{$token}++, "token of a lease of $id is new");
	return ($id, $token);
}

sub pids
{
	my ($condition) = @_;

	return split /\n/,
	  $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $condition");
}

# It flushes nothing, and is where a crash can start.
sub stopped_walwriter
{
	my ($pid) = pids(q{backend_type = 'walwriter'});

	kill 'STOP', $pid;
	return $pid;
}

sub after_crash
{
	$s->kill_client;
	GoqueNode::wait_alive($node);
	$s = GoqueSession->new($node);
	return;
}

# ---- a commit is flushed unless it did nothing but claim (F9, promise 1) ----

my $walwriter = stopped_walwriter();

# Is what the session does flushed when it is told that it is done?  The last
# statement commits, and everything before it is below the position.
sub is_flushed
{
	my (@statements) = @_;
	my $last = pop @statements;
	my $answer = $s->query(join('', map { "$_;\n" } @statements)
		  . "SELECT pg_current_wal_insert_lsn() AS before \\gset\n$last;\n"
		  . q{SELECT 'flushed ' || (pg_current_wal_flush_lsn() > :'before')::text});

	return $answer =~ /flushed (true|false)\z/ && $answer !~ /ERROR/ ? $1 : $answer;
}

$s->query($_)
  for q{CREATE TABLE other (n int)}, q{CREATE SEQUENCE seq},
  q{CREATE TEMP TABLE mine (n int)},
  q{CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO other VALUES (1); RETURN NULL; END'},
  q{CREATE CONSTRAINT TRIGGER later AFTER INSERT ON mine DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION write()},
  q{SELECT count(*) FROM goque_add_many('f', array_fill('{}'::jsonb, '{1000}'))};

my $claim = q{SELECT FROM goque_fetch('f')};
$s->query("$claim; $claim; SELECT FROM goque_fetch_any('{f, g}')");		# nothing is left to prune in the catalogs
is(is_flushed(@$_), 'false', 'not flushed: ' . join('; ', @$_))
  for [$claim], [ 'BEGIN', $claim, 'COMMIT' ], [ 'BEGIN', $claim, $claim, 'COMMIT' ],
  [q{SELECT FROM goque_fetch_any(NULL, 5)}];

my $insert = 'INSERT INTO other VALUES (1)';
is(is_flushed(@$_), 'true', 'flushed: ' . join('; ', @$_))
  for [ 'BEGIN', $insert, $claim, 'COMMIT' ],
  [ 'BEGIN', $claim, $insert, 'COMMIT' ],
  [ 'BEGIN', $claim, $insert, $claim, 'COMMIT' ],
  [ 'BEGIN', $insert, $claim, $insert, 'COMMIT' ],
  [ 'BEGIN', $claim, 'SAVEPOINT p', $insert, 'RELEASE p', 'COMMIT' ],
  [ 'BEGIN', 'SAVEPOINT p', $insert, 'RELEASE p', $claim, 'COMMIT' ],
  [ 'BEGIN', 'SAVEPOINT p', $claim, 'RELEASE p', $insert, 'COMMIT' ],
  [ 'BEGIN', 'SAVEPOINT p', $insert, $claim, 'RELEASE p', 'COMMIT' ],
  [ 'BEGIN', $claim, q{SELECT FROM nextval('seq')}, 'COMMIT' ],
  [ 'BEGIN', $claim, q{SELECT FROM pg_logical_emit_message(true, 'x', 'y')}, 'COMMIT' ],
  [ 'BEGIN', 'INSERT INTO mine VALUES (1)', $claim, 'COMMIT' ],    # the deferred trigger writes
  [ 'BEGIN', $claim, 'INSERT INTO mine VALUES (1)', 'COMMIT' ],
  [ 'BEGIN', $claim, q{SELECT FROM goque_add('f', priority => 9)}, 'COMMIT' ],
  [q{WITH w AS (INSERT INTO other VALUES (1)) SELECT FROM goque_fetch('f')}],
  [q{INSERT INTO other SELECT id FROM goque_fetch('f')}],
  [q{DO 'BEGIN PERFORM FROM goque_fetch(''f''); INSERT INTO other VALUES (1); END'}];

for my $change ('goque_complete(%s)', q{goque_fail(%s, 'x')}, 'goque_release(%s)',
	'goque_heartbeat(%s)', 'goque_cancel(%s)')
{
	my ($id) = fetched('g', q{lease => '1 h'});

	is(is_flushed('SELECT ' . sprintf($change, $id) . ' IS NOT NULL'), 'true', "flushed: $change");
	$s->query("SELECT goque_cancel($id)");
}
is(is_flushed(q{SELECT goque_add('g')}), 'true', 'flushed: goque_add');
$s->query('SET goque.async_claims = off');
is(is_flushed($claim), 'true', 'flushed: a claim while goque.async_claims is off');
$s->query('RESET goque.async_claims');
is($s->query("SELECT count(*) FROM goque_fetch('f'); SHOW synchronous_commit"),
	"1\non", 'the session keeps its synchronous_commit');

# ---- a crash takes back an unflushed claim, and nothing else (F21) ----

my ($kept, $kept_token) = fetched('kept', q{lease => '1 h'});
my ($lost, $lost_token);
my $taken_back = 0;
for (1 .. 10)
{
	# It is flushed after all if it found dead rows to clear away in a catalog, or
	# if another process wrote pages or committed before the crash: once more.
	$lost = $s->query(q{SELECT goque_add('lost')});
	my $answer = $s->query(q{SELECT pg_current_wal_insert_lsn() AS before \gset
		SELECT token FROM goque_fetch('lost', lease => '1 h');
		SELECT pg_current_wal_flush_lsn() > :'before'});
	($lost_token) = $answer =~ /^(\d+)/;
	if ($answer =~ /f\z/)
	{
		kill 'KILL', $walwriter;
		after_crash();
		$taken_back = status_of($lost) eq 'new|0';
		last if $taken_back;
		is(status_of($lost), 'processing|1', 'a claim that somebody flushed holds');
		$walwriter = stopped_walwriter();
	}
	$tokens{$lost_token}++;
	is($s->query("SELECT goque_complete($lost, $lost_token)"), 't', '... and its token is good');
}
ok(!$tokens{$lost_token}++, 'the token of the unflushed claim is new');
ok($taken_back, 'the crash took the claim back');
is($s->query("SELECT goque_complete($lost, $lost_token), goque_fail($lost, 'x', $lost_token) IS NULL,
		goque_heartbeat($lost, $lost_token) IS NULL, goque_release($lost, $lost_token)"),
	'f|t|t|f', 'its holder is refused');
my $new_token = $s->query(q{SELECT token FROM goque_fetch('lost', lease => '1 h')});
ok(!$tokens{$new_token}++, 'the task is fetched again, with another token');
is($s->query("SELECT goque_complete($lost, $lost_token)"), 'f', 'the old token is refused still');
is($s->query("SELECT goque_complete($lost, $new_token)"), 't', 'the new one is not');
is($s->query("SELECT goque_complete($kept, $kept_token)"), 't', 'a flushed claim holds');

# ---- kill -9 of a backend in the middle (F20) ----

my ($id, $token) = fetched('k', q{lease => '1 h'});
my $ready = $s->query(q{SELECT goque_add('k')});
my ($cancel) = fetched('k2', q{lease => '1 h'});
my $victim = GoqueSession->new($node);
my $new = $victim->query(qq{BEGIN; SELECT FROM goque_complete($id, $token) \\g /dev/null
	SELECT FROM goque_cancel($cancel) \\g /dev/null
	SELECT FROM goque_fetch('k') \\g /dev/null
	SELECT goque_add('k')});
kill 'KILL', $victim->pid;
$victim->kill_client;
after_crash();
is(status_of($new), '', 'its add was never there');
is(status_of($ready), 'new|0', 'nor its fetch');
is(status_of($id), 'processing|1', 'nor its finish');
is(status_of($cancel), 'processing|1', 'nor its cancel');
is($s->query(q{SELECT count(*) - count(DISTINCT id) FROM goque.tasks}), '0', 'each task is there once');
is($s->query("SELECT goque_complete($id, $token)"), 't', 'the lease holds');
GoqueNode::wait_workers($node,
	q{count(*) = 2 AND count(DISTINCT backend_type) = 2});
pass('the workers are back');
GoqueNode::wait_until($node, q{SELECT every(counted) FROM goque.type_counters()});
is($s->query($GoqueNode::WRONG_STATS), '', 'after a crash stats are counted anew');

# ---- the postmaster (F23) ----

for my $how ('kill9', 'immediate')
{
	($id, $token) = fetched('p', q{lease => '1 h'});
	$new = $s->query(q{SELECT goque_add('p2')});
	my $open = GoqueSession->new($node);
	my $gone = $open->query(q{BEGIN; SELECT goque_add('p2')});
	my $sleeper = GoqueSession->new($node);
	$sleeper->send(q{SELECT goque_fetch('none', wait => '1 min')});
	$sleeper->wait_asleep;
	my @pids = pids(
		q{pid <> pg_backend_pid() AND (backend_type LIKE 'goque %' OR backend_type = 'client backend')});
	is(scalar @pids, 5, 'launcher, keeper, three clients');

	my $start = time;
	$how eq 'kill9' ? $node->kill9 : $node->stop('immediate');
	$_->kill_client for $open, $s;
	GoqueNode::wait_for('all processes to go', sub { !grep { kill 0, $_ } @pids });
	cmp_ok(time - $start, '<', 5, "$how: no process of goque is there after 5 s");
	$sleeper->kill_client;
	GoqueNode::start_again($node);
	$s = GoqueSession->new($node);
	is(status_of($new), 'new|0', 'what was added is there');
	is(status_of($gone), '', 'what was not committed is not');
	is($s->query(q{SELECT id FROM goque_fetch('p2')}), $new, 'it is fetched');
	is($s->query("SELECT goque_complete($id, $token)"), 't', 'the lease holds');
}
GoqueNode::wait_until($node, q{SELECT every(counted) FROM goque.type_counters()});
is($s->query($GoqueNode::WRONG_STATS), '', 'stats are counted anew');

# ---- an orderly restart keeps the totals; nobody is healed at once (F24) ----

my $totals = q{SELECT type, total_added, total_fetched, total_completed, total_failed, total_healed,
	total_exhausted, total_released, total_canceled FROM goque.stats WHERE type IN ('t', 'p2') ORDER BY 1};
$s->query(q{SELECT goque_add('t') FROM generate_series(1, 7)});
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('t', 2)});
$s->query(q{SELECT goque_fail(id, 'x', token, retry => false) FROM goque_fetch('t', 1)});
$s->query(q{SELECT goque_release(id, token, '1 h') FROM goque_fetch('t', 1)});
my $before = $s->query($totals);
like($before, qr/^t\|7\|4\|2\|1\|0\|1\|1\|0$/m, 'totals');

my ($late, $late_token) = fetched('late', q{lease => '1 ms'});
my ($over) = fetched('over', q{lease => '1 ms'});
$s->quit;
$node->stop;
$node->append_conf('postgresql.conf', "goque.heal_interval = '4 s'");
$node->start;
$s = GoqueSession->new($node);
is($s->query("SELECT goque_complete($late, $late_token)"), 't',
	'a worker that comes back at once still finishes, though its lease is over');
is($s->query($totals), $before, 'totals outlive an orderly restart');
GoqueNode::wait_until($node, "SELECT status = 'error' FROM goque.tasks WHERE id = $over");
is($s->query("SELECT updated_at - pg_postmaster_start_time() >= '4 s' FROM goque.tasks WHERE id = $over"),
	't', 'the first heal is a heal_interval after the start');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/PANIC|TRAP|XX000/, 'the log is clean');
$s->quit;
$node->stop;
done_testing();
