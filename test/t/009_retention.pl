# Retention by the keeper and by hand, the ring of generations, and what people do
# to the tables by hand (F52).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('retention', conf => "goque.clean_interval = '200ms'\ngoque.heal_interval = '200ms'\n");
my $s = GoqueSession->new($node);
my $RELATIONS = q{SELECT string_agg(c.relname || c.relkind::text, ',' ORDER BY c.relname)
	FROM pg_class c WHERE c.relnamespace = 'goque'::regnamespace};
my $relations = $s->query($RELATIONS);

sub where
{
	my ($id) = @_;

	return $s->query(join ' UNION ALL ', map { "SELECT $_ FROM goque.tasks_$_ WHERE id = $id" } 0 .. 7);
}

sub works
{
	my ($name) = @_;
	my $id = $s->query(q{SELECT goque_add('w')});

	is($s->query(q{SELECT id FROM goque_fetch('w')}), $id, "$name: added and fetched");
	is($s->query("SELECT goque_complete($id), goque_retry($id)"), 't|t', "$name: completed and retried");
	is($s->query(q{SELECT id FROM goque_fetch('w')}), $id, "$name: fetched again");
	is($s->query("SELECT goque_cancel($id), goque_purge($id)"), 't|t', "$name: canceled and purged");
	return;
}

# ---- by hand on the tables (F52) ----

$s->query(q{SELECT goque_add('w', priority => i % 3) FROM generate_series(1, 300) i});
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('w', 300)});
works('before');
for my $sql ('VACUUM FULL goque.tasks_0', 'CLUSTER goque.tasks_0 USING tasks_0_pkey', 'VACUUM FREEZE goque.tasks_0',
	'REINDEX TABLE CONCURRENTLY goque.tasks_0', 'REINDEX INDEX CONCURRENTLY goque.tasks_0_ready', 'REINDEX INDEX goque.tasks_0_pkey',
	'VACUUM FULL goque.settings', 'REINDEX TABLE CONCURRENTLY goque.settings', 'REINDEX TABLE CONCURRENTLY goque.key_locks',
	'REINDEX SCHEMA CONCURRENTLY goque', 'ANALYZE goque.tasks_0')
{
	is($s->query($sql), '', $sql);
	works($sql);
}
is($s->query(q{SELECT count(*) FROM goque.tasks}), '300', 'nothing was lost');
is($s->query('TRUNCATE goque.tasks_0'), '', 'TRUNCATE');
works('TRUNCATE');
my $elsewhere = GoqueSession->new($node);
$elsewhere->query(q{SELECT goque_add('w')});
is($s->query(q{SELECT count(*) FROM goque_fetch('w', 5)}), '1', '... what another session adds, too');
is($s->query('DROP EXTENSION goque; CREATE EXTENSION goque'), '', 'DROP and CREATE EXTENSION');
works('DROP and CREATE EXTENSION');
is($elsewhere->query(q{SELECT goque_add('w') > 0; SELECT count(*) FROM goque_fetch('w', 5)}), "t\n1", '... in another session');
$s->query(q{SELECT goque_cancel(id), goque_purge(id) FROM goque.tasks});

# From here on every DDL that anybody does fails (A13).
$s->query(q{CREATE FUNCTION tripped() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'tripped'; END $$});
$s->query("CREATE EVENT TRIGGER tripped_$_ ON $_ EXECUTE FUNCTION tripped()") for 'table_rewrite', 'sql_drop', 'ddl_command_end';
is($s->query('CREATE TABLE t ()'), 'ERROR:  P0001', 'event triggers refuse DDL');

# ---- retention by the keeper ----

$s->query(q{SELECT goque_configure('short', retention => '1 ms', retention_failed => '1 ms')});
$s->query(q{SELECT goque_configure('none', retention => '0', retention_failed => '0')});
$s->query(q{SELECT goque_add(t) FROM unnest('{short,short,short,none,none,none,kept,kept,kept}'::text[]) t});
for my $type ('short', 'none', 'kept')
{
	$s->query(qq{SELECT goque_complete(id, token) FROM goque_fetch('$type')});
	$s->query(qq{SELECT goque_fail(id, 'x', token, retry => false) FROM goque_fetch('$type')});
	$s->query(qq{SELECT goque_cancel_all('$type')});
}
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'none'}), '0', 'retention 0: not kept');
GoqueNode::wait_until($node, q{SELECT count(*) FROM goque.tasks WHERE type = 'short'}, '0');
pass('what is past its retention is removed by itself');
is($s->query(q{SELECT string_agg(status, ',' ORDER BY status) FROM goque.tasks}),
	'attempts_left,canceled,done', 'what is not stays');
$s->query(q{SELECT goque_configure('kept', retention => '1 ms')});
GoqueNode::wait_until($node, q{SELECT string_agg(status, ',' ORDER BY status) FROM goque.tasks}, 'attempts_left,canceled');
pass('a shorter retention applies to what is there');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
$s->query(q{SELECT goque_purge(id) FROM goque.tasks});

# ---- the ring: a task in an old generation lives on there ----

my %id;
$s->query(q{SELECT goque_configure('r', backoff => 'static', backoff_base => '1 ms')});
for my $what ('ready', 'held', 'over', 'delayed', 'done', 'failed', 'canceled', 'released')
{
	$id{$what} = $s->query(qq{SELECT goque_add('r', delay => '1 h', external_id => '$what')});
}
sub take
{
	my ($what, $lease) = @_;

	$s->query("SELECT * FROM goque_reschedule_many(ARRAY[$id{$what}], run_at => now())");
	return $s->query("SELECT token FROM goque_fetch('r', lease => '$lease') WHERE id = $id{$what}");
}
my %token = map { $_ => take($_, '1 h') } 'held', 'done', 'failed', 'released';
$s->query("SELECT goque_complete($id{done}, $token{done})");
$s->query(q{SELECT count(*) FROM goque_add_many('filler', array_fill('{}'::jsonb, '{20}'))});
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('filler', 20)});
is($s->query(q{SELECT count(*) FROM goque.tasks_0 WHERE type = 'r'}), '8', 'eight tasks in the first generation');
$s->query(q{SELECT setval('goque.generation_seq', 1)});

