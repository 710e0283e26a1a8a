# The clock jumps an hour either way, and a server starts on a machine with another
# clock (F60): no busy loop, nothing asleep for good, and fencing holds.
#
# The clock is set by a library in the server's processes: test/fault/shim.c.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

use GoqueNode;
use GoqueFaults;

my $missing = GoqueFaults::missing();
plan skip_all => $missing if $missing;

my $HOUR = 3600;
my $node = GoqueNode::new_node('clock', start => 0,
	conf => "goque.heal_interval = '200ms'\ngoque.clean_interval = '200ms'\nlog_min_messages = warning\n");
GoqueFaults::start($node);
$node->safe_psql('postgres', 'CREATE EXTENSION goque');
my $s = GoqueSession->new($node);

sub off_by
{
	my ($seconds) = @_;

	return $s->query("SELECT abs(extract(epoch FROM clock_timestamp()) - $seconds - " . int(time) . ') < 60');
}

GoqueFaults::set_clock($HOUR);
plan skip_all => 'the clock of this server cannot be set' if off_by($HOUR) ne 't';
GoqueFaults::set_clock(0);
$s->query(q{CREATE FUNCTION handler(p jsonb) RETURNS void LANGUAGE sql AS '';
	SELECT goque_register_processor('run', 'handler')});
$s->query(q{SELECT goque_configure('rate', rate_limit => 3, rate_period => '1 s')});
$s->query(q{SELECT goque_configure('short', retention => '10 min')});

# CPU seconds that goque's processes have used.
sub cpu
{
	my $ticks = 0;

	for my $pid (split /\n/, $s->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'goque %'}))
	{
		my @stat = eval { split ' ', slurp_file("/proc/$pid/stat") =~ s/^.*\) //sr };
		$ticks += $stat[11] + $stat[12] if @stat;
	}
	return $ticks / 100;
}

sub ends
{
	my ($id, $status, $name) = @_;
	my $start = time;

	GoqueNode::wait_until($node, "SELECT status = '$status' FROM goque.tasks WHERE id = $id");
	cmp_ok(time - $start, '<', 5, $name);
	return;
}

# What must go on whatever the clock says, for tasks that come after the jump.
sub goes_on
{
	my ($now) = @_;

	is($s->query(q{SELECT count(*) FROM (SELECT goque_add('rate') FROM generate_series(1, 3)) a}), '3', "$now: adding");
	my ($before, $start) = (cpu(), time);
	my $waiter = GoqueSession->new($node);

	# a sleeper
	$waiter->send(q{SELECT goque_complete(id, token) FROM goque_fetch('w', wait => '1 min')});
	$waiter->wait_asleep;
	$s->query(q{SELECT goque_add('w')});
	is($waiter->result, 't', "$now: a sleeper is woken by a commit");
	cmp_ok($waiter->seconds, '<', 10, '... at once');
	$waiter->send(q{SELECT goque_complete(id, token) FROM goque_fetch('w', wait => '1 min')});
	$waiter->wait_asleep;
	$s->query(q{SELECT goque_add('w', delay => '300 ms')});
	is($waiter->result, 't', "$now: and by the clock");
	cmp_ok($waiter->seconds, '<', 10, '... in time');
	$waiter->quit;

	# the keeper
	$s->query(q{SELECT goque_add('lease')});
	my $id = $s->query(q{SELECT id FROM goque_fetch('lease', lease => '300 ms')});
	ends($id, 'error', "$now: a lease ends in its time");
	$s->query(qq{SELECT goque_cancel($id)});
	$id = $s->query(q{SELECT goque_add('expires', expires_in => '300 ms')});
	ends($id, 'canceled', "$now: a task expires in its time");
	ends($s->query(q{SELECT goque_add('run')}), 'done', "$now: processors run");
	$s->query(qq{SELECT goque_schedule('$now', '* * * * * *', 'tick')});
	GoqueNode::wait_until($node, q{SELECT coalesce(bool_and(goque_complete(id, token)), false) FROM goque_fetch('tick', 100)});
	pass("$now: a schedule adds");
	$s->query(qq{SELECT goque_unschedule('$now')});
	GoqueNode::wait_until($node, q{SELECT coalesce(bool_and(goque_complete(id, token)), false) FROM goque_fetch('rate')}) for 1 .. 3;
	pass("$now: a rate lets pass");

	# nothing turns round and round
	my $used = cpu() - $before;
	my $seconds = time - $start;
	note("$used s of CPU time in $seconds s");
	cmp_ok($used, '<', 0.3 * $seconds + 0.2, "$now: no process is busy");
	is($s->query(q{SELECT string_agg(check_name || ': ' || detail, ',') FROM goque.health WHERE NOT ok}), '', "$now: health is well");
	return;
}

