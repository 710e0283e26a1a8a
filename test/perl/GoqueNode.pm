# GoqueNode.pm: a PostgreSQL server with goque set up, for the tests in test/t.
#
#   use GoqueNode;
#   my $node = GoqueNode::new_node('primary');             # running, extension created in "postgres"
#   my $node = GoqueNode::new_node('primary',
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

my $conf_file =
  File::Spec->catfile(dirname(File::Spec->rel2abs(__FILE__)), '..', 'goque.conf');

# The settings that every test server has, as text for append_conf.
sub settings
{
	my $conf = slurp_file($conf_file);

	$conf .= slurp_file($ENV{GOQUE_TEST_CONF}) if $ENV{GOQUE_TEST_CONF};
	return $conf;
}

sub new_node
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

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

# Wait until a query gives 't' (or what is given), as an event and not a time.
sub wait_until
{
	my ($node, $query, $expected) = @_;

	$node->poll_query_until('postgres', $query, $expected)
	  or die "timed out waiting for: $query";
	return;
}

1;
