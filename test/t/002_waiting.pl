# Waiting: woken by commits and by the clock, by nothing else, and no wake-up is
# lost whatever becomes of the sleeper.
#
# A sleeper would look again by itself after half a minute, and the keeper is at
# work now and then.  "Promptly" is well before both.
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $PROMPT = 4;
my $node = GoqueNode::new_node('waiting');
my $s = GoqueSession->new($node);
my $a = GoqueSession->new($node);
my $b = GoqueSession->new($node);

sub prompt_is
{
	my ($session, $expected, $name) = @_;

	is($session->result, $expected, $name);
	cmp_ok($session->seconds, '<', $PROMPT, '... promptly');
	return;
}

sub fetch_waiting
{
	my ($type) = @_;

	return "SELECT id FROM goque_fetch('$type', wait => '1 min')";
}

sub status_of
{
	my ($id) = @_;

	return $s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id");
}

# ---- an add's commit wakes (F41) ----

$a->send(fetch_waiting('t'));
$a->wait_asleep;
my $id = $s->query(q{SELECT goque_add('t')});
prompt_is($a, $id, 'an add wakes a fetch');

$a->send(q{SELECT id FROM goque_fetch_any(NULL, wait => '1 min')});
$a->wait_asleep;
$id = $s->query(q{SELECT goque_add('never seen before')});
prompt_is($a, $id, 'a task of a new type wakes who waits for every type');
$a->send(q{CALL goque_wait(NULL)});
$a->wait_asleep;
$s->query(q{SELECT goque_add('nor this')});
prompt_is($a, '', '... CALL goque_wait too');

$a->send(q{CALL goque_wait('{x, t, y}')});
$a->wait_asleep;
$s->query(q{BEGIN; SELECT goque_add('t')});
ok(!$a->is_done, 'an add that is not committed wakes nobody');
$s->query(q{COMMIT});
prompt_is($a, '', 'its commit does');
is($a->query(q{SELECT count(*) FROM goque_fetch('t')}), '1', '... and the task is there');

# ---- so do the clock, and others who make a task ready ----

$a->send(fetch_waiting('t'));
$a->wait_asleep;
$id = $s->query(q{SELECT goque_add('t', delay => '700 ms')});
ok(!$a->is_done, 'a delayed task is not ready');
prompt_is($a, $id, 'a delayed task wakes when it falls due');

$a->send(q{CALL goque_wait('{t}')});
$a->wait_asleep;
$s->query("SELECT goque_release($id, delay => '300 ms')");
prompt_is($a, '', 'a task given back for later wakes goque_wait when it falls due');

$b->query(fetch_waiting('t'));
$a->send(fetch_waiting('t'));
$a->wait_asleep;
$s->query("SELECT goque_release($id)");
prompt_is($a, $id, 'release wakes');

$b->send(fetch_waiting('t'));
$b->wait_asleep;
$s->query("SELECT goque_fail($id, 'x', retry_in => '200 ms')");
prompt_is($b, $id, 'a failure wakes at the time of the retry');

$s->query("SELECT goque_fail($id, 'x', retry => false)");
$a->send(fetch_waiting('t'));
$a->wait_asleep;
$s->query("SELECT goque_retry($id)");
prompt_is($a, $id, 'retry wakes');

$s->query(q{SELECT goque_pause('t')});
$a->send(fetch_waiting('t'));
$a->wait_asleep;
$id = $s->query(q{SELECT goque_add('t')});
ok(!$a->is_done, 'a task of a paused type is not ready');
$s->query(q{SELECT goque_resume('t')});
prompt_is($a, $id, 'resume wakes');

my $later = $s->query(q{SELECT goque_add('t', delay => '1 h')});
$a->send(fetch_waiting('t'));
$a->wait_asleep;
$s->query("SELECT * FROM goque_reschedule_many(ARRAY[$later], run_at => now())");
prompt_is($a, $later, 'a task moved to now wakes');

$a->send(fetch_waiting('i'));
$a->wait_asleep;
$id = $s->query(q{INSERT INTO goque.tasks (type) VALUES ('i') RETURNING id});
prompt_is($a, $id, 'INSERT wakes');

# ---- a rolled back fetch leaves no trace, and leaves the task to others (F1) ----

my $holders = q{SELECT count(*) FROM goque.workers WHERE kind = 'holder' AND pid = } . $b->pid;
$s->query("SELECT goque_complete(id) FROM goque.tasks WHERE status = 'processing'");
$id = $s->query(q{SELECT goque_add('r')});
is($b->query(q{BEGIN; SELECT id FROM goque_fetch('r'); ROLLBACK}), $id, 'fetched and rolled back');
is($s->query($holders), '0', 'goque.workers has forgotten it');
is(status_of($id), 'new|0', 'the task is as before');
is($b->query(q{BEGIN; SELECT id FROM goque_fetch('r')}), $id, 'fetched, not committed');
$a->send(fetch_waiting('r'));
$a->wait_asleep;
$b->query(q{ROLLBACK});
prompt_is($a, $id, 'ROLLBACK of a fetch wakes the next');
is($s->query("SELECT pid FROM goque.leases() WHERE id = $id"), $a->pid, '... and goque knows who holds it');
is(status_of($id), 'processing|1', 'only one attempt is counted');

