# F47: a copy of a database is told from the original: a restored dump, CREATE
# DATABASE ... TEMPLATE; schedules are off there until goque_resume().  A crash and
# a promotion make no copy; nor does pg_upgrade, see 035_upgrade.pl.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('copies', init => [ allows_streaming => 1 ]);
my $dir = PostgreSQL::Test::Utils::tempdir();

sub home
{
	my ($n, $db) = @_;

	return $n->safe_psql($db || 'postgres', 'SELECT goque.home()');
}

my $home = home($node);
like($home, qr{^[0-9a-f]{16}/\d+$}, 'an installation has a number');

# A schedule of every second, with a task of each.
$node->safe_psql('postgres', q{SELECT goque_schedule('s', '* * * * * *', 's')});
$node->safe_psql('postgres', q{CREATE FUNCTION h(jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
	SELECT goque_register_processor('p', 'h')});
GoqueNode::wait_until($node, q{SELECT count(*) >= 2 FROM goque.tasks});

# Copies have it, off.  A task that the copy adds itself shows that time goes by.
sub is_off
{
	my ($db) = @_;
	my $state = q{SELECT name, next_run_at, copied FROM goque.schedules WHERE name = 's'};
	my $added = $node->safe_psql($db, q{SELECT count(*) FROM goque.tasks WHERE type = 's'});

	is($node->safe_psql($db, $state), 's||t', "$db: the schedule is off");
	is($node->safe_psql($db, q{SELECT ok, detail FROM goque.health WHERE check_name = 'copy'}),
		'f|this database is a copy: what was set up elsewhere is off (schedules: 1, processors: 1)', '... and goque.health says so');
	$node->safe_psql($db, q{SELECT goque_schedule('own', '* * * * * *', 'own')});
	GoqueNode::wait_until($node, q{SELECT count(*) >= 2 FROM goque.tasks WHERE type = 'own'}, 't', $db);
	is($node->safe_psql($db, q{SELECT count(*) FROM goque.tasks WHERE type = 's'}), $added, '... it adds nothing, beside one that was set up here');
	$node->safe_psql($db, q{SELECT goque_resume()});
	GoqueNode::wait_until($node, "SELECT count(*) > $added FROM goque.tasks WHERE type = 's'", 't', $db);
	is($node->safe_psql($db, q{SELECT copied, next_run_at > now() - interval '1 min' FROM goque.schedules WHERE name = 's'}), 'f|t', '... until goque_resume()');
	is($node->safe_psql($db, q{SELECT ok FROM goque.health WHERE check_name = 'copy'}), 't', '... and then all is well');
	$node->safe_psql($db, q{SELECT goque_unschedule('own')});
	return;
}

# ---- copies ----

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION goque');
my $other = home($node, 'other');
my %seen = ($home => 1);
ok(!$seen{$other}++, 'another database has another');

$node->command_ok([ 'pg_dump', '-f', "$dir/plain", $node->connstr('postgres') ], 'pg_dump');
unlike(slurp_file("$dir/plain"), qr/installation_seq/, 'the number is not dumped');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', "$dir/plain" ], 'restored');
ok(!$seen{ home($node, 'plain') }++, 'a restored dump has another');
is_off('plain');

$node->command_ok([ 'pg_dump', '--data-only', '-f', "$dir/data_only", $node->connstr('postgres') ], 'pg_dump --data-only');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('other'), '-f', "$dir/data_only" ], 'restored');
is(home($node, 'other'), $other, 'data alone changes nothing in the database that it is restored to');
is_off('other');

$node->safe_psql('template1', 'CREATE DATABASE copy TEMPLATE other');
ok(!$seen{ home($node, 'copy') }++, 'a copy by TEMPLATE has another');
is_off('copy');

$node->safe_psql('template1', 'ALTER DATABASE other RENAME TO renamed');
is(home($node, 'renamed'), $other, 'a renamed database keeps its own');

$node->safe_psql('plain', 'DROP EXTENSION goque; CREATE EXTENSION goque');
ok(!$seen{ home($node, 'plain') }++, 'a new extension has another');

# ---- no copies ----

$node->stop('immediate');
$node->start;
is(home($node), $home, 'a crash changes nothing');
is($node->safe_psql('postgres', 'SELECT copied FROM goque.schedules'), 'f', '... the schedule runs');

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is(home($standby), $home, 'a standby has it too');
$standby->promote;
is(home($standby), $home, '... and keeps it when it is promoted');
my $n = $standby->safe_psql('postgres', 'SELECT count(*) FROM goque.tasks');
GoqueNode::wait_until($standby, "SELECT count(*) > $n FROM goque.tasks");
pass('... and the schedule runs');
$standby->stop;

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$node->stop;
done_testing();
