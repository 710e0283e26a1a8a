"""Scenarios of what only goque has: order, dependencies, limits; its views; its memory."""
import math
import re
import statistics
import threading
import time
from pathlib import Path

import psycopg2

from .measure import Load

KEYED_FILL = """
INSERT INTO goque.tasks (type, payload, ordering_key)
SELECT 'bench', jsonb_build_object('n', i, 't', 0, 'x', repeat('0', 60)), 'key ' || (i % {keys})
FROM generate_series(0, {count} - 1) AS i
"""

# chains of {length} tasks, each after the one before
CHAIN_FILL = """
DO $$
DECLARE parent bigint;
BEGIN
	FOR i IN 0 .. {count} - 1 LOOP
		parent := goque_add('bench', jsonb_build_object('n', i, 't', 0, 'x', repeat('0', 60)),
							after => CASE WHEN i % {length} = 0 THEN NULL ELSE ARRAY[parent] END);
	END LOOP;
END $$
"""

# groups of one parent with {length} children, and a last task after all of them
FAN_FILL = """
DO $$
DECLARE
	parent bigint;
	children bigint[];
	n int := 0;
BEGIN
	WHILE n < {count} LOOP
		parent := goque_add('bench', jsonb_build_object('n', n, 't', 0));
		children := ARRAY(SELECT goque_add('bench', jsonb_build_object('n', n + i, 't', 0), after => ARRAY[parent]) FROM generate_series(1, {length}) AS i);
		PERFORM goque_add('bench', jsonb_build_object('n', n + {length} + 1, 't', 0), after => children);
		n := n + {length} + 2;
	END LOOP;
END $$
"""

PLAIN_FILL = """
INSERT INTO goque.tasks (type, payload)
SELECT 'bench', jsonb_build_object('n', i, 't', 0, 'x', repeat('0', 60)) FROM generate_series(0, {count} - 1) AS i
"""


def filled(sql, count, **values):
    def fill(server, _contender):
        server.query(sql.format(count=count, **values))
        return server.query("SELECT count(*) FROM goque.tasks")[0][0]
    return fill


def missing(bench):
    """What of this the build does not have yet: (ordering keys, dependencies, limits)."""
    bench.server.configure("")
    bench.server.fresh_database("off")
    try:
        bench.contenders["goque"].prepare(bench.server)
    except KeyError:
        return {"keys", "after", "limits"}
    tries = {"keys": "SELECT goque_add('t', '{}', ordering_key => 'k')",
             "after": "SELECT goque_add('t', '{}', after => ARRAY[goque_add('t', '{}')])",
             "limits": "SELECT goque_configure('t', max_running => 1); SELECT goque_fetch('t')"}
    found = set()
    for name, sql in tries.items():
        try:
            bench.server.query(sql)
        except psycopg2.errors.FeatureNotSupported:
            found.add(name)
    return found


