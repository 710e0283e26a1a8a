"""What makes a queue's life hard, usable with any contender: each is start(run) -> stop()."""
import os
import random
import re
import signal
import subprocess
import threading
import time

import psycopg2


def background(step, pause=0.0):
    """Calls step() again and again in a thread; returns what ends it."""
    ending = threading.Event()

    def loop():
        while not ending.is_set():
            try:
                step()
            except psycopg2.Error:
                pass
            ending.wait(pause)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()

    def stop():
        ending.set()
        thread.join(120)

    return stop


def transaction(connect, *statements):
    conn = connect()
    with conn.cursor() as cur:
        for sql in statements:
            cur.execute(sql)
    return conn.close


def held_snapshot(run):
    return transaction(run.server.connect, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class")


def held_xid(run):
    return transaction(run.server.connect, "BEGIN", "SELECT pg_current_xact_id()")


def straggler(run):
    """One task that is in processing all the time."""
    sql = run.contender.text("fetch.sql")
    for name, value in (("type", "'bench0'"), ("n", "1"), ("lease", "'10 h'")):
        sql = re.sub(rf"(?<!:):{name}\b", value, sql)
    run.server.query(sql)
    return lambda: None


def idle_slot(run):
    """Needs wal_level = logical.  What holds the horizon is the catalog's xmin, and the WAL."""
    run.server.query("SELECT pg_create_logical_replication_slot('bench_idle', 'test_decoding')")
    return lambda: run.server.query("SELECT pg_drop_replication_slot('bench_idle')")


def standby_feedback(run):
    stop, connect = run.server.start_standby()
    end = transaction(connect, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class")

    def both():
        end()
        stop()

    return both


def readers(count, seconds):
    """REPEATABLE READ transactions over the contender's tables or views, overlapping, each of so many seconds."""
    def begin(run):
        scan = run.contender.text("scan.sql") or "SELECT count(*) FROM pg_class"
        stops, reading, refused, leaving = [], set(), [], threading.Event()

        def reader(first_pause):
            pause = [first_pause]

            def step():
                leaving.wait(pause[0])
                pause[0] = 0
                conn = run.server.connect()
                reading.add(conn)
                try:
                    with conn.cursor() as cur:
                        cur.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                        limit = time.time() + seconds
                        while not leaving.is_set():
                            cur.execute(scan)
                            if time.time() >= limit:
                                break
                            leaving.wait(min(seconds / 10, max(limit - time.time(), 0)))
                        cur.execute("COMMIT")
                except psycopg2.Error as e:
                    if not leaving.is_set():
                        refused.append(e.pgcode)
                finally:
                    reading.discard(conn)
                    conn.close()
            return step

        for i in range(count):
            stops.append(background(reader(i * seconds / count)))

        def stop():
            leaving.set()
            for conn in list(reading):
                try:
                    conn.cancel()
                except psycopg2.Error:      # it has just ended by itself
                    pass
            for s in stops:
                s()
            if refused:
                run.notes.append(f"{len(refused)} readers ended with {sorted(set(map(str, refused)))}")

        return stop
    return begin


def pgbench(script, clients, rate=None, threads=1, setup=""):
    """Bystanders and sleepers: other work on the same server."""
    def begin(run):
        if setup:
            run.server.query(setup)
        path = run.server.work / "tmp" / f"bystander-{os.getpid()}-{random.randrange(10 ** 9)}.sql"
        path.write_text(script)
        args = [run.server.bindir / "pgbench", "-n", "-c", str(clients), "-j", str(threads), "-T", "100000", "-f", path, "bench"]
        if rate:
            args[1:1] = ["-R", str(rate)]
        env = dict(os.environ, PGHOST=str(run.server.work), PGUSER="postgres")
        process = subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def stop():
            process.terminate()
            process.wait()
            path.unlink()

        return stop
    return begin


def bystanders(rows):
    setup = f"CREATE TABLE IF NOT EXISTS bystander AS SELECT i AS id, 0 AS n FROM generate_series(1, {rows}) AS i;" \
            "CREATE UNIQUE INDEX IF NOT EXISTS bystander_id ON bystander (id); ANALYZE bystander"
    script = f"\\set id random(1, {rows})\nUPDATE bystander SET n = n + 1 WHERE id = :id;\n"
    return pgbench(script, 2, rate=100, setup=setup)


def idle_connections(count):
    def begin(run):
        held = [run.server.connect() for _ in range(count)]

        def stop():
            for conn in held:
                conn.close()

        return stop
    return begin


def heal(run):
    """A hand-written queue's healer, once a second."""
    path = run.contender.file("heal.sql")
    return background(lambda: run.server.query(path.read_text()), 1) if path else lambda: None


def backend_killer(a_second):
    def begin(run):
        sql = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bench'"
               " AND backend_type = 'client backend' AND application_name <> 'bench' ORDER BY random() LIMIT 1")
        return background(lambda: run.server.query(sql, "postgres"), 1 / a_second)
    return begin


def worker_killer(every):
    """kill -9 of one of the worker processes, and another in its place."""
    def begin(run):
        options = list(run.driver_options())[1:]

        def step():
            time.sleep(every)
            alive = [d for d in run.drivers[1:] if d.poll() is None]
            left = run.load.seconds - run.elapsed()
            if alive and left > 1:
                random.choice(alive).send_signal(signal.SIGKILL)
                run.start_driver(dict(options[0], seconds=left))

        return background(step)
    return begin


def restart(mode):
    def begin(run):
        run.server.restart(mode)
        return lambda: None
    return begin
