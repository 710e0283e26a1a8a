# Processors: background workers run the handlers of types, once each, as the role
# that registered them, and whatever a handler does, or happens to it meanwhile.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

my $node = GoqueNode::new_node('processors', conf => "goque.heal_interval = '200ms'\nwal_writer_delay = '10s'\nmax_worker_processes = 24\nrestart_after_crash = on\n");
my $s = GoqueSession->new($node);

sub task_is
{
	my ($id, $expected, $name, $columns) = @_;

	$columns ||= 'status';
	GoqueNode::wait_until($node, "SELECT concat_ws('|', $columns) = '" . ($expected =~ s/'/''/gr) . "' FROM goque.tasks WHERE id = $id");
	pass($name);
	return;
}

sub add
{
	my ($type, $payload, $options) = @_;

	return $s->query("SELECT goque_add('$type', '" . ($payload || '{"pass": "0123456789"}') . "'" . ($options ? ", $options" : '') . ')');
}

# A function and its processor; the body is PL/pgSQL.
sub processor
{
	my ($type, $body, $options, $kind) = @_;

	$kind ||= 'FUNCTION';
	is($s->query("CREATE OR REPLACE $kind h_$type(t goque.task) " . ($kind eq 'FUNCTION' ? 'RETURNS jsonb ' : '')
				. "LANGUAGE plpgsql AS \$\$ DECLARE i int; BEGIN $body END \$\$;"
				. "SELECT goque_register_processor('$type', 'h_$type'" . ($options ? ", $options" : '') . ')'),
		'', "processor of $type");
	return;
}

sub wait_running
{
	my ($id) = @_;

	GoqueNode::wait_until($node,
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'goque processor' AND query LIKE 'goque: task $id of %'", '1', 'template1');
	return;
}

sub wait_no_runners
{
	my ($type, $name) = @_;
	my $start = time;

	GoqueNode::wait_until($node,
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'goque processor' AND application_name LIKE 'goque $type%'", '0', 'template1');
	cmp_ok(time - $start, '<', 5, $name);
	return;
}

$s->query(q{CREATE TABLE log (id bigint, what text, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION busy(t goque.task) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); END $$});

# ---- functions ----

processor('f', q{INSERT INTO log VALUES (t.id, t.payload->>'a'); IF t.payload ? 'fail' THEN RAISE 'message' USING DETAIL = 'why'; END IF;
	RETURN jsonb_build_object('attempt', t.attempt);});
my $id = add('f', '{"a": "b"}');
task_is($id, 'done|{"attempt": 1}', 'a function runs, and its result is the task\'s', 'status, result');
is($s->query("SELECT count(*) FROM log WHERE id = $id"), '1', 'its effects are there once');
like($s->query('SELECT what FROM goque.workers WHERE kind = ' . "'processor'"), qr/^waits for f$/, 'goque.workers shows the process');
is($s->query(q{SELECT running, ok, detail FROM goque.processors}), '1|t|runs', 'goque.processors, too');
$id = add('f', '{"fail": 1, "pass": "0123456789"}', 'max_attempts => 1');
GoqueNode::wait_until($node, "SELECT status = 'attempts_left' FROM goque.tasks WHERE id = $id");
is($s->query("SELECT error FROM goque.tasks WHERE id = $id"), "message\nDETAIL:  why\nCONTEXT:  PL/pgSQL function h_f(goque.task) line 1 at RAISE",
	'an exception fails the task with message, detail and context');
is($s->query("SELECT count(*) FROM log WHERE id = $id"), '0', '... and its effects are gone');

# other results and languages
$s->query(q{CREATE FUNCTION r(p jsonb) RETURNS numeric LANGUAGE sql AS 'SELECT 1.5';
	SELECT goque_register_processor('r', 'r')});
task_is(add('r'), 'done|1.5', 'a result of another type becomes jsonb', 'status, result');
$s->query(q{CREATE FUNCTION v(p jsonb) RETURNS void LANGUAGE sql AS ''; SELECT goque_register_processor('v', 'v', 2, 10)});
$id = add('v');
task_is($id, 'done|t', 'a function without result', 'status, result IS NULL');

# ---- many in one transaction ----

processor('b', q{INSERT INTO log VALUES (t.id, pg_current_xact_id()::text); IF t.payload ? 'fail' THEN RAISE 'message'; END IF; RETURN NULL;}, 'batch_size => 100');
$s->query(q{SELECT goque_pause('b');
	SELECT count(*) FROM goque_add_many('b', array_fill('{}'::jsonb, '{100}'));
	SELECT goque_resume('b')});
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'b' AND status = 'done'}, '100');
is($s->query(q{SELECT count(*), count(DISTINCT id), count(DISTINCT what) FROM log WHERE id IN (SELECT id FROM goque.tasks WHERE type = 'b')}),
	'100|100|1', 'a batch shares a transaction');
$s->query(q{TRUNCATE log; SELECT goque_pause('b');
	SELECT goque_add('b', CASE i WHEN 5 THEN '{"fail": 1}' ELSE '{}' END::jsonb, max_attempts => 1) FROM generate_series(1, 10) i;
	SELECT goque_resume('b')});
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'b' AND status = 'done'}, '109');
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'b' AND status = 'attempts_left'}), '1', 'one that fails, fails alone');
is($s->query(q{SELECT count(*), count(DISTINCT id) FROM log}), '9|9', '... and the others have run once');

