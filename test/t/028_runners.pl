# Processors where processes are short: no place for a background worker, places
# for all types together, and who comes first.  A handler runs until the test lets
# it go, so that what waits behind it waits for certain.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

use GoqueNode;

# Two places for runners, beside launcher and keeper.
my $node = GoqueNode::new_node('runners',
	conf => "max_worker_processes = 4\nmax_logical_replication_workers = 0\nmax_parallel_workers = 0\n");
my $s = GoqueSession->new($node);
my $gate = GoqueSession->new($node);	# holds the locks that handlers wait for

sub add_slow
{
	my ($n) = @_;

	$gate->query("SELECT pg_advisory_lock($n)");
	return $s->query("SELECT goque_add('slow', '{\"n\": $n}')");
}

sub let_go
{
	my ($n) = @_;

	return $gate->query("SELECT pg_advisory_unlock($n)");
}

# The handlers that wait for their locks.
sub handlers
{
	return $s->query(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'goque: task % of type slow' AND wait_event = 'advisory'});
}

sub running
{
	my ($n) = @_;

	GoqueNode::wait_for("$n handlers to wait for their locks", sub { handlers() == $n });
	return;
}

sub done
{
	my ($id, $name, $db) = @_;

	GoqueNode::wait_until($node, "SELECT status = 'done' FROM goque.tasks WHERE id = $id", 't', $db);
	pass($name);
	return;
}

# Seconds of CPU time that the launcher has had.
sub launcher_time
{
	my $pid = $s->query(q{SELECT pid FROM goque.workers WHERE kind = 'launcher'});
	my @stat = split / /, slurp_file("/proc/$pid/stat") =~ s/^.*\) //sr;

	return ($stat[11] + $stat[12]) / 100;	# clock ticks
}

my $QUICK = q{CREATE FUNCTION quick(p jsonb) RETURNS void LANGUAGE sql AS ''; SELECT goque_register_processor('quick', 'quick')};

$s->query(q{CREATE FUNCTION slow(p jsonb) RETURNS void LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock((p->>'n')::int) $$;
	SELECT goque_configure('slow', timeout => '10 min'); SELECT goque_register_processor('slow', 'slow', workers => 8)});
$s->query($QUICK);

# ---- no place for another background worker ----

my @slow = map { add_slow($_) } 1 .. 4;
running(2);
my $quick = $s->query(q{SELECT goque_add('quick')});
my $time = -r '/proc/self/stat' ? launcher_time() : undef;
my $seen;	# each of the two types is refused a process by itself
GoqueNode::wait_for('both types to lack a process', sub {
	$seen = $s->query(q{SELECT ok, detail, hint FROM goque.health WHERE check_name = 'processors'});
	return $seen =~ /quick: .*; slow: /;
});
like($seen, qr/^f\|quick: no background worker could be started since .*; slow: .*\|Raise max_worker_processes and restart the server\.$/, 'no background worker is free: goque.health says so');
GoqueNode::wait_for('the line in the log', sub { slurp_file($node->logfile) =~ /no background worker is free for a processor of goque/ });
SKIP:
{
	skip 'no /proc here', 1 unless defined $time;
	cmp_ok(launcher_time() - $time, '<', 0.5, '... and the launcher does not spin');
}

# who has more than one process gives one up, after its task
let_go(1);
done($quick, 'a type without a process gets the first place that is free');
is($s->query(qq{SELECT count(*) FROM goque.tasks WHERE id IN ($slow[1], $slow[2], $slow[3]) AND status = 'done'}), '0', '... before the type with slow handlers goes on');
is($s->query(q{SELECT ok FROM goque.processors WHERE type = 'quick'}), 't', '... and all is well with it');

# ---- keepers come first ----

my $KEEPER = q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type = 'goque keeper'};
$s->query(q{SELECT goque_register_processor('quick', 'quick', idle_timeout => '0')});
running(2);
GoqueNode::wait_for('a handler in the place of the keeper', sub {
	# a machine in a hurry may give the place back to the keeper
	$s->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque keeper'});
	return handlers() == 3;
});
GoqueNode::wait_until($node, q{SELECT NOT ok FROM goque.health WHERE check_name = 'worker_slots'});
is($s->query($KEEPER), '0', 'a keeper that was ended lost its place');
add_slow(5);
let_go(2);
GoqueNode::wait_until($node, $KEEPER, '1');
done($slow[1], '... and gets the next one that is free, when a task is done');
GoqueNode::wait_until($node, q{SELECT ok FROM goque.health WHERE check_name = 'worker_slots'});
let_go($_) for 3 .. 5;
my @lines = grep { /no background worker is free for a processor of goque/ } split /\n/, slurp_file($node->logfile);
cmp_ok(scalar(@lines), '<', 5, 'all that took few lines in the log');
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'slow' AND status <> 'done'}, '0');
is($s->query(q{SELECT max(attempts) FROM goque.tasks}), '1', 'nothing was done twice');
$_->quit for $s, $gate;
$node->append_conf('postgresql.conf', "max_worker_processes = 16\ngoque.max_processor_workers = 3\n");
$node->restart;

# ---- fair between types and databases ----

$s = GoqueSession->new($node);
$gate = GoqueSession->new($node);
$s->query('CREATE DATABASE d');
$node->safe_psql('d', "CREATE EXTENSION goque; $QUICK");
GoqueNode::wait_until($node, q{SELECT detail = 'runs when there is work' FROM goque.processors}, 't', 'd');
@slow = map { add_slow($_) } 1 .. 4;
running(2);
done($node->safe_psql('d', q{SELECT goque_add('quick')}), 'one type with slow handlers leaves room for a type of another database', 'd');
done($s->query(q{SELECT goque_add('quick')}), '... and, when that is idle, for one of its own');
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'slow' AND status = 'processing'}), '2', '... while its tasks go on');
$node->safe_psql('d', q{SELECT goque_unregister_processor('quick')});
$s->query(q{SELECT goque_unregister_processor('quick')});
running(3);
pass('where there is no other type, it has all places');
let_go($_) for 1 .. 4;
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'slow' AND status <> 'done'}, '0');

