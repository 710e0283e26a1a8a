# Without shared_preload_libraries everything works, only that nothing heals or
# cleans by itself and that waits poll.
use strict;
use warnings;
use Test::More;

use GoqueNode;

my $node = GoqueNode::new_node('no_preload', preload => 0);
my $s = GoqueSession->new($node);

# health says so, and no worker is there (F23: nor after a restart)
is($s->query(
		q{SELECT check_name, hint <> '' FROM goque.health WHERE NOT ok ORDER BY 1}),
	"healer_alive|t\nlauncher_alive|t\nlibrary_preloaded|t",
	'health says that the library is not preloaded');
is($s->query(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'goque %'}),
	'0', 'no worker runs');
is($s->query(q{SELECT count(*) FROM goque.workers}), '0', 'goque.workers is empty');

# the life of a task
my $id = $s->query(q{SELECT goque_add('a', '{"n": 1}', external_id => 'one')});
is($s->query(q{SELECT goque_add('a', external_id => 'one', on_conflict => 'ignore')}),
	$id, 'a second add of the external id gives the first one');
is($s->query(q{SELECT id, payload, attempt, token > 0 FROM goque_fetch('a')}),
	"$id|{\"n\": 1}|1|t", 'fetch');
is($s->query(q{SELECT kind, what ~ 'holds 1 task' FROM goque.workers}),
	'holder|t', 'goque.workers names the holder');
is($s->query(q{SELECT count(*) FROM goque_fetch('a')}), '0', 'nothing else is ready');
is($s->query("SELECT goque_complete($id, 1)"), 'f', 'a wrong token is refused');
is($s->query("SELECT goque_fail($id, 'boom', retry_in => '0')"), 'error', 'fail');
is($s->query("SELECT goque_complete(id, token) FROM goque_fetch_any(NULL)"),
	't', 'fetched again and completed');
is($s->query('SELECT goque_cancel(' . $s->query(q{SELECT goque_add('a')}) . ')'),
	't', 'cancel');
is($s->query("SELECT done, canceled FROM goque.stats WHERE type = 'a'"),
	'1|1', 'stats are counted from the tables');
is($s->query(q{SELECT count(*), count(DISTINCT id) FROM goque_add_many('b', array_fill('{}'::jsonb, '{1000}')) id}),
	'1000|1000', 'add_many');
is($s->query(q{SELECT count(*), count(DISTINCT token) FROM goque_fetch('b', 1000)}),
	'1000|1000', 'each lease has a token of its own');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

# nothing heals by itself
$id = $s->query(q{SELECT goque_add('h', max_attempts => 2)});
$s->query(q{SELECT goque_fetch('h', lease => '1 ms')});
GoqueNode::wait_until($node,
	"SELECT lease_until < clock_timestamp() FROM goque.tasks WHERE id = $id");
is($s->query("SELECT status FROM goque.tasks WHERE id = $id"),
	'processing', 'an expired lease holds until it is ended');
like($s->query("SELECT reason, detail, hint FROM goque_why($id)"),
	qr/^lease_over\|.* has not taken the task back yet: none runs without shared_preload_libraries\.\|Take it back by hand: SELECT goque_heal\(\); /,
	'... and goque_why says why');
is($s->query(q{SELECT goque_heal('other'), goque_heal('h'), goque_heal()}),
	'0|1|0', 'goque_heal ends it');
is($s->query("SELECT status, attempts, error <> '' FROM goque.tasks WHERE id = $id"),
	'error|1|t', 'the task is to be tried again');

# nor cleans
$s->query(q{SELECT goque_configure('c', retention => '1 ms', retention_failed => '1 ms')});
$s->query(q{SELECT goque_add('c') FROM generate_series(1, 3)});
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('c', 2)});
$s->query(q{SELECT goque_fail(id, 'no', token, retry => false) FROM goque_fetch('c')});
GoqueNode::wait_until($node,
	q{SELECT every(finished_at < clock_timestamp() - interval '1 ms') FROM goque.tasks WHERE type = 'c'});
is($s->query(q{SELECT count(*) FROM goque.tasks WHERE type = 'c'}),
	'3', 'what is past its retention stays');
is($s->query(q{SELECT goque_clean('a'), goque_clean('c'), goque_clean()}),
	'0|3|0', 'goque_clean removes it');

# waits poll
my $waiter = GoqueSession->new($node);
$waiter->send(q{SELECT type FROM goque_fetch('w', wait => '1 min')});
$waiter->wait_asleep;
$s->query(q{SELECT goque_add('w')});
is($waiter->result, 'w', 'a waiting fetch returns what is added');

$waiter->send(q{CALL goque_wait('{x, w}')});
$waiter->wait_asleep;
is($s->query(
		"SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE pid = "
		  . $waiter->pid),
	't', 'goque_wait holds no snapshot (F37)');
$s->query(q{SELECT goque_add('w')});
is($waiter->result, '', 'goque_wait returns when there is a task');
is($waiter->query(q{SELECT type FROM goque_fetch('w')}), 'w', '... and it is there');
is($waiter->query(q{SELECT count(*) FROM goque_fetch('w', wait => '100 ms')}),
	'0', 'a wait ends at its time');
is($waiter->query(q{CALL goque_wait('{w}', '100 ms')}), '', 'goque_wait too');

# a client that goes while it waits takes nothing with it (F2)
my $lost = GoqueSession->new($node);
$lost->send(q{SELECT goque_fetch('lost', wait => '1 min')});
$lost->wait_asleep;
$lost->kill_client;
$lost->wait_gone;
$id = $s->query(q{SELECT goque_add('lost')});
is($s->query("SELECT status, attempts FROM goque.tasks WHERE id = $id"),
	'new|0', 'a waiter whose client died takes nothing');

# settings
is($s->query(q{SET goque.async_claims = off; SHOW goque.async_claims}), 'off', 'a setting of the session');
is($s->query(q{SET goque.release_on_disconnect = on}), 'ERROR:  55P02', 'one of the connection start');

# after a restart all of it is there
my $before = $s->query(q{SELECT status, count(*) FROM goque.tasks GROUP BY 1 ORDER BY 1});
$_->quit for $s, $waiter;
$node->restart;
is($node->safe_psql('postgres', q{SELECT status, count(*) FROM goque.tasks GROUP BY 1 ORDER BY 1}),
	$before, 'the tasks outlive a restart');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'goque %'}),
	'0', 'no worker after a restart');
is($node->safe_psql('postgres', q{SELECT type FROM goque_fetch('lost')}), 'lost', 'and they are fetched');
is(GoqueNode::bad_log_lines($node), '', 'the log is clean');

$node->stop;
done_testing();