# ---- procedures ----

processor('p', q{IF t.progress IS NULL THEN
		INSERT INTO log VALUES (t.id, 'one'); PERFORM goque_heartbeat(t.id, t.token, progress => '1'); COMMIT;
		RAISE 'half way';
	END IF;
	INSERT INTO log VALUES (t.id, 'two'); COMMIT; INSERT INTO log VALUES (t.id, 'three');}, undef, 'PROCEDURE');
$s->query(q{SELECT goque_configure('p', backoff => 'static', backoff_base => '1 ms')});
$id = add('p');
task_is($id, 'done|2', 'a procedure that commits, fails and resumes', 'status, attempts');
is($s->query("SELECT string_agg(what, ' ' ORDER BY at) FROM log WHERE id = $id"), 'one two three', '... from its progress');

# ---- time, cancel, release ----

$s->query(q{SELECT goque_register_processor('busy', 'busy', 2); SELECT goque_configure('busy', timeout => '300 ms')});
$id = add('busy', '{}', 'max_attempts => 1');
GoqueNode::wait_until($node, "SELECT status = 'attempts_left' FROM goque.tasks WHERE id = $id");
is($s->query("SELECT error FROM goque.tasks WHERE id = $id"), 'timeout: the handler was cancelled after 300 ms', 'the timeout cancels a handler (F35)');
$s->query(q{SELECT goque_configure('busy', timeout => '1 min')});
$id = add('busy');
wait_running($id);
my $start = time;
is($s->query("SELECT goque_cancel($id)"), 't', 'goque_cancel of a running task');
GoqueNode::wait_until($node, q{SELECT what FROM goque.workers WHERE kind = 'processor' AND what LIKE '%busy' ORDER BY what DESC LIMIT 1}, 'waits for busy');
cmp_ok(time - $start, '<', 2, '... cancels its handler at once');
task_is($id, 'canceled', '... and leaves it canceled');