my $new = $s->query(q{SELECT goque_add('r', priority => 5)});
is(where($new), '1', 'new tasks go to the next generation');
is(where($id{$_}), '0', "\"$_\" stays") for 'ready', 'held', 'delayed';
is($s->query(q{SELECT goque_add('r', external_id => 'delayed')}), 'ERROR:  23505', 'external ids are unique over all generations');
$s->query("SELECT * FROM goque_reschedule_many(ARRAY[$id{ready}], run_at => now())");
is($s->query(q{SELECT id FROM goque_fetch('r')}), $id{ready}, 'the task of the old generation comes first');
is($s->query(q{SELECT id FROM goque_fetch('r')}), $new, 'then the new one');
is($s->query("SELECT goque_complete($id{ready})"), 't', 'it is completed');
isnt($s->query("SELECT goque_heartbeat($id{held}, $token{held})"), '', 'heartbeat of one that was held');
is($s->query("SELECT goque_fail($id{failed}, 'x', $token{failed}, retry_in => '0')"), 'error', 'fail');
is($s->query("SELECT goque_release($id{released}, $token{released})"), 't', 'release');
is($s->query(q{SELECT id FROM goque_fetch('r', 9) ORDER BY id}), join("\n", sort { $a <=> $b } $id{failed}, $id{released}), 'both are fetched again');
is($s->query("SELECT goque_retry($id{done})"), 't', 'retry');
is(where($id{done}), '1', '... moves to the current generation');
is($s->query(q{SELECT id FROM goque_fetch('r')}), $id{done}, '... where it is fetched');
is($s->query("SELECT goque_cancel($id{canceled})"), 't', 'cancel');
take('over', '300 ms');
GoqueNode::wait_until($node, "SELECT status = 'error' FROM goque.tasks WHERE id = $id{over}");
pass('a lease of an old generation is ended');
is($s->query(qq{SELECT count(*) FROM goque_cancel_many(ARRAY[$id{delayed}, $id{failed}, $id{released}])}), '3', 'cancel_many');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# ---- the keeper moves what is needed out of an old generation ----

# Most is past its retention at once: the rest is worth moving.
$s->query(q{BEGIN; SELECT goque_configure(t, retention => '1 ms', retention_failed => '1 ms') FROM unnest('{r,filler}'::text[]) t; COMMIT});
GoqueNode::wait_until($node, join(' AND ', map { "NOT EXISTS (SELECT FROM goque.tasks_0 WHERE id = $id{$_})" } 'held', 'over') =~ s/^/SELECT /r);
is(where($id{held}), '1', 'a held task was moved to the current generation');
is($s->query("SELECT goque_complete($id{held}, $token{held})"), 't', '... its token holds');
is($s->query(q{SELECT id FROM goque_fetch('r', lease => '1 h')}), $id{over}, 'a ready one is fetched');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# ---- and empties it; by hand a minute after a call that found it without tasks ----

# Where the keeper is just looking at a table, it is left for the next call.
sub empty
{
	my ($generations, $name) = @_;
	my $size = join ' + ', map { "pg_relation_size('goque.tasks_$_')" } @$generations;

	GoqueNode::wait_until($node, qq{SELECT goque_clean() \\g /dev/null
		$GoqueNode::NO_QUARANTINE \\g /dev/null
		SELECT $size}, '0');
	pass($name);
	return;
}
$s->query('SELECT goque_clean(), goque_clean(), goque_clean()');
is($s->query(q{SELECT pg_relation_size('goque.tasks_0') > 0}), 't', 'a minute must pass');
empty([0], 'the old generation was truncated');
is($s->query(q{SELECT last_value > 0 FROM goque.emptied_seq}), 't', '... which is remembered');
is(where($id{over}), '1', 'the current one was not');
works('emptied');
is($s->query("SELECT goque_complete($id{over})"), 't', 'a held task can be completed');

# ---- once around, tasks in all generations ----

$s->query(q{SELECT goque_cancel(id), goque_purge(id) FROM goque.tasks});
empty([ 2 .. 7 ], 'the others are empty');
for my $position (2 .. 7)
{
	$s->query("SELECT setval('goque.generation_seq', $position)");
	$s->query(q{SELECT goque_add('round', priority => 20 - last_value::int) FROM goque.generation_seq});
}
$s->query(q{SELECT setval('goque.generation_seq', 8)});
$s->query(q{SELECT goque_add('round', priority => 30)});
is($s->query(q{SELECT string_agg(priority::text, ',') FROM goque_fetch('round', 100)}), '13,14,15,16,17,18,30', 'tasks of all generations, best first');
is($s->query(q{SELECT count(*) FROM goque_complete_many(ARRAY(SELECT id FROM goque.tasks WHERE type = 'round'))}), '7', 'they are completed');
$s->query(q{SELECT goque_purge(id) FROM goque.tasks WHERE type = 'round'});
empty([ 1 .. 7 ], 'all but the current one are truncated');
works('after a round');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# tables are made by the extension's script alone (F45, F51)
is($s->query($RELATIONS), $relations, 'no table or index came or went');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$_->quit for $s, $elsewhere;
$node->stop;
done_testing();
