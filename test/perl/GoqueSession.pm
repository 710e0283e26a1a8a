# GoqueSession.pm: a psql that stays, for what one session does step by step and
# for statements that sleep.
#
#   my $s = GoqueSession->new($node);                 # database "postgres"
#   my $s = GoqueSession->new($node, 'db', user => 'joe', options => '-c a=b');
#   is($s->query("SELECT 1"), '1');                   # rows, or ERROR:  SQLSTATE
#   $s->send("SELECT goque_fetch('a', wait => '1 min')");
#   $s->wait_asleep;                                  # it sleeps in the server
#   ok(!$s->is_done);
#   is($s->result, '...');                            # what was sent has come back
#   $s->kill_client;                                  # kill -9 of the psql
#   $s->quit;
#
# A query that never ends makes the test die after PG_TEST_TIMEOUT_DEFAULT.

package GoqueSession;

use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

sub new
{
	my ($class, $node, $db, %opt) = @_;
	my $self = bless {
		node => $node, in => '', out => '', n => 0, db => $db || 'postgres' }, $class;
	my $connstr = $node->connstr($self->{db});

	$connstr .= " user=$opt{user}" if $opt{user};
	$connstr .= " options='$opt{options}'" if $opt{options};
	$self->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d', $connstr ],
		'<', \$self->{in}, '>', \$self->{out}, '2>&1');
	$self->{pid} = $self->query('SELECT pg_backend_pid()');
	die "no session: $self->{pid}" unless $self->{pid} =~ /^\d+$/;
	return $self;
}

sub pid { return $_[0]->{pid}; }

# Send statements and do not wait for them.
sub send
{
	my ($self, $sql) = @_;

	$self->{sent_at} = time;
	$self->{mark} = 'goque: end of ' . ++$self->{n};
	$self->{in} .= "$sql;\n\\echo '$self->{mark}'\n";
	$self->{run}->pump_nb;
	return;
}

sub _has_mark
{
	my ($self) = @_;

	return $self->{out} =~ /^\Q$self->{mark}\E\n/m;
}

# Has all that was sent come back?
sub is_done
{
	my ($self) = @_;

	$self->{run}->pump_nb;
	return $self->_has_mark;
}

# Wait for what was sent; its output.
sub result
{
	my ($self) = @_;
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;

	until ($self->is_done)
	{
		die "session of $self->{db} had no answer; so far: $self->{out}" if time > $limit;
		die "the psql has ended: $self->{out}" unless $self->{run}->pumpable;
		Time::HiRes::usleep(2000);
	}
	$self->{seconds} = time - $self->{sent_at};
	$self->{out} =~ s/^(.*?)\Q$self->{mark}\E\n//s;
	my $out = $1;
	$out =~ s/\n\z//;
	return $out;
}

# How long the last result took since its send.
sub seconds { return $_[0]->{seconds}; }

sub query
{
	my ($self, $sql) = @_;

	$self->send($sql);
	return $self->result;
}

# Wait until the backend sleeps for tasks.
sub wait_asleep
{
	my ($self) = @_;

	GoqueNode::wait_until($self->{node},
		"SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $self->{pid}",
		't', $self->{db});
	return;
}

# ... or waits for a lock.
sub wait_blocked
{
	my ($self) = @_;

	GoqueNode::wait_until($self->{node},
		"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $self->{pid}",
		't', $self->{db});
	return;
}

sub wait_gone
{
	my ($self) = @_;

	GoqueNode::wait_until($self->{node},
		"SELECT count(*) FROM pg_stat_activity WHERE pid = $self->{pid}", '0', 'template1');
	return;
}

sub kill_client
{
	my ($self) = @_;

	$self->{run}->kill_kill(grace => 0);
	return;
}

# The client as well, when its backend is gone or its server is.
sub quit
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish; };
	return;
}

1;
