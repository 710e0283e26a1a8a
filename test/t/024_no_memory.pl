# No memory in a commit or abort callback (F26): nothing there asks for any.
#
# The server gives none while goque's callbacks run (test/fault/no_memory.c), and runs
# the SQL tests: what they do is all that a transaction can do. Their results do not
# matter here.
use strict;
use warnings;
use File::Basename;
use File::Copy;
use File::Spec;
use Test::More;
use PostgreSQL::Test::Utils;

use GoqueNode;
use GoqueFaults;

my ($dir, $missing) = GoqueFaults::build_module('no_memory');
plan skip_all => $missing unless $dir;

my $sql = File::Spec->catdir(dirname(File::Spec->rel2abs(__FILE__)), '..', 'sql');
copy("$dir/no_memory.so", "$dir/no_memory_2.so") or die $!;
my $node = GoqueNode::new_node('memory', conf => <<CONF);
shared_preload_libraries = '$dir/no_memory.so, goque, $dir/no_memory_2.so'
goque.heal_interval = '100ms'
goque.clean_interval = '100ms'
goque.release_on_disconnect = on
restart_after_crash = off
CONF

sub alive
{
	my ($name) = @_;
	my $alive = $node->psql('postgres', 'SELECT 1') == 0;

	ok($alive, $name);
	unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, '... and the log is clean');
	BAIL_OUT('the server is down') unless $alive;
	return;
}

local $ENV{PG_ABS_SRCDIR} = dirname($sql);
alive('a server whose callbacks get no memory');
for my $name ('savepoints', 'finish', 'after', 'order', 'limits', 'unique', 'steer', 'maintain', 'schedule', 'processors')
{
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$sql/$name.sql" ],
		'>', \my $out, '2>', \my $err);
	unlike($err, qr/No such file/, "$name runs");
	alive($name);
}

# what they do not do: prepared transactions, waiters, what others wait for
my $s = GoqueSession->new($node);
my @waiters = map { GoqueSession->new($node) } 1 .. 3;
$s->query(q{SELECT goque_configure('limited', max_running => 1, rate_limit => 100, rate_period => '1 s')});
$_->send(q{SELECT goque_complete(id, token) FROM goque_fetch('p', wait => '1 min')}) for @waiters;
$_->wait_asleep for @waiters;
for my $end ('COMMIT', 'ROLLBACK')
{
	$s->query(q{SELECT goque_add(t) FROM unnest('{q,q,limited}'::text[]) t});
	$s->query(q{BEGIN; SELECT goque_add('p') FROM generate_series(1, 100) \g /dev/null
		SELECT goque_add('p', external_id => 'p', ordering_key => 'k', delay => '1 h', on_conflict => 'skip') \g /dev/null
		SELECT goque_complete(id, token) FROM goque_fetch('q') \g /dev/null
		SELECT count(*) FROM goque_fetch('limited') \g /dev/null
		SELECT goque_cancel(goque_add('p')) \g /dev/null
		PREPARE TRANSACTION 'p'});
	$s->query("$end PREPARED 'p'");
	alive("PREPARE TRANSACTION, $end PREPARED");
}
$s->query(q{SELECT goque_add('p') FROM generate_series(1, 3)});
is($_->result, 't', 'a waiter is woken') for @waiters;
my $id = $s->query(q{SELECT goque_add('awaited')});
$waiters[0]->send("SELECT status FROM goque_wait_for($id)");
$waiters[0]->wait_asleep;
is($s->query('SELECT goque_complete(id, token) FROM goque_fetch(\'awaited\')'), 't', 'the end of a task');
is($waiters[0]->result, 'done', '... is told');
$s->query(q{SELECT goque_add('left')});
$s->query(q{SELECT count(*) FROM goque_fetch('left')});
$_->quit for $s, @waiters;
GoqueNode::wait_until($node, q{SELECT status = 'error' FROM goque.tasks WHERE type = 'left'});
alive('a session that leaves its lease');

# A transaction goes on after "out of memory" in a savepoint, wherever that was.
my $savepoints = $node->safe_psql('postgres', <<'SQL');
SELECT goque_configure('limits', max_running => 1000, rate_limit => 100000, rate_period => '1 min') \g /dev/null
SET client_min_messages = error;
CREATE FUNCTION pg_temp.work() RETURNS void LANGUAGE plpgsql AS $$
DECLARE parent bigint;
BEGIN
	FOR i IN 1..20 LOOP
		PERFORM goque_add('limits', external_id => gen_random_uuid()::text, ordering_key => (i % 7)::text);
		PERFORM goque_add('type ' || i, delay => format('%s h', i * i)::interval);
		parent := goque_add('parents');
		PERFORM goque_add('children', after => ARRAY[parent]);
		PERFORM goque_complete(id, token) FROM goque_fetch('limits');
		PERFORM goque_cancel(parent);
	END LOOP;
END $$;
CREATE FUNCTION pg_temp.try() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.work();
	RETURN true;
EXCEPTION WHEN out_of_memory THEN
	RETURN false;
END $$;
DO $$
DECLARE n int := 0;
BEGIN
	LOOP
		PERFORM set_config('no_memory.refuse_after', n::text, true);
		EXIT WHEN pg_temp.try();
		PERFORM set_config('no_memory.refuse_after', '-1', true);
		PERFORM pg_temp.work();
		n := n + CASE WHEN n < 60 THEN 1 ELSE 1 + n / 8 END;
		COMMIT;
	END LOOP;
	PERFORM set_config('gq.refused', n::text, false);
END $$;
SELECT current_setting('gq.refused')::int > 60;
SQL
is($savepoints, 't', 'errors in savepoints, at one allocation after the other');
alive('a server whose transactions go on after them');

# and where somebody asks, it is seen
$node->psql('postgres', 'SET no_memory.ask = on');
GoqueNode::wait_for('the server to be down', sub { !-e $node->data_dir . '/postmaster.pid' });
like(slurp_file($node->logfile), qr/PANIC:  memory was asked for in a callback/, 'who asks takes the server down');
$node->kill9;					# it is gone; that the node knows it, too
done_testing();
