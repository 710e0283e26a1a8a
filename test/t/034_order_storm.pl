# Order and dependencies under many sessions that make single calls, at random, of a few
# tasks: no two calls deadlock, and nobody waits for what has ended (F14, F16, F17;
# promise 10).
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('storm', conf => "goque.heal_interval = '200 ms'\n");
my $s = GoqueSession->new($node);
my $key = q{'k' || (random() * 2)::int};
my @calls = (
	[ 8, "SELECT goque_add('s', ordering_key => $key)" ],
	[ 10, "SELECT goque_add('s', after => lately(2), ordering_key => CASE WHEN random() < 0.6 THEN $key END)" ],
	[ 4, "SELECT goque_add('s', external_id => 'e' || (random() * 8)::int, ordering_key => $key, on_conflict => 'replace', unique_while => 'waiting')" ],
	[ 4, "SELECT goque_add_many('s', array_fill('1'::jsonb, '{4}'), external_ids => ARRAY['e' || (random() * 8)::int, NULL, 'e' || (random() * 8)::int, NULL],
		ordering_keys => ARRAY[$key, $key, NULL, 'k0'], on_conflict => (ARRAY['skip', 'ignore', 'replace'])[1 + (random() * 2)::int], unique_while => 'live')" ],
	[ 12, q{SELECT count(goque_complete(id, token)) FROM goque_fetch('s')} ],
	[ 5, q{SELECT count(*) FROM goque_fetch('s', 3)} ],
	[ 5, q{SELECT goque_complete_many(lately(4))} ],
	[ 4, q{SELECT goque_fail(id, 'no', token, retry => random() < 0.5) FROM goque_fetch('s')} ],
	[ 3, q{SELECT goque_cancel((lately(1))[1])} ],
	[ 3, q{SELECT goque_cancel_many(lately(4))} ],
	[ 1, q{SELECT goque_cancel_all('s', 'pending', 3)} ],
	[ 1, q{SELECT goque_retry_all('s', 'canceled', 3)} ],
	[ 3, q{SELECT goque_retry((lately(1))[1])} ],
	[ 3, q{SELECT goque_retry_many(lately(4))} ],
	[ 3, q{SELECT goque_reschedule_many(lately(4), clock_timestamp(), (random() * 3)::int)} ]);
my $dir = PostgreSQL::Test::Utils::tempdir();
my @scripts;

$s->query(q{SELECT goque_configure('s', max_attempts => 2, backoff => 'static', backoff_base => '1 ms', timeout => '500 ms')});
# tasks of the last sixty, of those that are committed
$s->query(q{CREATE FUNCTION lately(n int) RETURNS bigint[] LANGUAGE sql AS $$
	SELECT ARRAY(SELECT id FROM (SELECT id FROM goque.ring WHERE id > (SELECT last_value FROM goque.task_id_seq) - 60) t ORDER BY random() LIMIT n) $$});
$s->query(q{SELECT goque_add('s')});
for my $i (0 .. $#calls)
{
	PostgreSQL::Test::Utils::append_to_file("$dir/$i.sql", $calls[$i][1] =~ s/\s+/ /gr . ";\n");
	push @scripts, '-f', "$dir/$i.sql\@$calls[$i][0]";
}
$node->command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-t', 150, @scripts, $node->connstr('postgres') ], '1,200 calls of eight sessions');

# ---- what is there now, in one snapshot ----

$s->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$s->query(q{CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT *, status IN (1, 2, 3, 4) AS lives FROM goque.ring; CREATE INDEX ON t (id); CREATE INDEX ON t (ordering_key, place); ANALYZE t});
my %names = split /[|\n]/, $s->query(q{SELECT DISTINCT v.status, t.status FROM t JOIN goque.tasks v USING (id)});
is($names{$_->[0]} || $_->[1], $_->[1], "$_->[0] is $_->[1] in the tables") for [ new => 1 ], [ pending => 2 ], [ processing => 3 ], [ error => 4 ];
cmp_ok($s->query('SELECT count(*) FROM t'), '>', 300, 'there are tasks');
is($s->query(q{SELECT count(*) FROM goque.dependencies d LEFT JOIN t ON t.id = d.parent WHERE t.lives IS NOT TRUE}), '0', 'nobody waits for a task that has ended');
is($s->query(q{SELECT count(*) FROM goque.dependencies d JOIN t ON t.id = d.child WHERE t.lives AND t.status <> 2}), '0', 'nobody started too early');
is($s->query(q{SELECT count(*) FROM t WHERE status = 2 AND NOT EXISTS (SELECT FROM goque.dependencies d WHERE d.child = t.id)
	AND NOT EXISTS (SELECT FROM t h WHERE h.ordering_key = t.ordering_key AND h.place < t.place AND h.lives)}), '0', 'nobody is stranded');
is($s->query(q{SELECT count(*) FROM (SELECT FROM t WHERE place IS NOT NULL AND status IN (1, 3, 4) GROUP BY ordering_key HAVING count(*) > 1) l}), '0', 'each line has one head');
$s->query('COMMIT');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/ERROR:|PANIC:/, 'no error: no deadlock');
$s->quit;
$node->stop;
done_testing();