$id = add('busy');
wait_running($id);
$s->query(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'goque processor' AND query LIKE '%of type busy'});
GoqueNode::wait_until($node, "SELECT attempts = 1 AND worker <> '' FROM goque.tasks WHERE id = $id");
wait_running($id);
is($s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id"), 'processing|1', 'a terminated process gives the attempt back, and another goes on');
$s->query("SELECT goque_cancel($id)");

# a handler that will not hear
processor('deaf', q{LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP;});
$s->query(q{SELECT goque_configure('deaf', timeout => '1 s')});
my $deaf = add('deaf', '{}', 'max_attempts => 1');
wait_running($deaf);

# ---- what a handler leaves behind (F35) ----

processor('clean', q{RETURN jsonb_build_array(current_setting('search_path'), current_setting('work_mem'), current_user = session_user, current_setting('application_name'),
	(SELECT count(*) FROM pg_class WHERE relname = 'left_behind'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_cursors WHERE name = 'c'),
	(SELECT count(*) FROM pg_prepared_statements));});
$s->query(q{CREATE FUNCTION h_dirty(t goque.task) RETURNS jsonb LANGUAGE plpgsql AS $$
	DECLARE found jsonb;
	BEGIN
		found := h_clean(t);
		SET search_path = no_such; SET work_mem = '1MB'; SET ROLE pg_monitor; SET application_name = 'x';
		CREATE TEMP TABLE left_behind (a int); PERFORM pg_catalog.pg_advisory_lock(1);
		EXECUTE 'PREPARE q AS SELECT 1'; EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1';
		RETURN found;
	END $$;
	SELECT goque_unregister_processor('clean');
	SELECT goque_register_processor('dirty', 'h_dirty')});
my $clean = '["\"$user\", public", "4MB", true, "goque dirty", 0, 0, 0, 0]';
task_is(add('dirty'), "done|$clean", "dirty handler $_", 'status, result') for 1 .. 3;
$s->query(q{SELECT goque_register_processor('dirty', 'h_dirty', batch_size => 10); SELECT goque_pause('dirty');
	SELECT count(*) FROM goque_add_many('dirty', array_fill('{}'::jsonb, '{10}'), max_attempts => 1); SELECT goque_resume('dirty')});
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'dirty' AND status = 'done'}, '13');
is($s->query(q{SELECT DISTINCT result FROM goque.tasks WHERE type = 'dirty'}), $clean, '... nor does a batch of them');
$s->query(q{CREATE TABLE found (what jsonb);
	CREATE PROCEDURE h_dirty_too(t goque.task) LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO found VALUES (h_dirty(t) || to_jsonb(current_setting('transaction_isolation'))); COMMIT; SET default_transaction_isolation = 'serializable'; END $$;
	SELECT goque_pause('dirty_too'), goque_register_processor('dirty_too', 'h_dirty_too', batch_size => 10);
	SELECT count(*) FROM goque_add_many('dirty_too', array_fill('{}'::jsonb, '{10}'), max_attempts => 1); SELECT goque_resume('dirty_too')});
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'dirty_too' AND status = 'done'}, '10');
is($s->query(q{SELECT count(*), what FROM found GROUP BY what}), '10|' . ($clean =~ s/"goque dirty"/"goque dirty_too"/r =~ s/\]/, "read committed"]/r), '... nor one of procedures');
# advisory locks, of the session and of the transaction, are held to the commit and no longer
processor('lock', q{i := (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid());
	PERFORM CASE WHEN t.payload ? 'xact' THEN pg_advisory_xact_lock(t.id) ELSE pg_advisory_lock(t.id) END; RETURN i;}, 'batch_size => 10');
$s->query(q{SELECT goque_pause('lock');
	SELECT count(*) FROM goque_add_many('lock', array_fill('{}'::jsonb, '{5}') || array_fill('{"xact": 1}'::jsonb, '{5}')); SELECT goque_resume('lock')});
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'lock' AND status = 'done'}, '10');
is($s->query(q{SELECT DISTINCT result FROM goque.tasks WHERE type = 'lock'}), '0', '... nor advisory locks of a batch');
processor('listen', q{LISTEN x; RETURN NULL;});
$id = add('listen', '{}', 'max_attempts => 1');
GoqueNode::wait_until($node, "SELECT status = 'attempts_left' FROM goque.tasks WHERE id = $id");
like($s->query("SELECT error FROM goque.tasks WHERE id = $id"), qr/^cannot execute LISTEN within a background process/, 'nor LISTEN, which the server refuses');
$s->query(q{SELECT goque_unregister_processor('lock'), goque_unregister_processor('listen')});

# ---- A4: no way to other rights; A5: decoys on the path ----

$s->query(q{CREATE ROLE low LOGIN; SELECT goque_grant('low', 'admin'); CREATE SCHEMA low AUTHORIZATION low; ALTER ROLE low SET search_path = low;
	ALTER ROLE low SET statement_timeout = '1 ms'; ALTER ROLE low SET lock_timeout = '1 ms'; ALTER ROLE low SET default_transaction_isolation = 'serializable';
	ALTER ROLE low SET default_transaction_read_only = on});
