# A keeper stands in nobody's way: DROP, ALTER and CREATE DATABASE work at the
# first try, whoever may run them, and where one fails the keeper comes back.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

my $node = GoqueNode::new_node('drop_database',
	extension => 0, conf => "goque.heal_interval = '100ms'\nallow_in_place_tablespaces = on\n");
my $s = GoqueSession->new($node);

sub has_keeper
{
	my ($db, $n) = @_;

	GoqueNode::wait_until($node,
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = '$db'",
		defined $n ? $n : '1');
	return;
}

# A database with goque whose keeper has a few thousand leases to end.
sub make_busy
{
	my ($db, $options) = @_;

	$s->query("CREATE DATABASE $db " . ($options || ''));
	$node->safe_psql($db, q{CREATE EXTENSION goque;
		SELECT goque_configure('a', backoff => 'static', backoff_base => '1 ms');
		SELECT count(*) FROM goque_add_many('a', array_fill('{}'::jsonb, '{3000}'), max_attempts => 1000);
		SELECT count(*) FROM goque_fetch('a', 3000, lease => '1 ms')});
	has_keeper($db);
	return;
}

sub heals
{
	my ($db, $name) = @_;
	my $id = $node->safe_psql($db, q{SELECT goque_add('h') \g /dev/null
		SELECT id FROM goque_fetch('h', lease => '200 ms')});

	GoqueNode::wait_until($node,
		"SELECT status = 'error' FROM goque.tasks WHERE id = $id", 't', $db);
	pass($name);
	return;
}

# The command works at once, and soon.
sub works
{
	my ($sql, $session) = @_;

	is(($session || $s)->query($sql), '', $sql);
	cmp_ok(($session || $s)->seconds, '<', 5, '... within 5 s');
	return;
}

# ---- DROP DATABASE (F30) ----

for (1 .. 4)
{
	make_busy('d');
	works('DROP DATABASE d');		# from a database without goque
}
make_busy('d');
works('DROP DATABASE d WITH (FORCE)');

$s->query('CREATE ROLE own LOGIN CREATEDB; CREATE ROLE other LOGIN');
my $own = GoqueSession->new($node, 'postgres', user => 'own');
my $other = GoqueSession->new($node, 'postgres', user => 'other');
make_busy('d', 'OWNER own');
works('DROP DATABASE d WITH (FORCE)', $own);
make_busy('d', 'OWNER own');
works('DROP DATABASE d', $own);

# who may not drop it stops nobody
make_busy('d', 'OWNER own');
my $pid = $s->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = 'd'});
is($other->query('DROP DATABASE d'), 'ERROR:  42501', 'DROP DATABASE by another role');
is($other->query('ALTER DATABASE d RENAME TO e'), 'ERROR:  42501', 'ALTER DATABASE by another role');
is($other->query('CREATE DATABASE e TEMPLATE d'), 'ERROR:  42501', 'CREATE DATABASE by another role');
is($s->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'goque keeper' AND datname = 'd'}),
	$pid, 'the keeper was left alone');

# a command that fails: the keeper comes back
my $user = GoqueSession->new($node, 'd');
is($s->query('DROP DATABASE d'), 'ERROR:  55006', 'DROP DATABASE of one in use');
has_keeper('d');
heals('d', 'the keeper is back');
$user->quit;
$user->wait_gone;
works('DROP DATABASE IF EXISTS d');
is($s->query('DROP DATABASE d'), 'ERROR:  3D000', 'it is gone');

# ---- CREATE DATABASE ... TEMPLATE, RENAME, SET TABLESPACE (F31) ----

make_busy('t');
works("CREATE DATABASE t1 TEMPLATE t STRATEGY $_; DROP DATABASE t1") for 'wal_log', 'file_copy';
make_busy('u', 'OWNER own');
works('ALTER DATABASE u RENAME TO v', $own);
heals('v', 'renamed: it is healed');
works('CREATE DATABASE w TEMPLATE v');
heals($_, "\"$_\" is healed") for 'v', 'w';
is($node->safe_psql('w', q{SELECT count(*) FROM goque.tasks WHERE type = 'a'}), '3000', 'the copy has the tasks');
works(q{CREATE TABLESPACE ts LOCATION ''});
has_keeper('w');
works('ALTER DATABASE w SET TABLESPACE ts');
heals('w', 'moved: it is healed');
works('ALTER DATABASE w ALLOW_CONNECTIONS false');
has_keeper('w', '0');
works('DROP DATABASE w');

# ---- a DROP that was broken off: an invalid database is left alone (F30) ----

make_busy('i');
$s->query(q{UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'i'});
works(q{CREATE DATABASE new});		# the list is read anew
has_keeper('i', '0');
$s->quit;
$_->quit for $own, $other;
$node->stop;
my $log = -s $node->logfile;
$node->start;
$s = GoqueSession->new($node);
has_keeper('t');
heals('t', 'after a restart the others are healed');
has_keeper('i', '0');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile, $log), qr/(ERROR|FATAL|WARNING): /,
	'nothing is said about the invalid one');
works('DROP DATABASE i');

is(GoqueNode::bad_log_lines($node), '', 'the log is clean');
$s->quit;
$node->stop;
done_testing();
