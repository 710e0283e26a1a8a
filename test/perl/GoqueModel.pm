# GoqueModel.pm: what docs/reference.md promises, as a small machine without a
# database.  test/t/013_model.pl makes random calls of several sessions in both
# and compares.  It shares no code with the extension.
#
# Time is a counter: each call happens a tick after the last.  A task that was
# delayed is due an age later, which never comes.
#
# A task has one committed version and, while a transaction changes it, one dirty
# version that only its session sees.  Nobody else can change it meanwhile: a call
# that would have to wait dies with "blocked" and changes nothing, and the test
# makes another one.  A call that PostgreSQL must refuse dies with the SQLSTATE.
#
# Who waits for whom is kept apart from the tasks, as edges from parent to child:
# they come and go under the locks of tasks, and no snapshot is older than they are.

package GoqueModel;

use strict;
use warnings;

use constant AGE => 1e9;

my %is_live = map { $_ => 1 } qw(new pending processing error);
my %waits = map { $_ => 1 } qw(new pending error);

sub new
{
	my ($class, %opt) = @_;

	return bless {
		now => 0, next_id => 1, committed => {}, dirty => {}, edges => {}, sessions => {}, locks => {},
		paused => {}, max_running => $opt{max_running} || {} }, $class;
}

# ---- transactions ----

sub session
{
	my ($self, $s) = @_;

	return $self->{sessions}{$s} ||= { block => 0, saved => [], edges => {} };
}

sub in_block { my ($self, $s) = @_; return $self->session($s)->{block}; }
sub savepoints { my ($self, $s) = @_; return scalar @{ $self->session($s)->{saved} }; }

sub begin
{
	my ($self, $s, $repeatable) = @_;

	$self->{sessions}{$s} = { block => 1, repeatable => $repeatable, saved => [], edges => {} };
	return;
}

sub _dirty_ids
{
	my ($self, $s) = @_;

	return grep { $self->{dirty}{$_}{session} eq $s } keys %{ $self->{dirty} };
}

# What brings the session back to here: copies of its dirty versions and edges.
sub save
{
	my ($self, $s) = @_;

	return {
		tasks => { map { $_ => { %{ $self->{dirty}{$_}{task} } } } $self->_dirty_ids($s) },
		edges => { %{ $self->session($s)->{edges} } } };
}

sub restore
{
	my ($self, $s, $saved) = @_;
	my $tasks = $saved->{tasks};

	delete @{ $self->{dirty} }{ $self->_dirty_ids($s) };
	$self->{dirty}{$_} = { session => $s, task => { %{ $tasks->{$_} } } } for keys %$tasks;
	$self->session($s)->{edges} = { %{ $saved->{edges} } };
	return;
}

sub savepoint
{
	my ($self, $s) = @_;

	push @{ $self->session($s)->{saved} }, $self->save($s);
	return;
}

sub rollback_to
{
	my ($self, $s) = @_;

	$self->restore($s, $self->session($s)->{saved}[-1]);
	return;
}

sub _end
{
	my ($self, $s) = @_;
	my $locks = $self->{locks};

	delete $self->{sessions}{$s};
	delete @$locks{ grep { $locks->{$_} eq $s } keys %$locks };
	return;
}

sub rollback
{
	my ($self, $s) = @_;

	$self->restore($s, { tasks => {}, edges => {} });
	$self->_end($s);
	return;
}

sub commit
{
	my ($self, $s) = @_;
	my $now = ++$self->{now};
	my $edges = $self->session($s)->{edges};

	delete @{ $self->{edges} }{ grep { !$edges->{$_} } keys %$edges };
	$self->{edges}{$_} = 1 for grep { $edges->{$_} } keys %$edges;
	for my $id ($self->_dirty_ids($s))
	{
		my $task = delete($self->{dirty}{$id})->{task};

		$task->{version} = $now;
		$task->{born} ||= $now;
		$task->{claims} = 0;
		if ($task->{gone}) { delete $self->{committed}{$id}; }
		else { $self->{committed}{$id} = $task; }
	}
	$self->_end($s);
	return;
}