my $low = GoqueSession->new($node, 'postgres', user => 'low', options => '-c statement_timeout=0 -c default_transaction_read_only=off -c lock_timeout=0');
is($low->query(q{CREATE FUNCTION low.who(p jsonb) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
		RESET ROLE; RESET SESSION AUTHORIZATION;
		BEGIN EXECUTE format('SET SESSION AUTHORIZATION %I', p->>'boss'); RETURN 'escaped'; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
		RETURN current_user || ' ' || session_user || ' ' || current_setting('search_path') || ' ' || current_setting('is_superuser'); END $$;
	CREATE TABLE low.called (what text);
	CREATE FUNCTION low.decoy(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO low.called VALUES (current_user); RETURN true; END $$;
	CREATE OPERATOR low.= (LEFTARG = text, RIGHTARG = text, FUNCTION = low.decoy);
	ALTER ROLE low SET search_path = low, pg_catalog, public;
	SELECT public.goque_register_processor('low', 'low.who(jsonb)')}), '', 'a processor of a role without rights');
my $boss = $s->query('SELECT current_user');
$id = add('low', "{\"boss\": \"$boss\"}");
task_is($id, 'done|"low low low, pg_catalog, public off"', 'A4: it runs as that role, with its settings, and stays so', 'status, result');
is($s->query('SELECT count(*) FROM low.called'), '0', 'A5: no decoy on its path was called');

# ---- F34: role or handler goes while it runs ----

$low->query(q{CREATE FUNCTION low.busy(p jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); END $$;
	SELECT public.goque_register_processor('lowbusy', 'low.busy')});
$s->query(q{SELECT goque_configure('lowbusy', timeout => '1 min')});
for my $change (['ALTER ROLE low NOLOGIN', 'ALTER ROLE low LOGIN'], ['ALTER ROLE low RENAME TO lower', 'ALTER ROLE lower RENAME TO low'],
	['REVOKE EXECUTE ON FUNCTION low.busy(jsonb) FROM PUBLIC, low', 'GRANT EXECUTE ON FUNCTION low.busy(jsonb) TO low'])
{
	$id = add('lowbusy');
	wait_running($id);
	is($s->query($change->[0]), '', $change->[0]);
	wait_no_runners('lowbusy', '... stops it within 5 s');
	task_is($id, 'new|0', '... and the attempt is given back', 'status, attempts');
	is($s->query(q{SELECT ok FROM goque.health WHERE check_name = 'processors'}), 'f', '... goque.health tells');
	task_is(add('f', '{"a": "c"}'), 'done', '... and others run');
	$s->query($change->[1]);
	wait_running($id);
	pass("$change->[1]: it goes on");
	$s->query("SELECT goque_cancel($id)");
}
$id = add('lowbusy');
wait_running($id);
$low->quit;
is($s->query('DROP OWNED BY low CASCADE; DROP ROLE low'), '', 'DROP FUNCTION and DROP ROLE');
wait_no_runners('lowbusy', '... stop it within 5 s');
task_is($id, 'new|0', '... and the attempt is given back', 'status, attempts');
$s->query(q{SELECT goque_unregister_processor(t), goque_cancel_all(t) FROM unnest('{low,lowbusy}'::text[]) t});

# ---- fair between types ----

$s->query(q{ALTER SYSTEM SET goque.max_processor_workers = 3; SELECT pg_reload_conf();
	SELECT goque_register_processor('slow' || i, 'busy', 3) FROM generate_series(1, 3) i;
	SELECT goque_configure('slow' || i, timeout => '500 ms', max_attempts => 1) FROM generate_series(1, 3) i;
	SELECT goque_add('slow' || i) FROM generate_series(1, 3) i, generate_series(1, 20)});
task_is(add('f', '{"a": "d"}'), 'done', 'a type with work is not starved by slow ones');
GoqueNode::wait_until($node, q{SELECT count(*) <= 3 FROM pg_stat_activity WHERE backend_type = 'goque processor'});
pass('no more than max_processor_workers');
$s->query(q{SELECT goque_unregister_processor('slow' || i), goque_cancel_all('slow' || i) FROM generate_series(1, 3) i;
	ALTER SYSTEM RESET goque.max_processor_workers; SELECT pg_reload_conf()});
GoqueNode::wait_until($node, "SELECT status = 'attempts_left' FROM goque.tasks WHERE id = $deaf");
pass('a handler that will not hear is ended with its process, and the task healed');
$s->query(q{SELECT goque_unregister_processor('deaf')});

# ---- leaving after idling, and a thousand starts ----

$s->query(q{SELECT goque_register_processor('v', 'v', idle_timeout => '0')});
wait_no_runners('v', 'an idle process leaves');
$start = time;
my $n = 0;
while ($n < 1000 && time - $start < 20)
{
	$s->query(q{SELECT goque_add('v')});
	GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'v' AND status <> 'done'}, '0') if ++$n % 50 == 0;
}
wait_no_runners('v', "$n tasks with starts and stops of processes");
is($s->query(q{SELECT running, ok FROM goque.processors WHERE type = 'v'}), '0|t', 'no slot is lost');

