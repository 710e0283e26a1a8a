# What the manual shows does run: every ```sql block of README.md, docs/reference.md and
# docs/recipes.md, in the order of the page and in one psql, and the scripts in
# examples.  A block that is only a synopsis is marked ```text there.
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

for my $file (sort glob "$top/examples/*.sql")
{
	my $name = basename($file, '.sql');

	run_ok("example_$name", slurp_file($file), "examples/$name.sql runs");
}

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