# A statement takes the snapshot of a transaction that has none yet.
sub look
{
	my ($self, $s) = @_;

	$self->session($s)->{snapshot} ||= ++$self->{now};
	return;
}

# Make a call: its answer.  One that cannot be made now, or is refused, changes
# nothing; the error is in $@.
sub call
{
	my ($self, $s, $method, @arguments) = @_;
	my $saved = $self->save($s);
	my %locks = %{ $self->{locks} };
	my $next_id = $self->{next_id};
	my $snapshot = $self->session($s)->{snapshot};
	my @answer;

	$self->look($s);
	$self->{now}++;
	return wantarray ? @answer : $answer[0] if eval { @answer = $self->$method($s, @arguments); 1 };
	die $@ unless $@ =~ /^(blocked|[0-9A-Z]{5})$/;
	$self->restore($s, $saved);
	if ($@ =~ /^blocked/)
	{
		$self->{locks} = \%locks;
		$self->session($s)->{snapshot} = $snapshot;
	}
	$self->{next_id} = $next_id;
	return;
}

# ---- tasks, as a session finds them ----

sub find
{
	my ($self, $s, $id) = @_;
	my $dirty = $self->{dirty}{$id};

	return $dirty->{task}{gone} ? undef : $dirty->{task} if $dirty && $dirty->{session} eq $s;
	return $self->{committed}{$id};
}

sub visible
{
	my ($self, $s) = @_;
	my %ids = (%{ $self->{committed} }, %{ $self->{dirty} });

	return grep { defined } map { $self->find($s, $_) } sort { $a <=> $b } keys %ids;
}

sub _is_busy
{
	my ($self, $s, $id) = @_;
	my $dirty = $self->{dirty}{$id};

	return $dirty && $dirty->{session} ne $s;
}

# Changed (or born) since the session's snapshot was taken?
sub _is_newer
{
	my ($self, $s, $task, $since) = @_;
	my $session = $self->session($s);
	my $committed = $self->{committed}{ $task->{id} };

	return $session->{repeatable} && $committed && $committed->{$since} > $session->{snapshot};
}

# The session's own version of a task, to change.
sub _own
{
	my ($self, $s, $task) = @_;
	my $id = $task->{id};

	die "blocked\n" if $self->_is_busy($s, $id);
	die "40001\n" if $self->_is_newer($s, $task, 'version');
	$self->{dirty}{$id} ||= { session => $s, task => {%$task} };
	return $self->{dirty}{$id}{task};
}

sub _lock
{
	my ($self, $s, @key) = @_;
	my $key = join ' ', @key;

	die "blocked\n" if ($self->{locks}{$key} || $s) ne $s;
	$self->{locks}{$key} = $s;
	return;
}

# ---- lines: tasks of a type with one ordering key ----

# The live tasks of a task's line, in their order.
sub _line
{
	my ($self, $s, $task) = @_;

	return sort { $a->{place} <=> $b->{place} }
	  grep { defined $_->{key} && $_->{type} eq $task->{type} && $_->{key} eq $task->{key} && $is_live{ $_->{status} } }
	  $self->visible($s);
}

# ---- edges: "parent child", of those who wait ----

# As the session sees them: pairs.
sub _edges
{
	my ($self, $s) = @_;
	my %all = (%{ $self->{edges} }, %{ $self->session($s)->{edges} });

	return map { [ split ' ' ] } grep { $all{$_} } keys %all;
}

sub _parents { my ($self, $s, $id) = @_; return map { $_->[0] } grep { $_->[1] == $id } $self->_edges($s); }
sub _children { my ($self, $s, $id) = @_; return map { $_->[1] } grep { $_->[0] == $id } $self->_edges($s); }

sub _link { my ($self, $s, $parent, $child) = @_; $self->session($s)->{edges}{"$parent $child"} = 1; return; }
sub _unlink { my ($self, $s, $parent, $child) = @_; $self->session($s)->{edges}{"$parent $child"} = 0; return; }

