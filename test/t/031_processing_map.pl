# Tasks in processing are found without reading the tables: by a map that forgets
# nothing (promises 6 and 8).  Each answer is compared with a scan of everything.
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('map', conf => "goque.heal_interval = '1h'\n");
my $s = GoqueSession->new($node);
my $QUERY = q{SELECT string_agg(id::text, ',' ORDER BY id) FROM goque.tasks WHERE status = 'processing'};

$s->query(<<'SQL');
CREATE FUNCTION pages_read() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM goque.tasks WHERE status = ''processing''' INTO plan;
	RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
END
$$;
CREATE FUNCTION by_map() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXPLAIN SELECT * FROM goque.tasks WHERE status = 'processing' LOOP
		IF line ~ 'processing_places' THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END
$$;
SQL

# The answer, by the map and by a scan, in a session that may be in a transaction.
sub answer
{
	my ($session, $what) = @_;

	$session->query('SET enable_tidscan = on');
	my $by_map = $session->query($QUERY);
	$session->query('SET enable_tidscan = off');
	my $by_scan = $session->query($QUERY);
	$session->query('SET enable_tidscan = on');
	is($by_map, $by_scan, $what);
	return $by_scan;
}

# The keeper has found out where nothing is.
sub wait_clean { return GoqueNode::wait_until($node, 'SELECT pages_read() < 100'); }

my $all = $s->query(q{SELECT count(*) FROM goque_add_many('m', array_fill('{}'::jsonb, ARRAY[6000]))});
is($s->query('SELECT by_map()'), 't', 'the planner takes the map');
is(answer($s, 'nothing has begun'), '', '... and finds nothing');
is($s->query(q{SELECT count(*) FROM goque_fetch('m', 5000, lease => '1 h')}), '5000', 'many are fetched');
is(scalar(split /,/, answer($s, 'many run')), 5000, '... and found');

my $old = GoqueSession->new($node);
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $then = answer($old, 'a snapshot');
$s->query(q{SELECT count(*) FROM (SELECT array_agg(id) AS ids FROM goque.tasks WHERE status = 'processing' AND id <> 77) AS f, goque_complete_many(f.ids)});
is(answer($s, 'one is left'), '77', '... and found');
wait_clean();
is(answer($s, 'one is left, and the rest of the map is clean'), '77', '... and found');
is(answer($old, 'the old snapshot'), $then, '... still sees what ran then');

$old->query('COMMIT');

# an older transaction that has written, and what it may not know
my $open = GoqueSession->new($node);
$open->query('BEGIN; SELECT pg_current_xact_id()');
$s->query(q{SELECT goque_retry(78); SELECT id FROM goque_fetch('m', 1, lease => '1 h')});
is(answer($open, 'an old transaction'), answer($s, 'a claim in a clean segment'), '... is seen by all');
$open->query('COMMIT');

# what is not committed, and what never is
$open->query('BEGIN');
$open->query(q{SELECT count(*) FROM goque_fetch('m', 10, lease => '1 h')});
my $own = answer($open, 'own claims');
is(scalar(split /,/, $own), 12, '... are seen by oneself');
is(scalar(split /,/, answer($s, 'claims of others')), 2, '... are not, before the commit');
$open->query(q{SAVEPOINT p; SELECT count(*) FROM goque_fetch('m', 10, lease => '1 h'); ROLLBACK TO p});
is(answer($open, 'a savepoint'), $own, '... rolled back');
$open->query(q{PREPARE TRANSACTION 'p'});
wait_clean();
$s->query(q{COMMIT PREPARED 'p'});
is(answer($s, 'a prepared transaction'), $own, '... is seen after its commit, whatever the keeper found before');

# SERIALIZABLE: two that each read who runs, and claim, cannot both commit
my @two = map { GoqueSession->new($node) } 1, 2;
for (@two)
{
	$_->query('BEGIN ISOLATION LEVEL SERIALIZABLE');
	$_->query($QUERY);
}
$_->query(q{SELECT id FROM goque_fetch('m', 1, lease => '1 h')}) for @two;
my @ends = map { $_->query('COMMIT') } @two;
is(scalar(grep { /40001/ } @ends), 1, 'one of two serializable transactions that each read what the other changed fails')
  or diag(join ' / ', @ends);

# rows that come by SQL, and another file of the table
$s->query(q{CREATE TABLE copied AS TABLE goque.tasks_0; TRUNCATE goque.tasks_0; INSERT INTO goque.tasks_0 SELECT * FROM copied});
my $restored = answer($s, 'restored rows');
isnt($restored, '', '... are found');
wait_clean();
is(answer($s, 'restored rows, and a clean map'), $restored, '... are found');
$s->query('VACUUM FULL goque.tasks_0');
is(answer($s, 'a table that was written anew'), $restored, '... is read');
wait_clean();
is(answer($s, 'a table that was written anew, and a clean map'), $restored, '... is read');

# ---- what only looks like the question ----

# Two queries that must find the same, by whatever plan.
sub same
{
	my ($condition, $what) = @_;
	my $sql = "SELECT count(*) FROM goque.tasks_0 WHERE $condition";

	$s->query('SET enable_seqscan = off; SET enable_tidscan = on');
	my $one = $s->query($sql);
	$s->query('SET enable_seqscan = on; SET enable_tidscan = off');
	my $other = $s->query($sql);
	$s->query('RESET enable_tidscan');
	is($one, $other, $what);
	cmp_ok($one, '>', 1000, '... which are many');
	return;
}

$s->query(q{SELECT count(*) FROM goque_add_many('processing', array_fill('{}'::jsonb, ARRAY[2000]))});
same(q{CASE status WHEN 3 THEN 'processing' ELSE type END = 'processing'}, 'the word of another column');
same(q{CASE status WHEN 3 THEN 'processing' WHEN 1 THEN 'processing' END = 'processing'}, 'the word of two numbers');
same(q{CASE attempts WHEN 0 THEN 'processing' END = 'processing'}, 'the word of a number of another column');
SKIP:
{
	skip 'no ICU here', 2 if $s->query(q{CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)}) ne '';
	same(q{CASE status WHEN 3 THEN 'processing' WHEN 1 THEN 'PROCESSING' END COLLATE loose = 'processing'}, 'a word that counts as the same');
}

# a schema "goque" that somebody made, without the extension (A1, A3)
$s->query('CREATE DATABASE planted');
my $victim = GoqueSession->new($node, 'planted');
$victim->query(q{CREATE SCHEMA goque; CREATE FUNCTION goque.processing_places(int) RETURNS tid[] LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$});
my $columns = $s->query(q{SELECT string_agg(format('c%s smallint', n), ',') FROM generate_series(1, 28) n});
my $status = $s->query(q{SELECT attnum FROM pg_attribute WHERE attrelid = 'goque.tasks_0'::regclass AND attname = 'status'});
$victim->query("CREATE TABLE goque.tasks_0 ($columns); SET enable_seqscan = off");
is($victim->query("SELECT count(*) FROM goque.tasks_0 WHERE CASE c$status WHEN 3 THEN 'processing' END = 'processing'"), '0', 'a planted function is not called');
$victim->quit;

# a crash forgets the map
$node->stop('immediate');
GoqueNode::start_again($node);
$s = GoqueSession->new($node);
is(answer($s, 'after a crash'), $restored, '... all are found');

# ---- the function itself ----

for my $n (-1, 8)
{
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT goque.processing_places($n)", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/22023: generation out of range.*There are the generations 0 to 7; $n was asked for.*Query goque\.tasks instead/s, "generation $n");
}
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$node->stop;
done_testing();
