# GoqueFaults.pm: a test's server with faults that no user can cause.
#
#   my $why = GoqueFaults::missing();            # why there can be none, or undef
#   GoqueFaults::start($node);                   # instead of $node->start
#   GoqueFaults::set_clock(-3600);               # seconds off the real time
#   GoqueFaults::set_full('tables', 'wal');      # what gets no longer; none: there is room
#   my $dir = GoqueFaults::build_module('no_memory');   # for dynamic_library_path
#
# The code is in test/fault, and is compiled by the test.

package GoqueFaults;

use strict;
use warnings;
use File::Basename;
use File::Spec;
use IPC::Run;
use PostgreSQL::Test::Utils;

my $source = File::Spec->catdir(dirname(File::Spec->rel2abs(__FILE__)), '..', 'fault');
my %FULL = (tables => 1, temporary => 2, wal => 4);
my $dir;
my $clock = 0;
my $full = 0;

sub _compile
{
	my ($name, @flags) = @_;
	my $log = '';

	$dir ||= PostgreSQL::Test::Utils::tempdir();
	my $ok = eval {
		IPC::Run::run([ split(' ', $ENV{CC} || 'cc'), '-g', '-O1', '-fPIC', '-shared', @flags,
				"$source/$name.c", '-o', "$dir/$name.so", '-ldl' ], '>&', \$log);
	};
	return $ok ? undef : "$name.c cannot be compiled: " . ($log || $@);
}

sub _write
{
	my $file = "$dir/faults";

	# in place: the server's processes have it mapped
	open my $fh, -e $file ? '+<' : '>', $file or die "$file: $!";
	syswrite $fh, pack('qq', $clock * 1_000_000, $full) or die "$file: $!";
	close $fh;
	return;
}

# Compile; what is missing for it, if something is.
sub missing
{
	return 'no Linux' unless $^O eq 'linux';
	my $why = _compile('shim');

	return (split /\n/, $why)[0] if $why;
	_write();
	return undef;
}

sub start
{
	my ($node, @args) = @_;

	local $ENV{GOQUE_FAULTS} = "$dir/faults";
	local $ENV{LD_PRELOAD} = join ' ', grep { $_ } $ENV{LD_PRELOAD}, "$dir/shim.so";
	return $node->start(@args);
}

sub set_clock
{
	($clock) = @_;
	_write();
	return;
}

sub set_full
{
	$full = 0;
	$full |= $FULL{$_} || die "no such disk: $_" for @_;
	_write();
	return;
}

# A library that the server loads; undef where it cannot be built.
sub build_module
{
	my ($name) = @_;
	my $include = `pg_config --includedir-server`;

	chomp $include;
	my $why = _compile($name, '-D_GNU_SOURCE', '-I', $include);
	return $why ? (undef, (split /\n/, $why)[0]) : $dir;
}

1;