sub _is_blocked
{
	my ($self, $s, $task) = @_;

	return 1 if $self->_parents($s, $task->{id});
	return 0 unless defined $task->{key};
	my ($head) = $self->_line($s, $task);

	return $head && $head->{id} != $task->{id};
}

# A pending task that nothing holds back any more becomes new; those of one call
# are due at the same tick.
sub _unblock
{
	my ($self, $s, $task) = @_;

	return if !$task || $task->{status} ne 'pending' || $self->_is_blocked($s, $task);
	my $own = $self->_own($s, $task);

	$own->{status} = 'new';
	$own->{due} = $self->{now} if $own->{due} < $self->{now};
	return;
}

# A parent of a task has ended.
sub _hear_of_parent
{
	my ($self, $s, $parent, $id) = @_;

	$self->_lock($s, 'task', $id);
	my $child = $self->find($s, $id);

	return $self->_finish($s, $child, 'canceled')
	  if $parent->{status} ne 'done' && $child && $child->{status} eq 'pending';
	$self->_unlink($s, $parent->{id}, $id);
	return if !$child || $child->{status} ne 'pending' || $self->_parents($s, $id);
	$self->_lock($s, 'line', $child->{type}, $child->{key}) if defined $child->{key};
	$self->_unblock($s, $child);
	return;
}

# A task has ended: its line moves, its children start or are canceled.
sub _settle
{
	my ($self, $s, $task) = @_;
	my $id = $task->{id};

	$self->_lock($s, 'line', $task->{type}, $task->{key}) if defined $task->{key};
	$self->_lock($s, 'task', $id);
	$self->_unlink($s, $_, $id) for $self->_parents($s, $id);
	$self->_hear_of_parent($s, $task, $_) for sort { $a <=> $b } $self->_children($s, $id);
	$self->_unblock($s, ($self->_line($s, $task))[0]) if defined $task->{key};
	return;
}

sub _finish
{
	my ($self, $s, $task, $status) = @_;
	my $own = $self->_own($s, $task);

	$own->{status} = $status;
	$own->{token} = undef;
	$self->_settle($s, $own);
	return;
}

# ---- adding ----

sub _in_scope
{
	my ($task, $scope) = @_;

	return 1 if $scope eq 'kept';
	return $is_live{ $task->{status} } if $scope eq 'live';
	return ($task->{status} eq 'new' || $task->{status} eq 'pending') && !$task->{started};
}

# The youngest task in the way of a key, but for one.
sub _clash
{
	my ($self, $s, $type, $external_id, $scope, $except) = @_;

	return (grep {
			$_->{type} eq $type && defined $_->{external_id} && $_->{external_id} eq $external_id
			  && $_->{id} != $except && _in_scope($_, $scope)
		} $self->visible($s))[-1];
}

sub _insert
{
	my ($self, $s, %new) = @_;
	my $id = $self->{next_id}++;
	my $task = {
		id => $id, place => $id, status => 'new', attempts => 0, started => 0, token => undef,
		(map { $_ => $new{$_} } qw(type max_attempts priority external_id scope payload key)),
		due => $self->{now} + ($new{delayed} ? AGE : 0),
		after => $new{after} || [] };
	my @live;

	for my $parent (map { $self->find($s, $_) } @{ $new{after} || [] })
	{
		$self->_lock($s, 'task', $parent->{id});
		die "blocked\n" if $self->_is_busy($s, $parent->{id});
		$task->{status} = 'canceled' if $parent->{status} eq 'attempts_left' || $parent->{status} eq 'canceled';
		push @live, $parent->{id} if $is_live{ $parent->{status} };
	}
	$self->_link($s, $_, $id) for $task->{status} eq 'new' ? @live : ();
	$self->{dirty}{$id} = { session => $s, task => $task };
	$task->{status} = 'pending' if $task->{status} eq 'new' && $self->_is_blocked($s, $task);
	return $id;
}

sub _replace
{
	my ($self, $s, $other, %new) = @_;

	return if ($other->{status} ne 'new' && $other->{status} ne 'pending') || $other->{attempts} > 0;
	my $own = $self->_own($s, $other);

	$own->{$_} = $new{$_} for qw(payload priority max_attempts scope);
	$own->{due} = $self->{now} + ($new{delayed} ? AGE : 0);
	return;
}

