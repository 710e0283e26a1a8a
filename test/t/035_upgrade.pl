# pg_upgrade carries over all that goque has: tasks in every state, leases, settings,
# schedules, handlers and their roles, sequences; and it makes no copy (F47): schedules
# and processors go on.
#
# It upgrades to the same version, or, with GOQUE_UPGRADE_FROM=/usr/lib/postgresql/15,
# from that one; goque must be installed in both.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

use GoqueNode;

my $from = $ENV{GOQUE_UPGRADE_FROM};
my @init = (init => [ extra => ['-k'] ]);	# with checksums, as clusters of 18 have by default
my $old = GoqueNode::new_node('old', @init, install => $from, conf => "goque.heal_interval = '1h'\n");
my $s = GoqueSession->new($old);

# pg_upgrade looks for the library in the server's own folder alone, where a throw-away
# installation on PostgreSQL 18 is not.
if ($old->psql('postgres', q{LOAD '$libdir/goque'}) != 0)
{
	$s->quit;
	$old->stop;
	plan skip_all => 'pg_upgrade would not find the library';
}
note($s->query('SELECT version()'));

# ---- what there is ----

$s->query(q{CREATE ROLE app LOGIN; CREATE SCHEMA app AUTHORIZATION app; SELECT goque_grant('app', 'admin');
	SELECT goque_configure('work', timeout => '1 h', backoff => 'step', backoff_steps => '{1 s, 1 min}', max_running => 3);
	SELECT goque_configure('rated', rate_limit => 2, rate_period => '1 h');
	SELECT goque_pause(t) FROM unnest('{work,job,paused}'::text[]) t});
my $app = GoqueSession->new($old, 'postgres', user => 'app');
unlike($app->query(q{CREATE TABLE app.log (id bigint, who text, what text);
	CREATE FUNCTION app.work(t goque.task) RETURNS jsonb LANGUAGE sql AS $$ INSERT INTO app.log VALUES (t.id, session_user, t.payload->>'w'); SELECT '{"ok": true}'::jsonb $$;
	CREATE PROCEDURE app.job(p jsonb) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.log VALUES (0, session_user, p->>'w'); COMMIT; END $$;
	SELECT goque_register_processor('work', 'app.work', workers => 2, batch_size => 5, idle_timeout => '10 s');
	SELECT goque_register_processor('job', 'app.job(jsonb)')}), qr/ERROR/, 'handlers of a role');
$app->quit;
$s->query(q{SELECT goque_add('work', jsonb_build_object('w', i), ordering_key => 'k' || i % 2) FROM generate_series(1, 10) i;
	SELECT goque_add('job', '{"w": "job"}');
	SELECT goque_add('paused', external_id => 'x', metadata => '{"m": 1}', delay => '1 h', expires_in => '1 d');
	SELECT goque_add('child', after => ARRAY[goque_add('parent')]);
	SELECT goque_add(status) FROM unnest('{done,error,dead,canceled,held}'::text[]) status;
	SELECT goque_complete(id, token, '{"r": 1}') FROM goque_fetch('done');
	SELECT goque_fail(id, 'bad', token, retry_in => '1 h') FROM goque_fetch('error');
	SELECT goque_fail(id, 'bad', token, retry => false) FROM goque_fetch('dead');
	SELECT goque_cancel_all('canceled');
	SELECT goque_heartbeat(id, token, progress => '{"p": 2}') FROM goque_fetch('held', lease => '1 d');
	SELECT goque_add('rated') FROM generate_series(1, 3);
	SELECT FROM goque_fetch('rated', 5);
	SELECT goque_schedule('nightly', '30 2 * * *', 'nightly', '{"s": 1}', 'Europe/Berlin', catch_up => 'all', overlap => false, priority => 7);
	SELECT goque_schedule('rests', '@hourly', 'rests'), goque_pause_schedule('rests');
	SELECT goque_schedule('second', '* * * * * *', 'second', catch_up => 'all')});