$id = $s->query(q{SELECT goque_add('r')});
$b->query(q{BEGIN; SAVEPOINT p; SELECT id FROM goque_fetch('r'); ROLLBACK TO p});
$a->send(fetch_waiting('r'));
prompt_is($a, $id, 'ROLLBACK TO of a fetch frees the task before the transaction ends (F7)');
$b->query(q{COMMIT});

$id = $s->query(q{SELECT goque_add('r')});
my $dying = GoqueSession->new($node);
is($dying->query(q{BEGIN; SELECT id FROM goque_fetch('r')}), $id, 'fetched, not committed');
$a->send(fetch_waiting('r'));
$a->wait_asleep;
$dying->kill_client;
prompt_is($a, $id, 'the end of a client that had fetched, but not committed, wakes the next');

# ---- what rolls back wakes nobody to a task (F7) ----

$a->send(fetch_waiting('t'));
$a->wait_asleep;
$s->query(q{BEGIN; SELECT goque_add('t'); ROLLBACK});
$s->query(q{BEGIN; SAVEPOINT p; SELECT goque_add('t'); ROLLBACK TO p; COMMIT});
$s->query(q{DO $$ BEGIN PERFORM goque_add('t'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END $$});
ok(!$a->is_done, 'adds that were rolled back are not seen');
$id = $s->query(q{BEGIN; SAVEPOINT p; SELECT goque_add('t'); RELEASE p; SAVEPOINT q});
$s->query(q{SELECT goque_add('t'); ROLLBACK TO q; COMMIT});
prompt_is($a, $id, 'of two adds the one whose savepoint was released is found');
is($a->query(q{SELECT count(*) FROM goque_fetch('t')}), '0', '... and no other');

# ---- as many are woken as there is work for ----

my @sleepers = map { GoqueSession->new($node) } 1 .. 5;
my $done = sub { return scalar grep { $_->is_done } @sleepers };

$_->send(fetch_waiting('n')) for @sleepers;
$_->wait_asleep for @sleepers;
$s->query(q{SELECT goque_add('n') FROM generate_series(1, 2)});
GoqueNode::wait_for('two sleepers', sub { $done->() == 2 });
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}),
	'3', 'two tasks: two of five return, three sleep on');
$s->query(q{SELECT goque_add_many('n', array_fill('{}'::jsonb, '{3}'))});
$_->result for @sleepers;
is($s->query(q{SELECT count(*), min(attempts), max(attempts) FROM goque.tasks WHERE type = 'n' AND status = 'processing'}),
	'5|1|1', 'each task went to one of them');

$_->send(q{CALL goque_wait('{n}')}) for @sleepers;
$_->wait_asleep for @sleepers;
$s->query(q{SELECT goque_add('n') FROM generate_series(1, 2)});
GoqueNode::wait_for('two sleepers', sub { $done->() == 2 });
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}),
	'3', 'the same for goque_wait');
is($s->query(q{SELECT count(*) FROM goque_fetch('n', 2)}), '2', 'they find their tasks');
$s->query(q{SELECT goque_add_many('n', array_fill('{}'::jsonb, '{3}'))});
$_->result for @sleepers;

# ---- limits of time ----

$a->query(q{SET statement_timeout = '1 s'});
$a->send(q{SELECT id FROM goque_fetch('none', wait => '30 s')});
prompt_is($a, '', 'a fetch returns before its statement_timeout');
$a->send(q{CALL goque_wait('{none}', '30 s')});
prompt_is($a, '', 'goque_wait too');
$a->query(q{RESET statement_timeout});
is($a->query(q{SELECT id FROM goque_fetch('none', wait => '200 ms')}), '', 'a wait ends at its time');
cmp_ok($a->seconds, '>=', 0.2, '... and not before');
is($a->query(q{CALL goque_wait('{none}', '200 ms')}), '', 'goque_wait too');
cmp_ok($a->seconds, '>=', 0.2, '... and not before');
is($a->query(q{BEGIN; CALL goque_wait('{none}')}), 'ERROR:  25001', 'goque_wait in a transaction block');
$a->query(q{ROLLBACK});

# ---- a sleeper that is stopped loses no wake-up ----

# The signal comes right before or after the wake-up.  Who was woken, or had the
# task already, must leave it to the other one.
sub race_against
{
	my ($signal, $type, $waits) = @_;
	my $victim = GoqueSession->new($node);

	$victim->send($waits);
	$victim->wait_asleep;
	$a->send(fetch_waiting($type));
	$a->wait_asleep;
	my $new = $s->query("BEGIN; SELECT goque_add('$type')");
	$s->query("SELECT $signal(" . $victim->pid . ') \g /dev/null' . "\nCOMMIT");
	GoqueNode::wait_for('the task to go to one of them',
		sub { $s->query("SELECT status FROM goque.tasks WHERE id = $new") eq 'processing' });
	$s->query(qq{SELECT goque_add('$type')}) unless $a->is_done;
	my $got = $a->result;
	my $slow = $a->seconds > $PROMPT;
	$victim->kill_client;
	$s->query(qq{SELECT goque_cancel_all('$type')});		# where the first was on its way to it
	return $slow ? "$new came late" : '';
}

