# The server goes down by kill -9 of the postmaster, within a millisecond of the
# start of a handler (F20, F22): the attempt was counted before, the handler is
# started max_attempts times at most, a procedure goes on from its progress.
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('handler_crashes', conf => "goque.heal_interval = '200ms'\n");
my $s = GoqueSession->new($node);

sub task
{
	my ($id) = @_;

	return $s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id");
}

# Add a task whose handler kills the postmaster, and start the server again.
sub add_and_crash
{
	my ($type) = @_;
	my $id = $s->query("SELECT goque_add('$type', max_attempts => 2)");

	crash();
	return $id;
}

sub crash
{
	GoqueNode::wait_for('the postmaster to be killed', sub { !kill 0, $node->{_pid} });
	$s->quit;
	$node->stop('immediate', fail_ok => 1);
	GoqueNode::start_again($node);
	$s = GoqueSession->new($node);
	return;
}

$s->query(q{CREATE FUNCTION kill_postmaster() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat > /dev/null; kill -9 ' || split_part(pg_read_file('postmaster.pid'), E'\n', 1));
		PERFORM pg_sleep(60);
	END $$;
	CREATE FUNCTION f(p jsonb) RETURNS void LANGUAGE sql AS 'SELECT kill_postmaster()';
	CREATE TABLE log (attempt int, what text);
	CREATE PROCEDURE p(t goque.task) LANGUAGE plpgsql AS $$ BEGIN
		IF t.progress IS NULL THEN
			INSERT INTO log VALUES (t.attempt, 'first half');
			PERFORM goque_heartbeat(t.id, t.token, progress => '"half"');
			COMMIT;
			INSERT INTO log VALUES (t.attempt, 'lost');
			PERFORM kill_postmaster();
		END IF;
		INSERT INTO log VALUES (t.attempt, 'second half after ' || (t.progress #>> '{}'));
	END $$;
	SELECT goque_configure(type, timeout => '2 s', backoff => 'static', backoff_base => '1 ms') FROM unnest('{f,p}'::text[]) type;
	SELECT goque_register_processor('p', 'p'), goque_register_processor('f', 'f')});

# ---- a procedure ----

my $id = add_and_crash('p');
GoqueNode::wait_until($node, "SELECT status = 'done' FROM goque.tasks WHERE id = $id");
is(task($id), 'done|2', 'a procedure goes on after a crash of the server');
is($s->query(q{SELECT string_agg(attempt || ' ' || what, ', ' ORDER BY attempt) FROM log}), '1 first half, 2 second half after half', '... from the progress that it committed');

# ---- a function; its leases are found though processes start slowly ----

# nothing runs after the restart, until the attempt was looked at
$node->append_conf('postgresql.conf', "post_auth_delay = 1\ngoque.max_processor_workers = 0\n");
$id = add_and_crash('f');
GoqueNode::wait_until($node, "SELECT status <> 'processing' FROM goque.tasks WHERE id = $id");
is(task($id), 'error|1', 'a function: its attempt was counted before it ran');
$node->append_conf('postgresql.conf', "goque.max_processor_workers = 8\n");
$node->reload;
crash();
GoqueNode::wait_until($node, "SELECT status = 'attempts_left' FROM goque.tasks WHERE id = $id");
is(task($id), 'attempts_left|2', 'F22: it is started max_attempts times');
is($s->query(q{SELECT running, ok FROM goque.processors WHERE type = 'f'}), '0|t', 'no slot is lost');

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
