# The model walk: random calls of several sessions, with transactions, savepoints
# and rollbacks, made in the database and in GoqueModel.  Each answer must be the
# model's, and after each call so must all of goque.tasks (F3, F4, F7, F10, F14,
# F15, F17, F36; promises 2 to 4, 7, 9 and 10).
#
# The ring turns meanwhile, which nobody may notice.  Two walks are the same each time;
# GOQUE_MODEL_SEED makes another ("random": which one is printed), GOQUE_MODEL_CALLS
# longer ones.
use strict;
use warnings;
use Test::More;

use GoqueModel;
use GoqueNode;

my $wish = $ENV{GOQUE_MODEL_SEED};
my @seeds = !$wish ? (2142988185, 47) : $wish eq 'random' ? (int(rand(2**31))) : ($wish);
my $calls = $ENV{GOQUE_MODEL_CALLS} || 2000;
my @types = qw(a b c);
my @names = qw(w x y z);

# Nothing is done by itself: no lease is ended but by the walk.
my $node = GoqueNode::new_node('model', conf => <<'CONF');
goque.heal_interval = '1 h'
goque.clean_interval = '1 h'
CONF
my %answers;

# of one walk
my ($seed, $model, %sessions, @journal);
my %tokens;			# of tasks, all there ever were

sub one_of { return $_[ int(rand(@_)) ]; }
sub chance { my ($p) = @_; return rand() < $p; }

# ---- what a call is in SQL, and in the model ----

sub some_id { return 1 + int(rand($model->{next_id})); }

# More often one that is held, and its token.
sub some_lease
{
	my ($s) = @_;
	my @held = grep { $_->{status} eq 'processing' } $model->visible($s);
	my $id = @held && chance(0.85) ? one_of(@held)->{id} : some_id();
	my $ever = $tokens{$id} || [];
	my $token = !@$ever || chance(0.1) ? 0 : chance(0.85) ? $ever->[-1] : one_of(@$ever);

	return ($id, $token);
}

sub literal { my ($value) = @_; return defined $value ? "'$value'" : 'NULL'; }

sub add_call
{
	my ($s) = @_;
	my %new = (
		type => one_of(@types), max_attempts => one_of(1, 2, 3), priority => one_of(-1, 0, 0, 0, 1),
		delayed => chance(0.1), payload => int(rand(1000)),
		external_id => chance(0.4) ? one_of(1 .. 6) : undef,
		scope => one_of(qw(kept live waiting)), on_conflict => one_of(qw(error ignore skip replace replace)));
	my $sql = sprintf(
		'SELECT goque_add(%s, %s, external_id => %s, priority => %d, delay => %s, max_attempts => %d, on_conflict => %s, unique_while => %s',
		literal($new{type}), literal($new{payload}), literal($new{external_id}), $new{priority},
		$new{delayed} ? q{'1 h'} : 'NULL', $new{max_attempts}, literal($new{on_conflict}), literal($new{scope}));

	if (chance(0.4) && !defined $new{external_id})
	{
		$new{key} = one_of(qw(k l));
		$sql .= ", ordering_key => '$new{key}'";
	}
	if (chance(0.3) && !defined $new{external_id})
	{
		$new{after} = [ map { some_id() } 1 .. one_of(1, 1, 2) ];
		$sql .= sprintf(", after => '{%s}'", join ',', @{ $new{after} });
	}
	return ("$sql)", 'add', %new);
}

sub fetch_call
{
	my @of = chance(0.7) ? (one_of(@types)) : (one_of(@types), one_of(@types));
	my $n = one_of(1, 1, 1, 2, 5);
	my $short = chance(0.15);

	return (
		sprintf(q{SELECT id, token FROM goque_fetch_any('{%s}', %d, lease => %s)},
			join(',', @of), $n, $short ? q{'1 us'} : 'NULL'),
		'fetch', \@of, $n, $short);
}