is(join('', map { race_against('pg_cancel_backend', 'stop', fetch_waiting('stop')) } 1 .. 8),
	'', 'pg_cancel_backend of a sleeping fetch loses no wake-up');
is(join('', map { race_against('pg_terminate_backend', 'stop', fetch_waiting('stop')) } 1 .. 8),
	'', 'pg_terminate_backend neither');
is(join('', map { race_against('pg_cancel_backend', 'stop', q{CALL goque_wait('{stop}')}) } 1 .. 4),
	'', 'pg_cancel_backend of goque_wait neither');

$a->send(fetch_waiting('stop'));
$a->wait_asleep;
$s->query('SELECT pg_cancel_backend(' . $a->pid . ')');
prompt_is($a, 'ERROR:  57014', 'a sleeping fetch is canceled');
$a->send(q{CALL goque_wait('{none}')});
$a->wait_asleep;
$s->query('SELECT pg_cancel_backend(' . $a->pid . ')');
prompt_is($a, 'ERROR:  57014', 'goque_wait too');
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}),
	'0', 'no waiter is left behind');

# ---- a client that is gone (F2) ----

my $lost = GoqueSession->new($node);
$lost->send(fetch_waiting('lost'));
$lost->wait_asleep;
$lost->kill_client;
$lost->wait_gone;
pass('the backend of a client that was killed while it waited ends');
is($s->query(q{SELECT count(*) FROM goque.workers WHERE kind = 'waiter'}), '0', 'its slot is free');

# the backend finds both at once: its client is gone, and there is a task
for my $waits (fetch_waiting('lost'), q{CALL goque_wait('{lost}')})
{
	$lost = GoqueSession->new($node);
	$lost->send($waits);
	$lost->wait_asleep;
	kill 'STOP', $lost->pid;
	$lost->kill_client;
	$id = $s->query(q{SELECT goque_add('lost')});
	kill 'CONT', $lost->pid;
	$lost->wait_gone;
	is(status_of($id), 'new|0', 'nothing was claimed for a client that is gone');
	$a->send(fetch_waiting('lost'));
	prompt_is($a, $id, '... the next one gets it');
}

# the same with another sleeper, which the lost one must pass the wake-up to
$lost = GoqueSession->new($node);
$lost->send(fetch_waiting('lost'));
$lost->wait_asleep;
$a->send(fetch_waiting('lost'));
$a->wait_asleep;
kill 'STOP', $lost->pid;
$lost->kill_client;
$id = $s->query(q{SELECT goque_add('lost')});
kill 'CONT', $lost->pid;
prompt_is($a, $id, 'a lost sleeper passes its wake-up on');
$lost->wait_gone;

# ---- what a sleeper holds (F37) ----

$a->send(q{CALL goque_wait('{none}')});
$b->send(fetch_waiting('none'));
$_->wait_asleep for $a, $b;
is($s->query('SELECT backend_xmin IS NULL, backend_xid IS NULL FROM pg_stat_activity WHERE pid = ' . $a->pid),
	't|t', 'goque_wait holds no snapshot and no transaction id');
is($s->query("SELECT count(*) FROM pg_locks WHERE locktype <> 'virtualxid' AND pid = " . $a->pid),
	'0', '... and no lock');
is($s->query('SELECT backend_xid IS NULL FROM pg_stat_activity WHERE pid = ' . $b->pid),
	't', 'goque_fetch holds no transaction id while it sleeps');
is($s->query("SELECT string_agg(what, ';'), count(*) FROM goque.workers WHERE kind = 'waiter'"),
	'waits for none;waits for none|2', 'goque.workers shows what they wait for');
is($s->query(q{BEGIN; LOCK TABLE goque.tasks_0, goque.settings NOWAIT; ROLLBACK}),
	'', 'neither holds a lock on a table');
$s->query(q{SELECT goque_add('none') FROM generate_series(1, 2)});
$_->result for $a, $b;

# ---- snapshots of their own (F10) ----

for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	$a->query("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM pg_class");
	$a->send(fetch_waiting('own'));
	$a->wait_asleep;
	$s->query(q{SELECT goque_add('own')});
	prompt_is($a, 'ERROR:  40001', "woken by work that its snapshot cannot see: $level");
	$a->query(q{ROLLBACK});
	is($a->query(q{SELECT count(*) FROM goque_fetch('own')}), '1', '... a new transaction finds it');
	$a->query("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM pg_class");
	is($a->query(q{SELECT id FROM goque_fetch('own', wait => '300 ms')}), '', 'its wait ends at its time');
	cmp_ok($a->seconds, '>=', 0.3, '... and not before');
	$a->query(q{ROLLBACK});
}

is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $a, $b, @sleepers;
$node->stop;
done_testing();
