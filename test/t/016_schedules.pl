# Schedules add each of their times once: in time (F61), over a kill -9 of the
# keeper and of the server (F20, F23), a promotion, two who try at once; what was
# missed is caught up with as the schedule says; a clock that was far ahead leaves
# none asleep (F60); one that fails stops no other.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use GoqueNode;

my $node = GoqueNode::new_node('schedules', init => [ allows_streaming => 1 ],
	conf => "max_prepared_transactions = 5\nrestart_after_crash = on\n");
my $s = GoqueSession->new($node);

sub keeper
{
	return $s->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = current_database()});
}

# Make a schedule due, as if it had last run then; the keeper is told.
sub make_due
{
	my ($name, $since) = @_;

	$s->query("UPDATE goque.schedule_settings SET next_run_at = date_trunc('second', now()) - interval '$since' WHERE name = '$name'");
	$s->query(q{SELECT goque_resume('nothing')});
	return;
}

sub wait_for_task
{
	my ($type, $n) = @_;

	GoqueNode::wait_until($node, "SELECT count(*) >= $n FROM goque.tasks WHERE type = '$type'");
	return;
}

sub tasks
{
	my ($type) = @_;

	return $s->query("SELECT count(*) FROM goque.tasks WHERE type = '$type'");
}

# Occurrences of a schedule of every second: from the first to the last, each once.
sub each_second_once
{
	my ($n, $type, $name) = @_;

	is($n->safe_psql('postgres', qq{
			SELECT count(*) = count(DISTINCT metadata->>'occurrence')
				AND count(*) = extract(epoch FROM max((metadata->>'occurrence')::timestamptz) - min((metadata->>'occurrence')::timestamptz)) + 1
			FROM goque.tasks WHERE type = '$type'}),
		't', $name);
	return;
}

# ---- in time ----

$s->query(q{SELECT goque_schedule('second', '* * * * * *', 'second', catch_up => 'all')});
wait_for_task('second', 8);
each_second_once($node, 'second', 'each second has its task');
is($s->query(q{SELECT bool_and(external_id = 'second@' || (metadata->>'occurrence') AND metadata->>'schedule' = 'second') FROM goque.tasks WHERE type = 'second'}),
	't', '... and each task says whose it is');
my $late = $s->query(q{SELECT extract(epoch FROM max(created_at - (metadata->>'occurrence')::timestamptz)) FROM goque.tasks WHERE type = 'second'});
cmp_ok($late, '<', 1, '... none is a second late');
note("at most $late s late");
is($s->query(q{SELECT last_run_at <= now() AND next_run_at > last_run_at AND last_status = 'new' AND NOT paused FROM goque.schedules WHERE name = 'second'}),
	't', 'goque.schedules shows where it is');

# ---- kill -9 ----

for (1 .. 3)
{
	my $n = tasks('second');

	wait_for_task('second', $n + 1);
	usleep(int(rand(1_000_000)));
	kill 'KILL', keeper();		# which restarts the server
	GoqueNode::wait_alive($node);
	$s->quit;
	$s = GoqueSession->new($node);
	wait_for_task('second', $n + 3);
}
each_second_once($node, 'second', 'F20: each second once, over three kills of the keeper');
for (1 .. 2)
{
	wait_for_task('second', tasks('second') + 1);
	usleep(int(rand(1_000_000)));
	my @pids = split /\n/, $s->query('SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	$s->kill_client;
	GoqueNode::wait_for('all processes to go', sub { !grep { kill 0, $_ } @pids });
	GoqueNode::start_again($node);
	$s = GoqueSession->new($node);
}
wait_for_task('second', tasks('second') + 1);
each_second_once($node, 'second', 'F23: ... and over two of the server');
$s->quit;
$node->restart;
$s = GoqueSession->new($node);
wait_for_task('second', tasks('second') + 1);
each_second_once($node, 'second', 'F61: ... and over a restart');

# ---- promotion ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', q{SELECT count(*) FROM goque_next_runs('@daily')}), '5', 'goque_next_runs works on a standby');
wait_for_task('second', tasks('second') + 1);
$node->wait_for_catchup($standby);
my $before = tasks('second');
$s->quit;
$node->stop('immediate');
$standby->promote;
GoqueNode::wait_until($standby, "SELECT count(*) > $before + 2 FROM goque.tasks WHERE type = 'second'");
each_second_once($standby, 'second', 'each second once, over a promotion');
$standby->stop;
$node->start;
$s = GoqueSession->new($node);
$s->query(q{SELECT goque_unschedule('second')});

# ---- what was missed ----

for my $catch_up ('none', 'one', 'all')
{
	$s->query(qq{SELECT goque_schedule('$catch_up', '*/10 * * * *', '$catch_up', catch_up => '$catch_up')});
	$s->query(qq{SELECT goque_pause_schedule('$catch_up')});
	$s->query(qq{UPDATE goque.schedule_settings SET paused = false, next_run_at = date_trunc('hour', now()) - interval '1 day' WHERE name = '$catch_up'});
}
my $missed = $s->query(q{SELECT 144 + 1 + floor(extract(minute FROM now()) / 10)});
$s->quit;
$node->restart;
$s = GoqueSession->new($node);
GoqueNode::wait_until($node, q{SELECT bool_and(next_run_at > now()) FROM goque.schedules WHERE name IN ('none', 'one', 'all')});
is(tasks('none'), '0', 'catch_up none: nothing is caught up with');
is($s->query(q{SELECT count(*), max((metadata->>'occurrence')::timestamptz) > now() - interval '10 min' FROM goque.tasks WHERE type = 'one'}), '1|t', 'catch_up one: the last');
cmp_ok(abs(tasks('all') - $missed), '<=', 1, 'catch_up all: each');
is($s->query(q{SELECT count(*) - count(DISTINCT external_id) FROM goque.tasks WHERE type = 'all'}), '0', '... once');
$s->query(q{SELECT goque_schedule('many', '* * * * * *', 'many', catch_up => 'all')});
make_due('many', '1 day');
wait_for_task('many', 1000);
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'many' AND created_at = (SELECT min(created_at) FROM goque.tasks WHERE type = 'many')}) <= 1000 ? 1 : 0, 1, '... but 1,000 at most');
cmp_ok($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'many' AND (metadata->>'occurrence')::timestamptz < now() - interval '30 min'}), '==', 0, '... the newest');
$s->query(q{SELECT goque_unschedule(name) FROM goque.schedules});