my %calls = (
	add => [ 30, \&add_call ],
	fetch => [ 25, \&fetch_call ],
	complete => [ 14, sub { my @l = some_lease(@_); return ("SELECT goque_complete($l[0], $l[1])", 'complete', @l) } ],
	fail => [ 7, sub {
		my @l = some_lease(@_);
		my $retry = chance(0.8) ? 1 : 0;
		return ("SELECT goque_fail($l[0], 'no', $l[1], retry => (${retry} = 1))", 'fail', @l, $retry) } ],
	release => [ 5, sub { my @l = some_lease(@_); return ("SELECT goque_release($l[0], $l[1])", 'release', @l) } ],
	heartbeat => [ 3, sub {
		my @l = some_lease(@_);
		return ("SELECT goque_heartbeat($l[0], $l[1], '1 h') IS NOT NULL", 'heartbeat', @l) } ],
	cancel => [ 4, sub { my $id = some_id(); return ("SELECT goque_cancel($id)", 'cancel', $id) } ],
	retry => [ 8, sub { my $id = some_id(); return ("SELECT goque_retry($id)", 'retry', $id) } ],
	reschedule => [ 3, sub {
		my ($id, $delayed, $priority) = (some_id(), chance(0.3), one_of(undef, -1, 0, 1));
		return (sprintf(q{SELECT goque_reschedule_many('{%d}', clock_timestamp() + %s, %s)}, $id,
				$delayed ? q{interval '1 h'} : q{interval '0'}, defined $priority ? $priority : 'NULL'),
			'reschedule', $id, $delayed, $priority) } ],
	purge => [ 1, sub { my $id = some_id(); return ("SELECT goque_purge($id)", 'purge', $id) } ],
	heal => [ 3, sub { return ('SELECT goque_heal()', 'heal') } ]);
my @weighted = map { ($_) x $calls{$_}[0] } sort keys %calls;

# ---- the walk ----

sub give_up
{
	my ($why) = @_;

	diag($_) for @journal > 40 ? @journal[ -40 .. -1 ] : @journal;
	diag($why);
	BAIL_OUT("seed $seed, call " . @journal . ": $why");
}