# ---- memory stays (F39) ----

processor('lean', q{IF (t.payload->>'i')::int % 100 = 0 THEN RAISE 'message'; END IF; PERFORM set_config('work_mem', '1MB', false); RETURN t.payload;}, 'batch_size => 50');
$s->query(q{SELECT goque_configure('lean', retention => '0', retention_failed => '0', max_attempts => 1)});

# Kilobytes of its process after n more tasks.
sub memory_after
{
	my ($tasks) = @_;

	for (my $i = 0; $i < $tasks; $i += 10_000)
	{
		$s->query(q{SELECT count(*) FROM goque_add_many('lean', (SELECT array_agg(jsonb_build_object('i', i)) FROM generate_series(1, least(10000, } . ($tasks - $i) . ')) i))');
		GoqueNode::wait_until($node, q{SELECT ready + processing FROM goque.stats WHERE type = 'lean'}, '0');
	}
	my $lean = $s->query(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'goque lean'});
	my ($kb) = PostgreSQL::Test::Utils::slurp_file("/proc/$lean/status") =~ /RssAnon:\s+(\d+) kB/;

	return $kb;
}

SKIP:
{
	skip 'no /proc here', 1 unless -r '/proc/self/status';
	my $tasks = $ENV{GOQUE_TASKS} || 20_000;
	my $before = memory_after($tasks / 10);
	my $growth = memory_after($tasks - $tasks / 10) - $before;

	cmp_ok($growth, '<', 1024, "$tasks tasks, some of which fail, leave nothing in memory");
	note("$growth kB more");
}

# ---- kill -9 in a handler, and a handler that takes the server down (F22) ----

$id = add('busy');
wait_running($id);
my $pid = $s->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'goque processor' AND query LIKE '%of type busy' LIMIT 1});
kill KILL => $pid;
$s->quit;
GoqueNode::wait_alive($node);
$s = GoqueSession->new($node);
task_is(add('f', '{"a": "e"}'), 'done', 'after a kill -9 in a handler, processors are back');
$s->query(q{SELECT goque_cancel_all('busy', 'processing'); SELECT goque_cancel_all('busy'); SELECT goque_unregister_processor('busy')});
is($s->query(q{CREATE FUNCTION h_kill(p jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid()); PERFORM pg_sleep(10); END $$;
	SELECT goque_register_processor('kill', 'h_kill');
	SELECT goque_configure('kill', backoff => 'static', backoff_base => '1 ms', timeout => '300 ms')}) =~ s/\n//r, '', 'a handler that takes the server down');
my $crashes = () = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /was terminated by signal 9/g;
$id = $s->query(q{SELECT goque_add('kill', '{"pass": "0123456789"}', max_attempts => 3)});
$s->quit;
for (1 .. 600)
{
	my ($out, $err);

	last if $node->psql('postgres', "SELECT status FROM goque.tasks WHERE id = $id", stdout => \$out, stderr => \$err) == 0 && $out eq 'attempts_left';
	Time::HiRes::usleep(100_000);
}
$s = GoqueSession->new($node);
is($s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id"), 'attempts_left|3', 'F22: it was started max_attempts times');
my $now_crashes = () = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /was terminated by signal 9/g;
is($now_crashes - $crashes, 3, '... as the log counts');

# ---- giving way while busy (F29, F30, F25) ----

for my $round (1 .. 2)
{
	$node->safe_psql('postgres', 'CREATE DATABASE d');
	$node->safe_psql('d', q{CREATE EXTENSION goque; CREATE TABLE t (a int);
		CREATE FUNCTION busy(p jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM goque_add('other'); INSERT INTO t VALUES (1); PERFORM pg_sleep(60); END $$;
		SELECT goque_register_processor('busy', 'busy', 3); SELECT goque_configure('busy', timeout => '1 min'); SELECT goque_add('busy') FROM generate_series(1, 3)});
	GoqueNode::wait_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'd' AND query LIKE 'goque: task%'}, '3', 'template1');
	if ($round == 1)
	{
		my $d = GoqueSession->new($node, 'd');

		is($d->query('BEGIN; DROP EXTENSION goque'), '', 'DROP EXTENSION with busy handlers');
		cmp_ok($d->seconds, '<', 5, '... within 5 s');
		$d->query('ROLLBACK');
		GoqueNode::wait_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'd' AND query LIKE 'goque: task%'}, '3', 'template1');
		is($d->query(q{SELECT DISTINCT status, attempts FROM goque.tasks}), 'processing|1', 'rolled back: they go on, no attempt lost');
		is($d->query('DROP EXTENSION goque'), '', 'DROP EXTENSION');
		GoqueNode::wait_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'd' AND backend_type LIKE 'goque%'}, '0', 'template1');
		$d->quit;
		GoqueNode::wait_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'd'}, '0', 'template1');
	}
	is($s->query('DROP DATABASE d'), '', 'DROP DATABASE' . ($round == 2 ? ' with busy handlers' : ''));
	cmp_ok($s->seconds, '<', 5, '... within 5 s');
}
$s->query(q{SELECT goque_register_processor('busy', 'busy'); SELECT goque_unregister_processor('kill')});
$id = add('busy');
wait_running($id);
$s->quit;
$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'F25: a fast shutdown with a busy handler');
$node->start;
$s = GoqueSession->new($node);
GoqueNode::wait_until($node, "SELECT status = 'processing' AND attempts = 1 FROM goque.tasks WHERE id = $id");
pass('... gives the attempt back');
$s->query("SELECT goque_cancel($id)");