# The id of the new task, or of the one in its way; undef: it was skipped.
sub add
{
	my ($self, $s, %new) = @_;

	$self->_lock($s, 'external id', $new{type}, $new{external_id}) if defined $new{external_id};
	$self->_lock($s, 'line', $new{type}, $new{key}) if defined $new{key};
	for my $parent (sort { $a <=> $b } @{ $new{after} || [] })
	{
		die "blocked\n" if $self->{committed}{$parent} && $self->_is_busy($s, $parent);
		die "23503\n" unless $self->find($s, $parent);
	}
	my $other = defined $new{external_id} && $self->_clash($s, $new{type}, $new{external_id}, $new{scope}, 0);

	return $self->_insert($s, %new) unless $other;
	die "23505\n" if $new{on_conflict} eq 'error';
	return undef if $new{on_conflict} eq 'skip';
	# a caller is not told of what its snapshot does not see
	die "40001\n" if $self->_is_newer($s, $other, 'born');
	$self->_replace($s, $other, %new) if $new{on_conflict} eq 'replace';
	return $other->{id};
}

# ---- fetching ----

# The places of a type that are taken, as a session counts: what it finished itself
# is free, what another one did is not before its commit.
sub _places
{
	my ($self, $s, $type) = @_;
	my %ids = (%{ $self->{committed} }, %{ $self->{dirty} });
	my $places = 0;

	for my $id (keys %ids)
	{
		my $dirty = $self->{dirty}{$id};
		my $committed = $self->{committed}{$id};

		next if ($dirty ? $dirty->{task} : $committed)->{type} ne $type;
		if ($dirty && $dirty->{session} eq $s)
		{
			$places++ if !$dirty->{task}{gone} && $dirty->{task}{status} eq 'processing';
			next;
		}
		$places++ if $committed && $committed->{status} eq 'processing';
		$places += $dirty->{task}{claims} || 0 if $dirty;
	}
	return $places;
}

# The ids in the order of the fetch.
sub fetch
{
	my ($self, $s, $types, $n, $short) = @_;
	my %wanted = map { $_ => 1 } @$types;
	my @ready = sort { $a->{priority} <=> $b->{priority} || $a->{due} <=> $b->{due} || $a->{id} <=> $b->{id} }
	  grep { ($_->{status} eq 'new' || $_->{status} eq 'error') && $wanted{ $_->{type} } && $_->{due} <= $self->{now}
		  && !$self->{paused}{ $_->{type} } && !$self->_is_busy($s, $_->{id}) } $self->visible($s);
	my @seen = grep { !$self->_is_newer($s, $_, 'version') } @ready;

	my @taken;

	for my $ready (@seen)
	{
		my $max = $self->{max_running}{ $ready->{type} };

		last if @taken == $n;
		next if $max && $self->_places($s, $ready->{type}) >= $max;
		my $task = $self->_own($s, $ready);

		push @taken, $task->{id};
		$task->{claims}++;
		$task->{status} = 'processing';
		$task->{attempts}++;
		$task->{started} = 1;
		$task->{short} = $short;
	}
	return @taken;
}

# ---- finishing: the answer, and what the next holder is ----

sub _held
{
	my ($self, $s, $id, $token) = @_;
	my $task = $self->find($s, $id);

	return $task if $task && $task->{status} eq 'processing' && (!$token || $token == $task->{token});
	return undef;
}

sub complete
{
	my ($self, $s, $id, $token) = @_;
	my $task = $self->_held($s, $id, $token) or return 'f';

	$self->_finish($s, $task, 'done');
	return 't';
}

# $delay: none, or an age
sub _fail
{
	my ($self, $s, $task, $retry, $delayed) = @_;

	if (!$retry || $task->{attempts} >= $task->{max_attempts})
	{
		$self->_finish($s, $task, 'attempts_left');
		return 'attempts_left';
	}
	my $own = $self->_own($s, $task);

	$own->{status} = 'error';
	$own->{token} = undef;
	$own->{due} = $self->{now} + ($delayed ? AGE : 0);
	return 'error';
}