def order(bench):
    """Draining a filled queue, so that plain, keyed and dependent tasks are the same work."""
    lacking = missing(bench)
    count = int((bench.options.million or bench.pick(0.01, 0.1, 1)) * 1e6)
    shapes = [("plain", None, PLAIN_FILL, {}, ""),
              ("1 key", "keys", KEYED_FILL, {"keys": 1}, ""),
              ("1,000 keys", "keys", KEYED_FILL, {"keys": 1000}, ""),
              (f"{count:,} keys", "keys", KEYED_FILL, {"keys": count}, ""),
              ("chains of 100", "after", CHAIN_FILL, {"length": 100}, ""),
              ("fans of 100", "after", FAN_FILL, {"length": 100}, ""),
              ("max_running 1,000", "limits", PLAIN_FILL, {}, "SELECT goque_configure('bench', max_running => 1000)"),
              ("rate_limit 1,000,000 a second", "limits", PLAIN_FILL, {}, "SELECT goque_configure('bench', rate_limit => 1000000, rate_period => '1 s')")]
    rows = [["shape", "tasks/s", "add to end, s"]]
    for title, feature, fill, values, setup in shapes:
        if feature in lacking:
            rows.append([title, "not in this build", ""])
            continue
        # the window is the time in which everything is drained, which is not known before
        load = Load(workers=8, consume=True, seconds=0, drain=max(20, count // 200), sync="off", setup=setup, fill=filled(fill, count, **values))
        rows.append([title, *drain(bench, load)])
    bench.answers(f"{count:,} tasks drained by 8 workers", rows)
    if not lacking:
        beside(bench)


def drain(bench, load):
    from .measure import Run
    run = Run(bench.server, bench.contenders["goque"], load)
    result = run.run()
    seconds = max(len(run.tally.done.nonzero()[0]), 1)
    rate = statistics.median(run.tally.done[run.tally.done > 0]) if result.count["done"] else 0
    note = "" if result.count["left"] == 0 else f" ({result.count['left']} left)"
    return f"{rate:,.0f}{note}", seconds


# what another type of the same database may have that a plain one has not; beside so many tasks that have none of it
NEIGHBOURS = [
    ("nothing that others have not", "INSERT INTO goque.tasks (type) SELECT 'other' FROM generate_series(1, {count})"),
    ("1,000 ordering keys", "SELECT count(*) FROM (SELECT goque_add('other', '{{}}', ordering_key => 'key ' || i % 1000) FROM generate_series(1, {count}) AS i) AS added"),
    ("an ordering key for each", "SELECT count(*) FROM (SELECT goque_add('other', '{{}}', ordering_key => 'key ' || i) FROM generate_series(1, {count}) AS i) AS added"),
    ("a task that all the others were added after",
     "WITH parent AS MATERIALIZED (SELECT goque_add('other', '{{}}') AS id) "
     "SELECT count(*) FROM parent, LATERAL (SELECT goque_add('other', '{{}}', after => ARRAY[parent.id]) FROM generate_series(1, {count})) AS added"),
    ("100 types with limits, all of them full",
     "SELECT goque_configure('other ' || i, max_running => 1, rate_limit => 1, rate_period => '1 h') FROM generate_series(1, 100) AS i; "
     "INSERT INTO goque.tasks (type) SELECT 'other ' || i % 100 + 1 FROM generate_series(1, {count}) AS i; "
     "SELECT count(f.id) FROM generate_series(1, 100) AS i, LATERAL goque_fetch('other ' || i, lease => '1 h') AS f"),
]

BESIDE_LOOP = """
CREATE PROCEDURE three_calls(times int) LANGUAGE plpgsql AS $$
DECLARE
	task record;
BEGIN
	FOR i IN 1 .. times LOOP
		PERFORM goque_add('bench', '{"n": 1}');
		COMMIT;
		SELECT id, token INTO task FROM goque_fetch('bench');
		COMMIT;
		PERFORM goque_complete(task.id, task.token);
		COMMIT;
	END LOOP;
END $$
"""


def cpu_microseconds(pid):
    """Of a process, to the nanosecond: however many others want the processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


class Beside:
    """A database, and a session in it that adds, fetches and completes tasks of a plain type."""

    def __init__(self, bench, number, setup):
        db = f"beside_{number}"
        server = bench.server
        server.query(f"DROP DATABASE IF EXISTS {db} WITH (FORCE)", "postgres")
        server.query(f"CREATE DATABASE {db}", "postgres")
        server.query(f"ALTER DATABASE {db} SET synchronous_commit = off", "postgres")
        server.psql(bench.contenders["goque"].file("schema.sql"), db)
        server.query(BESIDE_LOOP, db)
        server.query(setup, db)
        # some are ready at all times
        server.query("INSERT INTO goque.tasks (type, payload) SELECT 'bench', '{\"n\": 1}' FROM generate_series(1, 1000)", db)
        self.conn = server.connect(db)
        self.cur = self.conn.cursor()
        self.cur.execute("SELECT pg_backend_pid()")
        self.pid = self.cur.fetchone()[0]
        self.run(200)

    def run(self, times):
        """Processor time of the session, microseconds a task."""
        begun = cpu_microseconds(self.pid)
        self.cur.execute(f"CALL three_calls({times})")
        return (cpu_microseconds(self.pid) - begun) / times


def beside(bench):
    """A plain type, whose tasks must not cost more for what other types have: 3 % at most."""
    count = bench.pick(10000, 100000, 1000000)
    times = bench.pick(500, 300, 300)
    bench.server.configure("")
    sessions = [Beside(bench, i, setup.format(count=count)) for i, (_, setup) in enumerate(NEIGHBOURS)]
    costs = [[] for _ in sessions]
    for turn in range(bench.options.rounds or bench.pick(5, 200, 1000)):
        # each comes first as often as the others
        for i in range(len(sessions)):
            i = (i + turn) % len(sessions)
            costs[i].append(sessions[i].run(times))
    for session in sessions:
        session.conn.close()
    rows = [[f"beside {count:,} tasks of other types, with", "server CPU a task, µs", "ratio, geometric mean", "± standard error", "median", "least", "greatest"]]
    for (name, _), values in zip(NEIGHBOURS, costs, strict=True):
        ratios = [v / base for v, base in zip(values, costs[0], strict=True)]
        # of logarithms, in which twice and half are the same distance from one
        logs = [math.log(r) for r in ratios]
        mean, error = math.exp(statistics.mean(logs)), statistics.stdev(logs) / len(logs) ** 0.5
        rows.append([name, f"{statistics.mean(values):.1f}", *(f"{v:.3f}" for v in (mean, error, statistics.median(ratios), min(ratios), max(ratios)))])
    bench.answers("A plain type: three calls a task, three transactions, in a loop on the server, in turn", rows)


PROCESSING = "SELECT * FROM goque.tasks WHERE status = 'processing'"


def milliseconds(cur, sql):
    begun = time.perf_counter()
    cur.execute(sql)
    cur.fetchall()
    return (time.perf_counter() - begun) * 1000


def wait_for_map(cur):
    """Until the question reads little, as it does where tasks come and go; for how many seconds."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < 300:
        cur.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + PROCESSING)
        plan = cur.fetchone()[0][0]["Plan"]
        if plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 5000:
            break
        time.sleep(1)
    return time.perf_counter() - begun


def ask(bench):
    if "goque" in bench.skipped or "goque" not in bench.contenders:
        return
    server, count = bench.server, int((bench.options.million or bench.pick(0.2, 1, 10)) * 1e6)
    server.configure("")
    server.fresh_database("off")
    bench.contenders["goque"].prepare(server)
    half = count // 2
    server.query(f"INSERT INTO goque.tasks (type, payload, external_id) SELECT 'bench', '{{\"x\": 1}}', 'e' || i FROM generate_series(1, {half}) AS i")
    conn = server.connect()
    with conn.cursor() as cur:
        for _ in range(half // 10000):
            cur.execute("WITH f AS MATERIALIZED (SELECT array_agg(id) AS i, array_agg(token) AS t FROM goque_fetch('bench', 10000))"
                        " SELECT count(*) FROM f, goque_complete_many(i, t)")
        cur.execute(f"INSERT INTO goque.tasks (type, payload, external_id) SELECT 'bench', '{{\"x\": 1}}', 'f' || i FROM generate_series(1, {half}) AS i")
        cur.execute("SELECT max(id) FROM goque_fetch('bench', 100, lease => '1 h')")
        some_id = cur.fetchone()[0]
        at_once = milliseconds(cur, PROCESSING)
        mapped = wait_for_map(cur)
        rows = [["question", "median, ms", "greatest, ms"],
                [f"`{PROCESSING}` right after the load", f"{at_once:.2f}", ""],
                ["... until the keeper has mapped what runs, s", f"{mapped:.1f}", ""]]
        for sql in ("SELECT * FROM goque.stats", f"SELECT * FROM goque.tasks WHERE id = {some_id}",
                    "SELECT * FROM goque.tasks WHERE type = 'bench' AND external_id = 'e77'",
                    PROCESSING,
                    "SELECT * FROM goque.tasks WHERE status = 'processing' AND updated_at < now() - interval '5 minutes'",
                    "SELECT * FROM goque.health", "SELECT * FROM goque.task_types", "SELECT * FROM goque.workers"):
            times = [milliseconds(cur, sql) for _ in range(7)]
            rows.append([f"`{sql}`", f"{statistics.median(times):.2f}", f"{max(times):.2f}"])
    conn.close()
    bench.answers(f"{count:,} tasks: half of them done, half ready, 100 in processing", rows)


def anonymous_kb(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text).group(1))


def greatest_memory(pid):
    """Watches a process; the function that it returns ends that and tells the most memory seen."""
    seen, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.002):
            seen.append(anonymous_kb(pid))

    thread = threading.Thread(target=watch)
    thread.start()

    def end():
        ended.set()
        thread.join()
        return max(seen)

    return end