# A task that is held, one that is to come later, and sleepers that are to end.
my (@held, $later, %sleeper);
sub hold
{
	$s->query(q{SELECT goque_add('held')});
	@held = split /\|/, $s->query(q{SELECT id, token FROM goque_fetch('held', lease => '30 min')});
	return;
}

sub prepare
{
	hold();
	$later = $s->query(q{SELECT goque_add('later', delay => '30 min')});
	my $id = $s->query(q{SELECT goque_add('later', delay => '10 h')});
	%sleeper = (
		"SELECT * FROM goque_fetch('none', wait => '2 s')" => undef,
		"CALL goque_wait('{none}', '2 s')" => undef,
		"SELECT * FROM goque_wait_for($id, '2 s')" => undef);
	for my $sql (keys %sleeper)
	{
		$sleeper{$sql} = GoqueSession->new($node);
		$sleeper{$sql}->send($sql);
		$sleeper{$sql}->wait_asleep;
	}
	return;
}

sub sleepers_end
{
	my ($now) = @_;

	for my $sql (sort keys %sleeper)
	{
		is($sleeper{$sql}->result, '', "$now: $sql ends");
		cmp_ok($sleeper{$sql}->seconds, '<', 10, '... in its time');
		$sleeper{$sql}->quit;
	}
	return;
}

goes_on('before');

# ---- an hour on ----

prepare();
GoqueFaults::set_clock($HOUR);
sleepers_end('an hour on');
is($s->query(q{SELECT id FROM goque_fetch('later')}), $later, 'what was for later is ready');
is($s->query("SELECT goque_complete($later)"), 't', '... and can be completed');
ends($held[0], 'error', 'a lease that is over is ended');
is($s->query("SELECT goque_complete($held[0], $held[1])"), 'f', '... its holder is refused');
$s->query("SELECT * FROM goque_reschedule_many(ARRAY[$held[0]], run_at => now())");
my ($id, $token) = split /\|/, $s->query(q{SELECT id, token FROM goque_fetch('held', lease => '10 s')});
is($id, $held[0], '... it is fetched again');
is($s->query("SELECT goque_heartbeat($held[0], $held[1]) IS NULL, goque_release($held[0], $held[1])"), 't|f', '... refused still');
is($s->query("SELECT goque_complete($id, $token)"), 't', '... its new holder is not');
goes_on('an hour on');

# ---- a type that nobody fetches ----

my $unfetched = q{SELECT ok, detail FROM goque.health WHERE check_name = 'unfetched_types'};
$s->query(q{SELECT goque_add('forgotten')});
like($s->query($unfetched), qr/^t/, 'a task that has just come is no reason to call anybody');
GoqueFaults::set_clock($HOUR + 90);
is($s->query($unfetched), 'f|ready for more than a minute, and nobody fetches: forgotten (1 ready)', 'a minute later it is');
$s->query(q{SELECT goque_pause('forgotten')});
like($s->query($unfetched), qr/^t/, '... not if the type is paused');
$s->query(q{SELECT goque_resume('forgotten')});
is($s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('forgotten')}), 't', 'somebody fetches it');
like($s->query($unfetched), qr/^t/, '... and all is well');

# ---- two hours back ----

prepare();
GoqueFaults::set_clock(-$HOUR);
sleepers_end('two hours back');
is($s->query(q{SELECT count(*) FROM goque_fetch('later', 10)}), '0', 'what is for later is not ready');
is($s->query("SELECT goque_heartbeat($held[0], $held[1]) > clock_timestamp() + interval '29 min'"), 't', 'a lease holds');
is($s->query("SELECT goque_complete($held[0], $held[1])"), 't', '... and ends');
goes_on('two hours back');
$s->query('SELECT goque_heal(), goque_clean()');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# ---- another machine ----

for my $clock ($HOUR, -$HOUR)
{
	my $where = 'a machine whose clock is ' . ($clock > 0 ? 'before' : 'behind');

	GoqueFaults::set_clock(0);
	hold();
	$s->query(q{SELECT goque_add('flushes')});	# else the claim may go with the server
	$s->quit;
	$node->stop('immediate');
	GoqueFaults::set_clock($clock);
	GoqueFaults::start($node);
	$s = GoqueSession->new($node);
	if ($clock < 0)
	{
		is($s->query("SELECT goque_complete($held[0], $held[1])"), 't', "$where: a lease holds");
	}
	else
	{
		ends($held[0], 'error', "$where: a lease that is over is ended");
		is($s->query("SELECT goque_complete($held[0], $held[1])"), 'f', '... its holder is refused');
	}
	goes_on($where);
}
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
my @said = grep { /(WARNING|ERROR|FATAL): / && / goque / && !/ client backend / } split /\n/, slurp_file($node->logfile);
is(join("\n", @said), '', '... goque says nothing');
$s->quit;
$node->stop;
done_testing();
