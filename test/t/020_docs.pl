# What the manual shows does run: every ```sql block of README.md, docs/reference.md and
# docs/recipes.md, in the order of the page and in one psql, and the scripts in
# examples, whose results are looked at, too.  A block that is only a synopsis is marked ```text there.
use strict;
use warnings;
use File::Basename;
use File::Spec;
use PostgreSQL::Test::Utils;
use Test::More;

use GoqueNode;

my $top = File::Spec->catdir(dirname(File::Spec->rel2abs(__FILE__)), '..', '..');
my $node = GoqueNode::new_node('docs', extension => 0);

# The blocks of a page as one script, which says where it is.
sub script_of
{
	my ($page) = @_;
	my ($script, $line, $n, $in_block) = ('', 0, 0, 0);

	for (split /\n/, slurp_file("$top/$page"))
	{
		$line++;
		if (!$in_block && /^```sql\s*$/)
		{
			($in_block, $n) = (1, $n + 1);
			$script .= "\\echo $page, line $line\n";
		}
		elsif ($in_block && /^```\s*$/)
		{
			$in_block = 0;
		}
		elsif ($in_block)
		{
			$script .= "$_\n";
		}
	}
	return ($script, $n);
}

# Run a script in a database of its own; the output of the last block on failure.
sub run_ok
{
	my ($db, $script, $name) = @_;
	my ($out, $err);

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION goque') unless $script =~ /CREATE EXTENSION goque;/;
	my $rc = $node->psql($db, $script, stdout => \$out, stderr => \$err);
	is($rc, 0, $name) or diag(join("\n", grep { /, line \d+$/ } split /\n/, $out), "\n", $err);
	return;
}

for my $page ('README.md', 'docs/reference.md', 'docs/recipes.md')
{
	my ($script, $n) = script_of($page);
	my $db = basename($page, '.md');

	cmp_ok($n, '>', 10, "$page has examples ($n)");
	run_ok(lc $db, $script, "... which run");
}

# What the examples bring about: a query, and what it comes to say.
my %results = (
	exactly_once => [
		[ 'SELECT string_agg(balance::text, $$ $$ ORDER BY id), (SELECT count(*) FROM transfers) FROM accounts', '100 35|2', 'each transfer was made once' ] ],
	nightly_roll_up => [
		[ 'SELECT count(*), count(DISTINCT day), sum(total) FROM sales_by_day', '15|3|5050', 'all sales are in the roll-up' ],
		[ 'SELECT last_status, last_run_at <= now(), to_char(next_run_at AT TIME ZONE $$Europe/Berlin$$, $$HH24:MI$$) FROM goque.schedules', 'done|t|02:30', 'by the task of the schedule' ] ],
	outbox => [
		[ q{SELECT string_agg((payload->>'customer'), ' ' ORDER BY id) FROM goque.tasks WHERE type = 'welcome'}, '1 3 4', 'each customer that was committed has one task' ],
		[ q{SELECT count(*), min(payload::text) FROM goque.tasks WHERE type = 'reindex'}, '1|{"version": 2}', 'of two changes one task, with the last' ] ],
	processors => [
		[ 'SELECT count(*), min(recipient) FROM mail', '1|customer1@example.com', 'mail from the outbox: what was committed is sent, once' ],
		[ 'SELECT count(*), count(sent_at) FROM outbox', '1|1', '... and marked' ],
		[ 'SELECT * FROM totals', '1|100|5050', 'the aggregate is up to date' ],
		[ q{SELECT count(*), min(status) FROM goque.tasks WHERE type = 'totals'}, '1|done', '... by one task for 100 changes' ],
		[ 'SELECT count(*) FROM numbers WHERE square = id * id', '1000', 'the long job has come to its end' ],
		[ q{SELECT count(*) FROM goque.tasks WHERE status <> 'done'}, '0', 'no task is left' ] ]);

for my $file (sort glob "$top/examples/*.sql")
{
	my $name = basename($file, '.sql');

	run_ok("example_$name", slurp_file($file), "examples/$name.sql runs");
	for (@{ delete $results{$name} || [] })
	{
		GoqueNode::wait_until($node, $_->[0], $_->[1], "example_$name");
		pass("... $_->[2]");
	}
}
is(join(' ', keys %results), '', 'the results of all these examples were seen');

# The aggregate again: a change whose transaction lasts longer than the delay is not missed.
my $slow = GoqueSession->new($node, 'example_processors');
$slow->query('BEGIN; INSERT INTO orders (customer, amount) VALUES (1, 50)');
$node->safe_psql('example_processors', 'INSERT INTO orders (customer, amount) VALUES (2, 7)');
GoqueNode::wait_until($node, 'SELECT * FROM totals WHERE customer = 2', '2|1|7', 'example_processors');
$slow->query('COMMIT');
GoqueNode::wait_until($node, 'SELECT * FROM totals WHERE customer = 1', '1|101|5100', 'example_processors');
pass('... nor does the aggregate miss a change of a long transaction');
$slow->quit;

# The pages name every function, view and setting, and no other function.
my $reference = slurp_file("$top/docs/reference.md");
my $things = $node->safe_psql('reference', q{
	SELECT proname FROM pg_proc WHERE proname LIKE 'goque\_%'
	UNION ALL SELECT name FROM pg_settings WHERE name LIKE 'goque.%'
	UNION ALL SELECT format('goque.%s', v) FROM unnest('{tasks,task_types,stats,workers,schedules,processors,health}'::text[]) v
	UNION ALL SELECT format('`%s`', attname) FROM pg_attribute
		WHERE attrelid IN ('goque.tasks'::regclass, 'goque.task_types'::regclass, 'goque.stats'::regclass,
			'goque.workers'::regclass, 'goque.schedules'::regclass, 'goque.processors'::regclass, 'goque.health'::regclass) AND attnum > 0
	UNION ALL SELECT check_name FROM goque.health ORDER BY 1});

is(join(', ', grep { index($reference, $_) < 0 } split /\n/, $things),
	'', 'docs/reference.md names every function, view, column, setting and check');

my $operate = slurp_file("$top/docs/operate.md");

is(join(', ', grep { index($operate, "`$_`") < 0 }
		  split /\n/, $node->safe_psql('reference', 'SELECT check_name FROM goque.health ORDER BY 1')),
	'', 'docs/operate.md says what to do for each check of goque.health');

$node->stop;
done_testing();