is($s->query(q{SELECT count(DISTINCT status) FROM goque.tasks}), '7', 'there are tasks in every status');
my $held = $s->query(q{SELECT id || ',' || token FROM goque.tasks_0 WHERE type = 'held'});
my @STATE = map { "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM $_" } (
	q{goque.tasks t WHERE type <> 'second'}, 'goque.task_types t', 'goque.settings t', 'goque.handlers t', 'goque.dependencies t',
	q{(SELECT name, schedule, timezone, type, payload, next_run_at, last_run_at, paused, catch_up, overlap, priority, home FROM goque.schedule_settings WHERE name <> 'second') t},
	q{(SELECT last_value FROM goque.generation_seq UNION ALL SELECT last_value FROM goque.emptied_seq UNION ALL SELECT last_value FROM goque.installation_seq) t});
my $SECONDS = q{SELECT count(*) FROM goque.tasks WHERE type = 'second'};
GoqueNode::wait_until($old, "SELECT ($SECONDS) >= 2");

my @before = map { $s->query($_) } @STATE;
my $home = $s->query('SELECT goque.home()');
$s->quit;
$old->stop;

# ---- pg_upgrade ----

my $new = GoqueNode::new_node('new', @init, start => 0, conf => "goque.heal_interval = '1h'\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
chdir $dir or die;	# for its logs
my @old_bin = ('-b', $from ? "$from/bin" : $new->config_data('--bindir'));
$new->command_ok(
	[
		'pg_upgrade', '--no-sync', @old_bin, '-B', $new->config_data('--bindir'), '-s', $new->host,
		'-d', $old->data_dir, '-D', $new->data_dir, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade');
$new->start;
$s = GoqueSession->new($new);
note($s->query('SELECT version()'));

# ---- what there is afterwards ----

my @names = qw(tasks types settings handlers dependencies schedules sequences);
is($s->query($STATE[$_]), $before[$_], "the same: $names[$_]") for 0 .. $#STATE;
is($s->query('SELECT goque.home()'), $home, 'it is no copy');
is($s->query(q{SELECT bool_and(ok) FROM goque.health WHERE check_name IN ('copy', 'processors')}), 't', '... and goque.health does not say so');
GoqueNode::wait_until($new, q{SELECT string_agg(concat_ws(' ', type, handler, role, workers, ok, detail), ', ' ORDER BY type) FROM goque.processors},
	'job app.job(jsonb) app 1 t is paused, work app.work(goque.task) app 2 t is paused');
pass('processors are there');

my $n = $s->query($SECONDS);
GoqueNode::wait_until($new, "SELECT ($SECONDS) >= $n + 2");
is($s->query(q{SELECT count(*) - count(DISTINCT metadata->>'occurrence'),
			count(*) - extract(epoch FROM max((metadata->>'occurrence')::timestamptz) - min((metadata->>'occurrence')::timestamptz)) - 1
		FROM goque.tasks WHERE type = 'second'}), '0|0.000000', 'a schedule goes on: each second once, over the upgrade');
is($s->query("SELECT goque_complete($held)"), 't', 'a lease holds');
is($s->query(q{SELECT count(*) FROM goque_fetch('rated', 5)}), '0', 'what was fetched in this hour counts for the rate');
$s->query(q{SELECT goque_complete(id, token) FROM goque_fetch('parent')});
is($s->query(q{SELECT type FROM goque_fetch('child')}), 'child', 'a child starts');
$s->query(q{SELECT goque_resume('work'), goque_resume('job')});
GoqueNode::wait_until($new, q{SELECT count(*) FROM goque.tasks WHERE type IN ('work', 'job') AND status = 'done'}, '11');
is($s->query(q{SELECT count(*), count(DISTINCT what), min(who), max(who) FROM app.log}), '11|11|app|app', 'processors go on, as the role');
is($s->query($GoqueNode::WRONG_STATS), '', 'stats equal a count');

is(GoqueNode::bad_log_lines($new), '', 'the log is clean');
$s->quit;
$new->stop;
done_testing();