# ---- a person and the keeper; one that is set in an open transaction ----

$s->query(q{SELECT goque_schedule('locked', '@every 1 week', 'locked'), goque_schedule('free', '@every 1 week', 'free')});
my $p = GoqueSession->new($node);
$p->query(q{BEGIN; SELECT goque_run_schedule('locked')});
$s->query(q{UPDATE goque.schedule_settings SET next_run_at = date_trunc('second', now()) WHERE name = 'free'});
$s->query(q{SELECT goque_resume('nothing')});
wait_for_task('free', 1);
pass('the keeper passes by a schedule that somebody is at');
$p->query(q{UPDATE goque.schedule_settings SET next_run_at = date_trunc('second', now()) WHERE name = 'locked'; COMMIT});
$s->query(q{SELECT goque_resume('nothing')});
wait_for_task('locked', 2);
is($s->query(q{SELECT count(*), count(external_id) FROM goque.tasks WHERE type = 'locked'}), '2|1', '... and comes back to it');
$p->query(q{BEGIN; SELECT goque_schedule('prepared', '* * * * * *', 'prepared'); PREPARE TRANSACTION 'p'});
is(tasks('prepared'), '0', 'a schedule that is prepared adds nothing');
$p->query(q{COMMIT PREPARED 'p'});
$p->query(q{SELECT goque_resume('nothing')});
wait_for_task('prepared', 1);
pass('... and runs when it is committed');
$s->query(q{SELECT goque_unschedule('prepared')});
$p->quit;

# ---- overlap ----

$s->query(q{SELECT goque_schedule('slow', '* * * * * *', 'slow', overlap => false), goque_schedule('clock', '* * * * * *', 'clock')});
wait_for_task('clock', 4);
is(tasks('slow'), '1', 'overlap false: none is added while the last is not finished');
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('slow')});
wait_for_task('slow', 2);
is($s->query(q{SELECT last_status FROM goque.schedules WHERE name = 'slow'}), 'new', '... and one when it is');
$s->query(q{SELECT goque_unschedule(name) FROM goque.schedules WHERE name IN ('slow', 'clock')});

# ---- one that fails ----

my $offset = -s $node->logfile;
$s->query(q{SELECT goque_schedule('bad', '* * * * * *', 'bad', '{"secret": "0123456789"}'), goque_schedule('good', '* * * * * *', 'good')});
wait_for_task('bad', 1);
$s->query(q{SELECT goque_configure('bad', max_payload_size => 10)});
GoqueNode::wait_until($node, q{SELECT error IS NOT NULL FROM goque.schedules WHERE name = 'bad'});
my $bad = tasks('bad');
wait_for_task('good', tasks('good') + 3);
is(tasks('bad'), $bad, 'a schedule that fails adds nothing, and stops no other');
is($s->query(q{SELECT error FROM goque.schedules WHERE name = 'bad'}), 'payload of a task is too large: It has 28 bytes, and the limit is 10 bytes.', 'goque.schedules says why');
is($s->query(q{SELECT ok, detail FROM goque.health WHERE check_name = 'schedules'}), 'f|1 schedules are late: bad (payload of a task is too large: It has 28 bytes, and the limit is 10 bytes.)', '... and goque.health');
my @lines = grep { /could not add its task/ } split /\n/, slurp_file($node->logfile, $offset);
is(scalar(@lines), 1, '... and one line in the log');
like($lines[0], qr/ 54000 WARNING: /, '... with the SQLSTATE of what failed');
unlike(slurp_file($node->logfile, $offset), qr/secret/, '... without the payload');
$s->query(q{SELECT goque_configure('bad', max_payload_size => 0)});
$s->query(q{UPDATE goque.schedule_settings SET retry_at = now() WHERE name = 'bad'});
wait_for_task('bad', $bad + 1);
is($s->query(q{SELECT error FROM goque.schedules WHERE name = 'bad'}), '', 'it goes on when the fault ends');
is($s->query(q{SELECT ok FROM goque.health WHERE check_name = 'schedules'}), 't', '... and all is well');

