# A standby: no worker, 25006, views work; after promotion everything does.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

my $primary = GoqueNode::new_node('primary', init => [ allows_streaming => 1 ],
	conf => "max_connections = 30\ngoque.heal_interval = '200ms'\n");
$primary->backup('b');

sub new_standby
{
	my ($name) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$standby->init_from_backup($primary, 'b', has_streaming => 1);
	$standby->start;
	return $standby;
}

my $standby = new_standby('standby');
my $p = GoqueSession->new($primary);

$p->query(q{SELECT goque_add('a') FROM generate_series(1, 5)});
$p->query(q{SELECT goque_configure('a', timeout => '1 h')});
my %seen;
my ($held, $token) = split /\|/, $p->query(q{SELECT id, token FROM goque_fetch('a', lease => '1 h')});
my ($late) = split /\|/, $p->query(q{SELECT id, token FROM goque_fetch('a', lease => '6 s')});
$seen{$token} = 1;
$p->query(q{CREATE FUNCTION handler(p jsonb) RETURNS void LANGUAGE sql AS ''; SELECT goque_register_processor('run', 'handler')});
$p->query(q{SELECT goque_add('b', external_id => 'last')});		# flushes the claims
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));

# ---- the standby (F42, F11) ----

my $s = GoqueSession->new($standby);
is($s->query(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'goque %'}),
	'0', 'no worker of goque on a standby');
is($s->query("SELECT $_"), 'ERROR:  25006', $_)
  for q{goque_add('a')}, q{count(*) FROM goque_fetch('a')}, q{count(*) FROM goque_fetch_any(NULL, wait => '1 s')},
  "goque_complete($held)", "goque_fail($held, 'x')", "goque_release($held)", "goque_heartbeat($held)",
  "goque_cancel($held)", "goque_retry($held)", "goque_purge($held)", q{goque_configure('a', max_attempts => 1)}, 'goque_pause()', 'goque_resume()',
  'goque_heal()', 'goque_clean()', q{goque_retry_all('a')}, q{goque_cancel_all('a')},
  q{count(*) FROM goque_add_many('a', '{}')}, q{count(*) FROM goque_complete_many(ARRAY[1])};
is($s->query($_), 'ERROR:  25006', $_) for q{INSERT INTO goque.tasks (type) VALUES ('a')}, q{CALL goque_wait('{a}', '1 s')};
my (undef, undef, $stderr) = $standby->psql('postgres', q{SELECT goque_add('a')});
is($stderr, "psql:<stdin>:1: ERROR:  cannot execute goque_add() during recovery\nDETAIL:  This server is a standby.\nHINT:  Connect to the primary server.",
	'it says what to do');
is($s->query(q{SELECT status, count(*) FROM goque.tasks GROUP BY 1 ORDER BY 1}), "new|4\nprocessing|2", 'goque.tasks can be read');
is($s->query(q{SELECT type, ready, processing FROM goque.stats ORDER BY 1}), "a|3|2\nb|1|0", 'goque.stats too');
is($s->query(q{SELECT timeout FROM goque.task_types WHERE type = 'a'}), '01:00:00', 'goque.task_types too');
is($s->query(q{SELECT count(*) > 5 FROM goque.health}), 't', 'goque.health too');
is($s->query(q{SELECT count(*) FROM goque.workers}), '0', 'goque.workers too');

# a read-only transaction of the primary
for my $how ('SET default_transaction_read_only = on', 'BEGIN READ ONLY')
{
	is($p->query("$how; SELECT $_"), 'ERROR:  25006', "$how: $_")
	  , $p->query('ROLLBACK; RESET default_transaction_read_only')
	  for q{goque_add('a')}, q{count(*) FROM goque_fetch('a')}, "goque_complete($held)";
}
is($p->query(q{SELECT count(*), max(attempts) FROM goque.tasks}), '6|1', 'nothing was changed');

unlike(PostgreSQL::Test::Utils::slurp_file($standby->logfile), qr/goque (launcher|keeper)|WARNING/,
	'the log of the standby does not speak of goque');

# ---- promotion without loss ----

my $other = new_standby('other');
$primary->wait_for_catchup($other, 'replay', $primary->lsn('flush'));
$other->stop;

# claims that the other standby does not know of
my $lost = $p->query(q{SELECT id || '|' || token FROM goque_fetch('b', lease => '1 h')});
my ($lost_id, $lost_token) = split /\|/, $lost;
$seen{$lost_token} = 1;
$p->query(q{SELECT goque_add('later')});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
$p->quit;
$primary->stop;

my $start = time;
$standby->promote;
GoqueNode::wait_workers($standby, q{count(*) = 2 AND count(DISTINCT backend_type) = 2});
cmp_ok(time - $start, '<', 5, 'the workers come within 5 s after promotion');
is($s->query("SELECT goque_complete($held, $token)"), 't', 'a lease holds after promotion');
is($s->query("SELECT goque_complete($lost_id, $lost_token)"), 't', '... every one');
is($s->query(q{SELECT count(*) FROM goque_fetch('a', 10)}), '3', 'tasks are fetched');
is($s->query(q{SELECT goque_add('a') > max(id) FROM goque.tasks}), 't', 'ids go on');
my $id = $s->query(q{SELECT id FROM goque_fetch('a', lease => '300 ms')});
GoqueNode::wait_until($standby, "SELECT status = 'error' FROM goque.tasks WHERE id = $id");
pass('expired leases are ended');
GoqueNode::wait_until($standby, "SELECT status = 'error' FROM goque.tasks WHERE id = $late");
pass('... those of before, too');
$start = time;
$id = $s->query(q{SELECT goque_add('run')});
GoqueNode::wait_until($standby, "SELECT status = 'done' FROM goque.tasks WHERE id = $id");
cmp_ok(time - $start, '<', 5, 'processors run, too');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');
$s->quit;
$standby->stop;

# ---- promotion with loss ----

$other->start;
$other->promote;
$s = GoqueSession->new($other);
is($s->query("SELECT status, attempts FROM goque.tasks WHERE id = $lost_id"), 'new|0', 'a claim that was not replicated is lost');
is($s->query("SELECT goque_complete($lost_id, $lost_token), goque_heartbeat($lost_id, $lost_token) IS NULL"),
	'f|t', 'its holder is refused');
my $new = $s->query(q{SELECT token FROM goque_fetch('b')});
ok($new && !$seen{$new}++, 'the task is fetched, with another token');
is($s->query("SELECT goque_complete($lost_id, $lost_token)"), 'f', 'the old one is refused still');
is($s->query("SELECT goque_complete($held, $token)"), 't', 'leases that were replicated hold');
is(GoqueNode::bad_log_lines($other), '', 'the log is clean');
$s->quit;
$other->stop;
done_testing();
