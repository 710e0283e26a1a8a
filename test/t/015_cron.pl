# The schedule parser alone, without a server: F61, what cron libraries answered
# (test/cron), and noise under the sanitizers of the compiler.
use strict;
use warnings;
use Cwd;
use File::Basename;
use File::Spec;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = File::Spec->catdir(dirname(File::Spec->rel2abs(__FILE__)), '..', '..');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $include = `pg_config --includedir-server`;
my $cc = $ENV{CC} || 'cc';

chomp $include;
plan skip_all => "no compiler \"$cc\" or no server headers"
  if system("$cc --version >$dir/cc.log 2>&1") != 0 || !-e "$include/postgres.h";

# With the sanitizers if there are any.
sub build
{
	my ($program) = @_;
	my @cc = (
		split(' ', $cc), '-g', '-O1', '-D_GNU_SOURCE', '-I', "$top/src", '-I', $include,
		map({ "$top/$_" } "test/cron/$program.c", 'src/core/cron.c', 'src/core/cron_next.c'),
		'-o', "$dir/$program");

	for my $sanitize ([ '-fsanitize=address,undefined', '-fno-sanitize-recover=all' ], [])
	{
		my ($out, $err);
		return 1
		  if IPC::Run::run([ @cc, @$sanitize ], '>', \$out, '2>', \$err)
		  && IPC::Run::run([ "$dir/$program", '1', '1' ], '<', \'', '>', \$out, '2>', \$err)
		  || -x "$dir/$program" && $program eq 'replay';
		diag($err) if !@$sanitize;
	}
	return 0;
}

ok(build('replay'), 'the parser compiles and links without a server');
my ($record, $out, $err);
gunzip("$top/test/cron/record.gz" => \$record) or die $GunzipError;
my $ok = IPC::Run::run([ "$dir/replay" ], '<', \$record, '>', \$out, '2>', \$err);
ok($ok, '10,000 expressions: what Vixie cron would do') or diag($out, $err);
like($out, qr/^10000 cases, 0 wrong/m, '... all of them');
note($out);

ok(build('fuzz'), 'so does the fuzzer');
$ok = IPC::Run::run([ "$dir/fuzz", time, 200000 ], '>', \$out, '2>', \$err);
ok($ok, 'noise does no harm') or diag($out, $err);
note($out);
done_testing();
