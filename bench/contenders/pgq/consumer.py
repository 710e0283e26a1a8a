"""PgQ's consumer: reads batch after batch.  Its producers are the SQL driver, whose records go to the same pipe."""
import array
import os
import subprocess
import sys
import tempfile
import time

import psycopg2

SECONDS, DRAIN, QUIET = (float(os.environ.get("BENCH_" + n) or d) for n, d in (("SECONDS", 0), ("DRAIN", 0), ("QUIET", 1)))


def start_pgqd():
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "pgqd.ini")
    with open(path, "w") as f:
        f.write(f"[pgqd]\nlogfile =\npidfile = {folder}/pgqd.pid\nsyslog = 0\ndatabase_list = {os.environ['PGDATABASE']}\n"
                "initial_database = postgres\nticker_period = 0.05\nmaint_period = 5\n")
    return subprocess.Popen(["pgqd", "-q", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    pgqd = start_pgqd()
    producers = None
    if int(os.environ.get("BENCH_PRODUCERS") or 0):
        # at saturation the producers do not know how deep the queue is
        env = dict(os.environ, BENCH_WORKERS="0", BENCH_SQL=os.getcwd(), BENCH_DEPTH=str(10 ** 12))
        producers = subprocess.Popen([os.environ["BENCH_DRIVER"]], env=env)
    conn = psycopg2.connect("")
    conn.autocommit = True
    begun = found = time.time()
    with conn.cursor() as cur:
        while True:
            cur.execute("SELECT pgq.next_batch('bench', 'consumer')")
            batch = cur.fetchone()[0]
            if batch is None:
                over = time.time() - begun - SECONDS
                if over > DRAIN or over > 0 and time.time() - found > QUIET and (producers is None or producers.poll() is not None):
                    break
                time.sleep(0.005)
                continue
            cur.execute("SELECT ev_data FROM pgq.get_batch_events(%s)", (batch,))
            rows = cur.fetchall()
            started = time.time() * 1e6
            cur.execute("SELECT pgq.finish_batch(%s)", (batch,))
            finished = time.time() * 1e6
            if rows:
                found = time.time()
            write(rows, started, finished)
            if time.time() - begun > SECONDS + DRAIN:
                break
    pgqd.terminate()
    if producers:
        producers.wait()


def write(rows, started, finished):
    """In pieces that a pipe takes whole, so that they do not mix with the producers' records."""
    for i in range(0, len(rows), 100):
        out = array.array("d")
        for (data,) in rows[i:i + 100]:
            n, at = data[6:data.index(', "x"')].split(', "t": ')
            out.extend((float(n), float(at), started, finished, 0.0))
        os.write(sys.stdout.fileno(), out.tobytes())


main()