# ---- a copy of a database (F47) ----

$s->query(q{CREATE DATABASE original});
$node->safe_psql('original', q{CREATE EXTENSION goque;
	CREATE FUNCTION v(p jsonb) RETURNS void LANGUAGE sql AS ''; SELECT goque_register_processor('v', 'v', idle_timeout => '0')});
is($s->query('CREATE DATABASE copy TEMPLATE original'), '', 'a database with a processor is used as a template');
my $copy = GoqueSession->new($node, 'copy');
$copy->query(q{SELECT goque_add('v')});
$node->safe_psql('original', q{SELECT goque_add('v')});
GoqueNode::wait_until($node, q{SELECT status = 'done' FROM goque.tasks}, 't', 'original');
is($copy->query(q{SELECT t.status, p.running, p.ok FROM goque.tasks t, goque.processors p}), 'new|0|f', 'F47: in the copy it is off');
$copy->query('SELECT goque_resume()');
GoqueNode::wait_until($node, q{SELECT status = 'done' FROM goque.tasks}, 't', 'copy');
pass('... until goque_resume()');
$copy->quit;

# ---- more processors than a server runs ----

$s->query('CREATE DATABASE many');
my $many = GoqueSession->new($node, 'many');
$many->query(q{CREATE EXTENSION goque; CREATE FUNCTION v(p jsonb) RETURNS void LANGUAGE sql AS '';
	SELECT goque_register_processor('v' || i, 'v', idle_timeout => '0') FROM generate_series(1, 513) i});
GoqueNode::wait_until($node, q{SELECT count(*) > 0 FROM goque.processors WHERE NOT ok}, 't', 'many');
is($many->query(q{SELECT DISTINCT detail FROM goque.processors WHERE NOT ok}), 'it is one too many: the processes of a server run 512 processors, all databases together', 'of more than 512 processors, some are told that they are too many');
like($many->query(q{SELECT detail || hint FROM goque.health WHERE check_name = 'processors'}), qr/^v\d+: it is one too many: .*Unregister processors/, '... by goque.health, too');
my $too_many = $many->query(q{SELECT type FROM goque.processors WHERE NOT ok LIMIT 1});
$many->query(qq{SELECT goque_add('$too_many'); SELECT goque_unregister_processor(type) FROM goque.processors WHERE type <> '$too_many'});
GoqueNode::wait_until($node, q{SELECT status = 'done' FROM goque.tasks}, 't', 'many');
pass('... and run when others go');
$many->quit;

my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|XX000|internal error/, 'the log is clean');
like($log, qr/Failed process was running: goque: task \d+ of type kill/, '... it says which task took the server down');
unlike($log, qr/0123456789/, '... and shows no payload');
$s->quit;
$node->stop;
done_testing();