sub blockers
{
	my %name = map { $sessions{$_}->pid => $_ } @names;

	return $node->safe_psql('postgres', q{SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'})
	  =~ s/(\d+)/$name{$1} || $1/ger;
}

sub run
{
	my ($s, $sql) = @_;

	push @journal, "$s: $sql";
	my $answer = eval { $sessions{$s}->query($sql) };
	give_up("no answer; who waits for whom: " . blockers()) unless defined $answer;
	$journal[-1] .= " -> " . ($answer =~ s/\n/ ; /gr);
	return $answer;
}

sub compare_table
{
	my ($s) = @_;
	my $got = $sessions{$s}->query(
		q{SELECT id, type, status, attempts, max_attempts, priority, external_id, ordering_key, payload FROM goque.tasks ORDER BY id});
	my $expected = $model->table($s);

	return if $got eq $expected;
	my %got = map { /^(\d+)/ => $_ } split /\n/, $got;
	my %expected = map { /^(\d+)/ => $_ } split /\n/, $expected;
	my %ids = (%got, %expected);

	give_up("goque.tasks of $s differs:\n" . join "\n",
		map { "  got " . ($got{$_} || 'none') . "\n  expected " . ($expected{$_} || 'none') }
		grep { ($got{$_} || '') ne ($expected{$_} || '') } sort { $a <=> $b } keys %ids);
}

sub refused
{
	my ($s) = @_;

	return unless $model->in_block($s);
	run($s, 'ROLLBACK');
	$model->rollback($s);
	return;
}

# The tokens of a fetch, for those who finish.
sub take_tokens
{
	my ($s, $answer, @ids) = @_;
	my @lines = split /\n/, $answer;

	give_up("a fetch of $s gave the wrong tasks; expected @ids")
	  if join(' ', map { /^(\d+)/ } @lines) ne "@ids";
	for my $line (@lines)
	{
		my ($id, $token) = split /\|/, $line;

		$model->find($s, $id)->{token} = $token;
		push @{ $tokens{$id} }, $token;
	}
	return;
}

sub make_call
{
	my ($s) = @_;
	my $name = one_of(@weighted);

	# the healer is a session that has nothing of its own open
	return if $name eq 'heal' && $model->in_block($s);
	my ($sql, $method, @arguments) = $calls{$name}[1]->($s);
	my @expected = $model->call($s, $method, @arguments);
	my $error = $@;

	return if $error eq "blocked\n";
	my $answer = run($s, $sql);

	$answers{$name}++;
	if ($error)
	{
		chomp $error;
		give_up("expected SQLSTATE $error") unless $answer eq "ERROR:  $error";
		return refused($s);
	}
	if ($method eq 'fetch') { take_tokens($s, $answer, @expected); }
	elsif ($answer ne (defined $expected[0] ? $expected[0] : '')) { give_up("expected $expected[0]"); }
	$model->commit($s) unless $model->in_block($s);
	return;
}

# The next generation becomes current, if it is empty.
sub turn
{
	my ($s) = @_;

	run($s, q{SELECT setval('goque.generation_seq', last_value + 1) FROM goque.generation_seq
		WHERE pg_relation_size('goque.tasks_' || (last_value + 1) % 8) = 0});
	$model->look($s) if $model->in_block($s);
	return;
}

sub step
{
	my ($s) = @_;

	return turn($s) if chance(0.003);
	if (!$model->in_block($s))
	{
		return make_call($s) unless chance(0.2);
		my $repeatable = chance(0.15);
		run($s, $repeatable ? 'BEGIN ISOLATION LEVEL REPEATABLE READ' : 'BEGIN');
		$model->begin($s, $repeatable);
	}
	elsif (chance(0.1)) { run($s, 'COMMIT'); $model->commit($s); }
	elsif (chance(0.05)) { run($s, 'ROLLBACK'); $model->rollback($s); }
	elsif (chance(0.1)) { run($s, 'SAVEPOINT p'); $model->savepoint($s); }
	elsif (chance(0.1) && $model->savepoints($s)) { run($s, 'ROLLBACK TO p'); $model->rollback_to($s); }
	else { make_call($s); }
	return;
}

# Each has a database of its own, in which ids begin at 1.
sub begin_walk
{
	my $database = "walk_$seed";

	diag("GOQUE_MODEL_SEED=$seed");
	srand($seed);
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION goque');
	$model = GoqueModel->new(max_running => { c => 3 });
	%sessions = map { $_ => GoqueSession->new($node, $database) } @names;
	%tokens = ();
	@journal = ();
	$sessions{w}->query(
		q{SELECT goque_configure(NULL, backoff => 'static', backoff_base => '1 h', backoff_max => '1 h', max_attempts => 2, timeout => '1 h'),
		  goque_configure('c', max_running => 3)});
	return;
}

sub end_walk
{
	for my $s (@names)
	{
		next unless $model->in_block($s);
		run($s, 'COMMIT');
		$model->commit($s);
	}
	compare_table('w');
	is($sessions{w}->query($GoqueNode::WRONG_STATS), '', 'stats equal a count (I15)');
	$_->quit for values %sessions;
	return;
}

for (@seeds)
{
	$seed = $_;
	begin_walk();
	while (@journal < $calls)
	{
		my $s = one_of(@names);

		step($s);
		compare_table($s) unless $model->session($s)->{repeatable};
	}
	pass("$calls calls went as in the model");
	end_walk();
}
note join ' ', map { "$_: $answers{$_}" } sort keys %answers;
is(scalar(grep { !$answers{$_} } keys %calls), 0, 'every call was made');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$node->stop;
done_testing();