# ... also one that nobody catches up with, when what was in its way goes soon
my $locker = GoqueSession->new($node);
$locker->query('BEGIN; LOCK TABLE ' . join(', ', map { "goque.tasks_$_" } 0 .. 7) . ' IN ACCESS EXCLUSIVE MODE');
$s->query(q{SELECT goque_schedule('brief', '@every 1 week', 'brief', catch_up => 'none');
	UPDATE goque.schedule_settings SET next_run_at = date_trunc('second', now()) WHERE name = 'brief'; SELECT goque_resume('nothing')});
GoqueNode::wait_until($node, q{SELECT error LIKE '%lock timeout%' FROM goque.schedule_settings WHERE name = 'brief'});
$locker->query('ROLLBACK');
$locker->quit;
wait_for_task('brief', 1);
pass('a table that is locked for a moment makes no schedule miss its time');

# what was right when it was set, and came here by a restore or an upgrade
for my $wrong (
	[ q{timezone = 'Mars/Olympus'}, 'unknown time zone: The server does not know "Mars/Olympus" any more.' ],
	[ q{next_run_at = '-infinity'}, 'time of a schedule is out of range: Its next_run_at is -infinity.' ],
	[ q{schedule = '* * * * * 8'}, 'malformed schedule: In "* * * * * 8", what is at position 11 is not from 0 to 7.' ])
{
	my ($change, $error) = @$wrong;

	$s->query(qq{UPDATE goque.schedule_settings SET $change, error = NULL, retry_at = NULL WHERE name = 'bad'; SELECT goque_resume('nothing')});
	GoqueNode::wait_until($node, q{SELECT error <> '' FROM goque.schedules WHERE name = 'bad'});
	is($s->query(q{SELECT error FROM goque.schedules WHERE name = 'bad'}), $error, "$change: goque.schedules says so");
	is($s->query(q{SELECT ok, detail FROM goque.health WHERE check_name = 'schedules'}), "f|1 schedules are late: bad ($error)", '... and goque.health');
	wait_for_task('good', tasks('good') + 2);
	pass('... and others go on');
	$s->query(q{SELECT goque_unschedule('bad'), goque_schedule('bad', '* * * * * *', 'bad')});
	wait_for_task('bad', tasks('bad') + 1);
	pass('... as does it, set again');
}
$s->query(q{SELECT goque_unschedule(name) FROM goque.schedules});

# ---- the clock (F60): what a clock that was years ahead leaves behind ----

$s->query(q{SELECT goque_schedule('asleep', '* * * * * *', 'asleep')});
wait_for_task('asleep', 1);
$s->query(q{UPDATE goque.schedule_settings SET last_run_at = now() + interval '10 years', next_run_at = date_trunc('second', now()) + interval '10 years' WHERE name = 'asleep'});
my $asleep = tasks('asleep');
$s->query('SELECT pg_terminate_backend(' . keeper() . ')') if keeper();
wait_for_task('asleep', $asleep + 2);
pass('F60: a schedule that a wrong clock sent to sleep wakes up');
# an hour back: what was added is not added again
$s->query(q{SELECT goque_schedule('back', '@hourly', 'back')});
$s->query(q{UPDATE goque.schedule_settings SET last_run_at = date_trunc('hour', now()) + interval '1 hour', next_run_at = date_trunc('hour', now()) + interval '2 hours' WHERE name = 'back'});
$s->query('SELECT pg_terminate_backend(' . keeper() . ')') if keeper();
wait_for_task('asleep', tasks('asleep') + 2);
is($s->query(q{SELECT next_run_at = date_trunc('hour', now()) + interval '2 hours' FROM goque.schedules WHERE name = 'back'}), 't',
	'... and one that is an hour ahead waits');
$s->query(q{SELECT goque_unschedule(name) FROM goque.schedules});

# ---- a keeper that leaves comes back in time ----

$s->query('CREATE DATABASE t');
$node->safe_psql('t', q{CREATE EXTENSION goque});
$s->query('ALTER DATABASE t IS_TEMPLATE true');	# where keepers do not stay
$node->safe_psql('t', q{SELECT goque_schedule('t', '@every 9 s', 't')});
GoqueNode::wait_until($node, q{SELECT count(*) >= 2 FROM goque.tasks}, 't', 't');
$late = $node->safe_psql('t', q{SELECT extract(epoch FROM max(created_at - (metadata->>'occurrence')::timestamptz)) FROM goque.tasks});
cmp_ok($late, '<', 1, 'a keeper that has left is back before the next time');
note("at most $late s late");

is(GoqueNode::bad_log_lines($node, $offset), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