# ---- starts and stops: each leaves its slot and its place ----

my $rounds = $ENV{GOQUE_STARTS} || 100;
$s->query(q{CREATE TABLE starts (pid int, at timestamptz);
	CREATE FUNCTION once(p jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO starts SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()';
	SELECT goque_register_processor('once', 'once', idle_timeout => '0')});
is($s->query(qq{DO \$\$ BEGIN
	FOR i IN 1 .. $rounds LOOP
		PERFORM goque_add('once'); COMMIT;
		WHILE (SELECT count(*) FROM starts) < i OR (SELECT running FROM goque.processors WHERE type = 'once') > 0 LOOP
			COMMIT; PERFORM pg_sleep(0.002);
		END LOOP;
	END LOOP; END \$\$}), '', "a process is started and leaves, $rounds times");
is($s->query('SELECT count(*), count(DISTINCT (pid, at)) FROM starts'), "$rounds|$rounds", '... one after the other');
$s->query(q{SELECT goque_unregister_processor('once')});
add_slow($_) for 1 .. 4;
running(3);
pass('... and all places are there still');
let_go($_) for 1 .. 4;
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'slow' AND status <> 'done'}, '0');

# ---- DROP FUNCTION while it runs (F34) ----

add_slow(6);
running(1);
is($s->query('DROP FUNCTION slow(jsonb)'), '', 'DROP FUNCTION while it runs');
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.workers WHERE kind = 'processor'}, '0');
is($s->query(q{SELECT status, attempts FROM goque.tasks WHERE payload->>'n' = '6'}), 'new|0', '... stops it, and the attempt is given back');
is($s->query(q{SELECT ok, detail, hint FROM goque.health WHERE check_name = 'processors'}), 'f|slow: handler public.slow(jsonb) does not exist|Create it, or register another one.', '... and goque.health says why');
$s->query(q{CREATE FUNCTION slow(p jsonb) RETURNS void LANGUAGE sql AS ''});
GoqueNode::wait_until($node, q{SELECT status = 'done' FROM goque.tasks WHERE payload->>'n' = '6'});
pass('created again, it goes on');

# ---- who is kept out, stopped or dies leaves its work to the next ----

# Stop a process while it sleeps, when it holds nothing that others need.
my @stopped;
END { kill 'CONT', @stopped; }

sub stop_asleep
{
	my ($pid) = @_;

	push @stopped, $pid;
	GoqueNode::wait_for("process $pid to sleep", sub {
		kill 'STOP', $pid;
		return 1 if $s->query("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $pid") eq 'Extension';
		kill 'CONT', $pid;
		return 0;
	});
	return;
}

$node->append_conf('postgresql.conf', "log_min_messages = debug1\n");
my $offset = -s $node->logfile;
$node->reload;
$node->wait_for_log(qr/parameter "log_min_messages" changed to "debug1"/, $offset);
# one task tells that the keeper has seen the processor
$s->query(q{SELECT goque_register_processor('next', 'slow', idle_timeout => '0')});
done($s->query(q{SELECT goque_add('next')}), 'a processor');
my $NEXT = q{SELECT running || ' ' || detail FROM goque.processors WHERE type = 'next'};
GoqueNode::wait_until($node, $NEXT, '0 runs when there is work');
$s->query(q{SELECT goque_register_processor('next', 'slow', idle_timeout => '1 h')});

# the keeper, who would see it half a minute later, does not help
my $keeper = $s->query(q{SELECT pid FROM goque.workers WHERE kind = 'keeper' AND database = 'postgres'});
stop_asleep($keeper);
push @stopped, $node->{_pid};
kill 'STOP', $node->{_pid};
my $task = $s->query(q{SELECT goque_add('next')});
GoqueNode::wait_for('a process to be asked for', sub { $s->query($NEXT) =~ /^1/ });
$offset = -s $node->logfile;
is($gate->query('BEGIN; DROP EXTENSION goque'), '', 'the extension is dropped while a process starts');
kill 'CONT', $node->{_pid};
$node->wait_for_log(qr/background worker "goque processor" \(PID \d+\) exited with exit code 0/, $offset);
$gate->query('ROLLBACK');
done($task, '... and when that is rolled back, another process does the work');

GoqueNode::wait_for('it to wait', sub { $s->query(q{SELECT count(*) FROM goque.workers WHERE what = 'waits for next'}) eq '1' });
my $runner = $s->query(q{SELECT pid FROM goque.workers WHERE what = 'waits for next'});
stop_asleep($runner);
$task = $s->query(q{SELECT goque_add('next')});
$s->query("SELECT pg_terminate_backend($runner)");
kill 'CONT', $runner;
done($task, 'a process that is terminated when it was woken leaves the work to another');

$s->query(q{SELECT goque_register_processor('next', 'slow', idle_timeout => '0')});
GoqueNode::wait_until($node, $NEXT, '0 runs when there is work');
my $client = GoqueSession->new($node);
$client->send(q{SELECT id FROM goque_fetch('next', wait => '1 min')});
$client->wait_asleep;
stop_asleep($client->pid);
$task = $s->query(q{SELECT goque_add('next')});
$s->query('SELECT pg_terminate_backend(' . $client->pid . ')');
kill 'CONT', $client->pid;
done($task, '... and so does a client');
$client->quit;
kill 'CONT', $keeper;

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $gate;
$node->stop;
done_testing();