sub fail
{
	my ($self, $s, $id, $token, $retry) = @_;
	my $task = $self->_held($s, $id, $token) or return '';

	return $self->_fail($s, $task, $retry, 1);
}

sub release
{
	my ($self, $s, $id, $token) = @_;
	my $task = $self->_held($s, $id, $token) or return 'f';
	my $own = $self->_own($s, $task);

	$own->{attempts}--;
	$own->{status} = $own->{attempts} > 0 ? 'error' : 'new';
	$own->{token} = undef;
	$own->{due} = $self->{now};
	return 't';
}

sub heartbeat
{
	my ($self, $s, $id, $token) = @_;
	my $task = $self->_held($s, $id, $token) or return 'f';

	$self->_own($s, $task)->{short} = 0;
	return 't';
}

# Ends the leases that are over; nobody else may be in a transaction with them.
sub heal
{
	my ($self, $s) = @_;
	my @over = grep { $_->{status} eq 'processing' && $_->{short} && !$self->_is_busy($s, $_->{id}) } $self->visible($s);

	$self->_fail($s, $_, 1, 1) for @over;
	return scalar @over;
}

# ---- steering ----

sub cancel
{
	my ($self, $s, $id) = @_;
	my $task = $self->find($s, $id);

	return 'f' unless $task && $is_live{ $task->{status} };
	$self->_finish($s, $task, 'canceled');
	return 't';
}

sub retry
{
	my ($self, $s, $id) = @_;
	my $task = $self->find($s, $id) or return 'f';

	if (defined $task->{external_id} && $task->{status} ne 'new')
	{
		$self->_lock($s, 'external id', $task->{type}, $task->{external_id});
		return 'f' if $self->_clash($s, $task->{type}, $task->{external_id}, $task->{scope}, $id);
	}
	return 'f' if $task->{status} eq 'pending' || $task->{status} eq 'processing';
	$self->_lock($s, 'task', $_) for map { ($_, $id) } @{ $task->{after} };
	$self->_lock($s, 'line', $task->{type}, $task->{key}) if defined $task->{key};
	my $is_live = $is_live{ $task->{status} };
	my $own = $self->_own($s, $task);

	$own->{attempts} = 0 unless $own->{status} eq 'new';
	$own->{due} = $self->{now};
	$own->{status} = 'new';
	return 't' if $is_live;
	$self->_link($s, $_, $id) for grep { my $p = $self->find($s, $_); $p && $is_live{ $p->{status} } } @{ $own->{after} };
	$own->{place} = $self->{next_id}++ if defined $own->{key};
	$own->{status} = 'pending' if $self->_is_blocked($s, $own);
	return 't';
}

# To now, or an age away.
sub reschedule
{
	my ($self, $s, $id, $delayed, $priority) = @_;
	my $task = $self->find($s, $id);

	return '' unless $task && $waits{ $task->{status} };
	if ($task->{status} eq 'pending')
	{
		$self->_lock($s, 'task', $id) if @{ $task->{after} };
		$self->_lock($s, 'line', $task->{type}, $task->{key}) if defined $task->{key};
	}
	my $own = $self->_own($s, $task);

	$own->{due} = $self->{now} + ($delayed ? AGE : 0);
	$own->{priority} = $priority if defined $priority;
	return $id;
}

sub purge
{
	my ($self, $s, $id) = @_;
	my $task = $self->find($s, $id);

	return 'f' if !$task || $is_live{ $task->{status} };
	$self->_own($s, $task)->{gone} = 1;
	return 't';
}

# ---- what the session reads in goque.tasks ----

sub table
{
	my ($self, $s) = @_;

	return join "\n", map {
		join '|', @$_{qw(id type status attempts max_attempts priority)},
		  (map { defined $_ ? $_ : '' } @$_{qw(external_id key)}), $_->{payload}
	} $self->visible($s);
}

1;
