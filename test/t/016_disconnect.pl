# goque.release_on_disconnect: a session's leases end with it, however it ends; exactly
# those that it still holds, and only with the setting (F6, F4).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('disconnect',
	conf => "max_prepared_transactions = 5\ngoque.heal_interval = '10min'\n");
my $s = GoqueSession->new($node);
my @on = (options => '-c goque.release_on_disconnect=on');

sub worker { return GoqueSession->new($node, 'postgres', @on); }

sub status_of
{
	my ($id) = @_;

	return $s->query("SELECT status, attempts, error FROM goque.tasks WHERE id = $id");
}

my $ENDED = 'the session that held it ended';

# A lease of an hour, and a healer that is not due for ten minutes: what ends, ends by the
# end of the session.
sub ends
{
	my ($id, $expected, $name) = @_;

	GoqueNode::wait_for($name, sub { status_of($id) eq $expected });
	pass($name);
	return;
}

# With a second, wait until the keeper knows it.
sub healer_every
{
	my ($interval) = @_;

	$s->query("ALTER SYSTEM SET goque.heal_interval = '$interval'");
	$s->query('SELECT pg_reload_conf()');
	return unless $interval eq '1s';
	my $id = $s->query(q{SELECT goque_add('healer')});
	$s->query(q{SELECT id FROM goque_fetch('healer', lease => '1 ms')});
	GoqueNode::wait_until($node, "SELECT status = 'error' FROM goque.tasks WHERE id = $id");
	return;
}

sub fetch
{
	my ($worker, $type, $more) = @_;

	return $worker->query("SELECT id, token FROM goque_fetch('$type', lease => '1 h'" . ($more || '') . ')');
}

# the first heal of a server comes late: have it behind us
$s->query(q{SELECT goque_configure('t', backoff => 'static', backoff_base => '1 h', max_attempts => 3)});
GoqueNode::wait_until($node, q{SELECT count(*) = 1 FROM goque.server_state() WHERE launcher_pid > 0});

my $late = GoqueSession->new($node);
is($late->query('SET goque.release_on_disconnect = on'), 'ERROR:  55P02', 'settable at connection start only');
$late->quit;
healer_every('1s');
healer_every('10min');

# ---- however it ends ----

for my $how ('quit', 'kill -9 of the client', 'pg_terminate_backend', 'a timeout')
{
	my $w = worker();
	my $id = $s->query(q{SELECT goque_add('t')});
	fetch($w, 't');
	is(status_of($id), 'processing|1|', "$how: held");
	$w->query(q{SET idle_session_timeout = '1 ms'}) if $how eq 'a timeout';
	$s->query('SELECT pg_terminate_backend(' . $w->pid . ')') if $how eq 'pg_terminate_backend';
	$how eq 'quit' ? $w->quit : $how eq 'kill -9 of the client' ? $w->kill_client : $w->wait_gone;
	ends($id, "error|1|$ENDED", "$how: the lease ends");
	is($s->query("SELECT errors ~ '^attempt 1: $ENDED \\(.*\\)\$', next_attempt_at > now() + interval '50 min' FROM goque.tasks WHERE id = $id"),
		't|t', '... as a failed attempt, with its backoff');
	is($s->query("SELECT count(*) FROM goque.leases() WHERE id = $id"), '0', '... and is forgotten');
	$w->kill_client unless $how eq 'quit';
}

my $worker = worker();
my $killer = $s->query(q{SELECT goque_add('t', max_attempts => 1)});
fetch($worker, 't');
$worker->kill_client;
ends($killer, "attempts_left|1|$ENDED", 'a task that kills its client each time runs out of attempts');
is($s->query(q{SELECT total_healed > 0 FROM goque.stats WHERE type = 't'}), 't', 'goque.stats counts it as healed');

# ---- exactly what it still holds ----