def memory(bench):
    if "goque" in bench.skipped or "goque" not in bench.contenders:
        return
    server = bench.server
    rows = [["payload", "tasks", "work_mem, kB", "memory before, kB", "greatest, kB", "more, kB"]]
    for size in (100, 4000):
        server.configure("")
        server.fresh_database("off")
        bench.contenders["goque"].prepare(server)
        count = bench.pick(20000, 100000, 100000)
        server.query(f"INSERT INTO goque.tasks (type, payload) SELECT 'bench', jsonb_build_object('x', repeat('0', {size})) FROM generate_series(1, {count})")
        conn = server.connect()
        with conn.cursor() as cur:
            cur.execute("SELECT pg_backend_pid(), pg_size_bytes(current_setting('work_mem')) / 1024")
            pid, work_mem = cur.fetchone()
            cur.execute("SELECT count(*) FROM goque_fetch('bench', 10)")
            before = anonymous_kb(pid)
            peak = greatest_memory(pid)
            cur.execute(f"SELECT count(*), max(length(payload::text)) FROM goque_fetch('bench', {count})")
            greatest = peak()
        conn.close()
        rows.append([f"{size} bytes", f"{count:,}", work_mem, before, greatest, greatest - before])
    bench.answers("The server process of one `goque_fetch('bench', N)`", rows)
