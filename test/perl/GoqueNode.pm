# GoqueNode.pm: a PostgreSQL server with goque set up, for the tests in test/t.
#
#   use GoqueNode;
#   my $node = GoqueNode::new_node('primary');             # running, extension created in "postgres"
#   my $node = GoqueNode::new_node('primary',
#       install   => '/usr/lib/postgresql/15',             # of another version
#       init      => [ allows_streaming => 1 ],            # arguments of $node->init
#       conf      => "goque.heal_interval = '1s'\n",       # settings, after those of test/goque.conf
#       preload   => 0,                                    # without shared_preload_libraries
#       start     => 0,                                    # leave it stopped
#       extension => 0);                                   # do not create the extension
#
# It is a PostgreSQL::Test::Cluster like any other, and is removed at the end
# of the test.  GOQUE_TEST_CONF names a file of settings that every node gets:
# scripts/test tells it where its throw-away installation lies.

package GoqueNode;

use strict;
use warnings;
use File::Basename;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

use GoqueSession;

my $conf_file =
  File::Spec->catfile(dirname(File::Spec->rel2abs(__FILE__)), '..', 'goque.conf');

# The settings that every test server has, as text for append_conf.
sub settings
{
	# the log with SQLSTATEs, for bad_log_lines
	my $conf = slurp_file($conf_file) . <<'CONF';
log_statement = none
log_replication_commands = off
log_min_messages = warning
log_line_prefix = '%m [%p] %b %e '
CONF

	$conf .= slurp_file($ENV{GOQUE_TEST_CONF}) if $ENV{GOQUE_TEST_CONF};
	return $conf;
}

sub new_node
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, $opt{install} ? (install_path => $opt{install}) : ());

	$node->init(@{ $opt{init} || [] });
	$node->append_conf('postgresql.conf', settings());
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n")
	  if exists $opt{preload} && !$opt{preload};
	$node->append_conf('postgresql.conf', $opt{conf}) if defined $opt{conf};
	return $node if exists $opt{start} && !$opt{start};

	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION goque')
	  unless exists $opt{extension} && !$opt{extension};
	return $node;
}

# Makes a table that goque_clean() found without tasks wait no minute for its emptying.
our $NO_QUARANTINE = q{SELECT setval('goque.quarantine_seq', last_value - (61::bigint << 28)) FROM goque.quarantine_seq WHERE last_value > 0};

# Wait until a query gives 't' (or what is given), as an event and not a time.
sub wait_until
{
	my ($node, $query, $expected, $db) = @_;
	my $came;

	# a psql that has gone before it read the query is no answer: ask again
	for (1 .. 5)
	{
		$came = eval { $node->poll_query_until($db || 'postgres', $query, $expected) };
		last if defined $came;
		die $@ unless $@ =~ /Broken pipe/;
	}
	die "timed out waiting for: $query" unless $came;
	return;
}

# The same for what is no query.
sub wait_for
{
	my ($what, $code) = @_;

	for (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $code->();
		usleep(50_000);
	}
	die "timed out waiting for: $what";
}

# Wait until the server takes connections again, after a crash.
sub wait_alive
{
	my ($node) = @_;

	return wait_until($node, 'SELECT NOT pg_is_in_recovery()');
}

# Start after a kill -9 of the postmaster: what it left has to go first.
sub start_again
{
	my ($node) = @_;

	return wait_for('the server to start', sub { $node->start(fail_ok => 1) });
}

# A condition of goque's own processes (as "a" of pg_stat_activity), all databases.
sub wait_workers
{
	my ($node, $condition) = @_;

	return wait_until($node,
		"SELECT $condition FROM pg_stat_activity a WHERE a.backend_type LIKE 'goque %'",
		't', 'template1');
}

# One row for each type whose goque.stats are not what is in the tables.
our $WRONG_STATS = q{
	SELECT coalesce(s.type, c.type), s, c FROM (
		SELECT type, ready + scheduled AS waiting, scheduled, pending, processing, done, attempts_left, canceled
		FROM goque.stats) s
	FULL JOIN (
		SELECT type, count(*) FILTER (WHERE status IN ('new', 'error')) AS waiting,
			count(*) FILTER (WHERE status IN ('new', 'error') AND next_attempt_at > clock_timestamp()) AS scheduled,
			count(*) FILTER (WHERE status = 'pending') AS pending,
			count(*) FILTER (WHERE status = 'processing') AS processing,
			count(*) FILTER (WHERE status = 'done') AS done,
			count(*) FILTER (WHERE status = 'attempts_left') AS attempts_left,
			count(*) FILTER (WHERE status = 'canceled') AS canceled
		FROM goque.tasks GROUP BY type) c
	USING (type)
	WHERE (coalesce(s.waiting, 0), coalesce(s.scheduled, 0), coalesce(s.pending, 0), coalesce(s.processing, 0),
			coalesce(s.done, 0), coalesce(s.attempts_left, 0), coalesce(s.canceled, 0))
		IS DISTINCT FROM (coalesce(c.waiting, 0), coalesce(c.scheduled, 0), coalesce(c.pending, 0), coalesce(c.processing, 0),
			coalesce(c.done, 0), coalesce(c.attempts_left, 0), coalesce(c.canceled, 0))};

# Lines of the server's log from an offset that nobody wants to see.  Statements
# are not logged, so all that is there is the server's own.
sub bad_log_lines
{
	my ($node, $offset) = @_;

	return join "\n", grep { /PANIC|TRAP:|XX000|internal error|terminated by signal/ }
	  split /\n/, slurp_file($node->logfile, $offset || 0);
}

1;