$s->query(q{SELECT goque_configure('e', backoff => 'static', backoff_base => '1 h')});
my @ids = split /\n/, $s->query(q{SELECT id FROM goque_add_many('e', array_fill('{}'::jsonb, '{9}')) id});
my $other = GoqueSession->new($node);
$worker = worker();
fetch($worker, 'e', ', max_tasks => 7');
my %token = map { split /\|/ } split /\n/, $s->query(q{SELECT id, token FROM goque.ring WHERE type = 'e' AND status = 3});
# held, heartbeat from here and elsewhere
$worker->query("SELECT goque_heartbeat($ids[0], $token{$ids[0]}, '2 h')");
$other->query("SELECT goque_heartbeat($ids[1], $token{$ids[1]}, '2 h')");
# done, given back and fetched by another
$worker->query("SELECT goque_complete($ids[2], $token{$ids[2]})");
$worker->query("SELECT goque_release($ids[3], $token{$ids[3]})");
fetch($other, 'e');
# an open transaction: one completed, one fetched, one guarded
$worker->query("BEGIN; SELECT goque_complete($ids[4], $token{$ids[4]}); SELECT goque_guard($ids[5], $token{$ids[5]}); SELECT id FROM goque_fetch('e')");
# another's
fetch($other, 'e');
$worker->kill_client;
ends($ids[0], "error|1|$ENDED", 'what it held');
ends($ids[1], "error|1|$ENDED", '... also if another session extended it');
is(status_of($ids[2]), 'done|1|', '... but not what it completed');
is(status_of($ids[3]), 'processing|1|', '... nor gave back to be fetched by another');
ends($ids[4], "error|1|$ENDED", 'what it completed in a transaction that did not commit');
ends($ids[5], "error|1|$ENDED", 'what it guarded');
ends($ids[6], "error|1|$ENDED", 'what it did nothing with');
is($s->query("SELECT string_agg(status || attempts, ' ' ORDER BY id) FROM goque.tasks WHERE id IN ($ids[7], $ids[8])"),
	'processing1 new0', 'a fetch that was not committed leaves no trace; what another fetched stays');

# many, fetched and finished again and again: the list is thinned out
$worker = worker();
$s->query(q{SELECT count(*) FROM goque_add_many('m', array_fill('{}'::jsonb, '{2000}'))});
$worker->query(q{DO $$ BEGIN FOR i IN 1 .. 19 LOOP PERFORM goque_complete(id, token) FROM goque_fetch('m', 100); END LOOP; END $$});
$worker->query(q{SELECT count(*) FROM goque_fetch('m', 100, lease => '1 h')});
$worker->quit;
GoqueNode::wait_until($node, "SELECT count(*) = 100 FROM goque.tasks WHERE type = 'm' AND error = '$ENDED'");
is($s->query(q{SELECT status, count(*) FROM goque.tasks WHERE type = 'm' GROUP BY 1 ORDER BY 1}),
	"done|1900\nerror|100", 'of many leases those end that still hold');

# ---- prepared: held until it is committed, over then ----

healer_every('1s');
$worker = worker();
my $id = $s->query(q{SELECT goque_add('p')});
$worker->query(q{BEGIN; SELECT id FROM goque_fetch('p', lease => '1 h'); PREPARE TRANSACTION 'p'});
$worker->quit;
is(status_of($id), 'new|0|', 'a prepared claim');
$s->query(q{COMMIT PREPARED 'p'});
ends($id, "error|1|$ENDED", '... ends after its commit');
healer_every('10min');

# ---- without the setting ----

$worker = GoqueSession->new($node);
$id = $s->query(q{SELECT goque_add('t')});
fetch($worker, 't');
$worker->quit;
# another one's end, later, is seen
$worker = worker();
my $seen = $s->query(q{SELECT goque_add('t')});
fetch($worker, 't');
$worker->quit;
ends($seen, "error|1|$ENDED", 'with the setting');
is(status_of($id), 'processing|1|', 'without it, the lease holds until its time');

# ---- by hand, while the keeper does not come to it ----

my $keeper = $s->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
my $by_hand = $s->query(q{SELECT goque_add('t')});
$worker = worker();
fetch($worker, 't');
is($s->query(q{SELECT goque_heal()}), '0', 'goque_heal() leaves a lease whose session is there');
# at rest, so that it holds no lock
GoqueNode::wait_until($node, "SELECT wait_event = 'Extension' OR wait_event LIKE 'Goque%' FROM pg_stat_activity WHERE pid = $keeper");
kill 'STOP', $keeper;
$worker->quit;
$worker->wait_gone;
is($s->query(q{SELECT goque_heal('e')}), '0', 'goque_heal() of another type passes it by');
is(status_of($by_hand), 'processing|1|', '... it still holds');
is($s->query(q{SELECT goque_heal('t')}), '1', 'goque_heal() of its type ends it');
is(status_of($by_hand), "error|1|$ENDED", '... and says why');
kill 'CONT', $keeper;

is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $other;
$node->stop;
done_testing();
