"""One measured run: a fresh database, one contender, a load, what burdens it."""
import os
import threading
import time
from dataclasses import dataclass, field

from .contender import Skipped
from .server import cpu_of
from .tally import BLOCK, RECORD, Tally

RELATIONS = """
SELECT n.nspname || '.' || c.relname, c.relkind = 'i',
       coalesce(pg_relation_size(c.oid), 0), coalesce(pg_stat_get_dead_tuples(c.oid), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'i', 't') AND c.relpersistence = 'p'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND (n.nspname <> 'pg_toast' OR c.oid >= 16384)
"""


@dataclass
class Load:
    """What is done; the options that go to the drivers are told in bench/README.md."""
    workers: int = 8
    producers: int = 0
    batch: int = 1
    seconds: float = 5
    warmup: float = 1
    rate: float = 0
    depth: int = 4000           # tasks in the queue when the run begins
    prefill: bool = True
    work_ms: int = 0
    sync: str = "on"
    drain: float = 30
    processes: int = 1
    separate_producer: bool = False
    consume: bool = False       # nobody adds
    needs: tuple = ()           # abilities of the contender
    setup: str = ""             # SQL before the queue is filled
    history: int = 0            # finished tasks that are kept from before
    fill: object = None         # fills the queue instead: f(server, contender) -> number of tasks; perhaps with .settled(server)
    burdens: tuple = ()         # (from second, to second, start(run) -> stop())
    phases: tuple = ()          # (name, from second, to second); none: all but the warm-up
    every: float = 1            # seconds between samples
    options: dict = field(default_factory=dict)
    server: str = ""            # settings that need a restart


@dataclass
class Result:
    contender: str
    phases: dict
    cost: dict
    count: dict
    samples: list
    relations: list
    notes: list
    seconds: float = 0
    spans: list = field(default_factory=list)   # of the burdens that begin or end while it runs


class Run:
    def __init__(self, server, contender, load):
        self.server, self.contender, self.load = server, contender, load
        self.drivers, self.readers, self.samples, self.relations, self.notes = [], [], [], [], []
        self.active, self.pending = [], sorted(load.burdens, key=lambda b: b[0])
        self.tally = None
        self.filled = 0
        self.started_producers = 0

    # --- before ---------------------------------------------------------------

    def check(self):
        load, abilities = self.load, self.contender.abilities
        needed = set(load.needs)
        if load.batch > 1:
            needed.add("batch")
        if load.processes > 1:
            needed.add("processes")
        if load.history:
            needed.add("history")
        missing = needed - abilities
        if missing:
            raise Skipped("it has no " + ", ".join(sorted(missing)))

    def prepare(self):
        load, server = self.load, self.server
        server.configure(load.server)
        server.fresh_database(load.sync)
        self.contender.prepare(server)
        if load.setup:
            server.query(load.setup)
        if load.history:
            server.psql(self.contender.file("history.sql"), count=load.history)
        if load.fill:
            self.filled = load.fill(server, self.contender)
        elif load.prefill and load.depth:
            self.fill(load.depth)
        # a queue without statistics gets plans that its authors never meant
        server.query("VACUUM ANALYZE")
        server.query("CHECKPOINT", "postgres")
        if hasattr(load.fill, "settled"):
            load.fill.settled(server)

    def fill(self, count):
        batch = min(1000, max(1, count // 4)) if "batch" in self.contender.abilities or self.contender.kind == "driver" else 1
        filler = self.contender.start(self.server, workers=0, producers=4, tasks=count, batch=batch, **self.filler_options())
        tally = Tally(0)
        self.read(filler, tally)
        if filler.returncode or tally.acked != count:
            raise Skipped(f"filling the queue: {tally.acked} of {count} added, exit {filler.returncode}: {self.error_of(filler)}")
        self.filled = count

    def filler_options(self):
        return {k: v for k, v in self.load.options.items() if k in ("payload", "types", "priorities", "skewed", "keys")}

    @staticmethod
    def error_of(process):
        lines = [line.strip() for line in getattr(process, "errors", "").splitlines() if line.strip()]
        return "; ".join(sorted(set(lines)))[:300]

    def read(self, process, tally):
        """Until the end of its records."""
        errors = threading.Thread(target=lambda: setattr(process, "errors", process.stderr.read(100000).decode(errors="replace")))
        errors.start()
        rest = b""
        while True:
            data = os.read(process.stdout.fileno(), 1 << 18)
            if not data:
                break
            data = rest + data
            whole = len(data) // (8 * RECORD) * 8 * RECORD
            rest = data[whole:]
            if whole:
                tally.take(data[:whole])
        process.wait()
        errors.join()
        process.stdout.close()
        process.stderr.close()

    # --- during ----------------------------------------------------------------

    def driver_options(self):
        load = self.load
        common = dict(seconds=load.seconds, depth=load.depth, first=self.filled, batch=load.batch,
                      work_ms=load.work_ms, drain=load.drain, **load.options)
        producers = load.producers
        if producers == 0 and load.rate == 0 and "cycle" not in self.contender.abilities:
            producers = min(load.workers, 8)
        if load.rate and producers == 0:
            producers = 4
        # rate > 0 without producers: they add nothing, and stop by themselves
        idle = dict(common, workers=load.workers // load.processes, producers=0, rate=1, first=10 ** 12)
        if load.consume:
            yield idle
            return
        if load.separate_producer:
            yield dict(common, workers=0, producers=producers, rate=load.rate)
            for _ in range(load.processes):
                yield idle
            return
        for i in range(load.processes):
            first = self.filled if i == 0 else i * BLOCK
            yield dict(common, workers=load.workers // load.processes, producers=producers, rate=load.rate, first=first)

    def start_driver(self, options):
        process = self.contender.start(self.server, **options)
        reader = threading.Thread(target=self.read, args=(process, self.tally))
        reader.start()
        self.drivers.append(process)
        self.readers.append(reader)
        return process

    def elapsed(self):
        return time.time() - self.tally.start / 1e6

    def tend_burdens(self, now, all_of_them=False):
        while self.pending and now >= self.pending[0][0]:
            _, end, begin = self.pending.pop(0)
            self.active.append((end, begin(self)))
        for burden in [b for b in self.active if all_of_them or now >= b[0]]:
            self.active.remove(burden)
            burden[1]()

    def sample(self, cur):
        cur.execute("SELECT pg_current_wal_insert_lsn() - '0/0', xact_commit FROM pg_stat_database WHERE datname = 'bench'")
        wal, commits = map(int, cur.fetchone())
        cur.execute(RELATIONS)
        rows = cur.fetchall()
        t = round(self.elapsed(), 2)
        self.relations += [(t, name, size, dead) for name, _, size, dead in rows if size]
        self.samples.append({"t": t, "done": self.tally.total(), "wal": wal, "commits": commits, "bytes": sum(r[2] for r in rows),
                             "dead": sum(r[3] for r in rows if not r[1]),
                             "cpu": self.server.cpu_seconds(), "client": sum(cpu_of(d.pid) for d in self.drivers)})

    def watch(self):
        """Until the drivers end."""
        conn = cur = None
        next_sample = 0
        while any(r.is_alive() for r in self.readers):
            now = self.elapsed()
            self.tend_burdens(now)
            if now >= next_sample:
                next_sample = now + self.load.every
                try:
                    if conn is None or conn.closed:
                        conn = self.server.connect()
                        cur = conn.cursor()
                    self.sample(cur)
                except Exception as e:  # the server may be restarting: that is a scenario
                    conn = None
                    self.notes.append(f"{now:.1f} s: no sample: {str(e).strip().splitlines()[0]}")
            time.sleep(0.05)
            if now > self.load.seconds + self.load.drain + 60:
                self.notes.append("the drivers did not end, and were ended")
                self.kill_drivers()
        for reader in self.readers:
            reader.join()
        if conn:
            conn.close()

    def kill_drivers(self):
        for process in self.drivers:
            if process.poll() is None:
                process.kill()

    # --- all of it ----------------------------------------------------------------

    def run(self):
        self.check()
        self.prepare()
        # a little in the future, until the driver says when it began
        self.tally = Tally(time.time() * 1e6)
        for options in self.driver_options():
            self.start_driver(options)
        try:
            self.watch()
        finally:
            self.kill_drivers()
            self.tend_burdens(1e9, all_of_them=True)
            for reader in self.readers:
                reader.join()
        for process in self.drivers:
            if process.errors.strip() and self.error_of(process) not in self.notes:
                self.notes.append(self.error_of(process))
        return self.result()

    def cost(self):
        """A task's share of what was used between the end of the warm-up and the end of adding."""
        first, last = (self.load.warmup, self.load.seconds) if not self.load.phases else self.load.phases[0][1:]
        inside = [s for s in self.samples if first - self.load.every / 2 <= s["t"] <= last + self.load.every / 2]
        if len(inside) < 2 or inside[-1]["done"] == inside[0]["done"]:
            return dict.fromkeys(("wal_kb", "commits", "server_us", "client_us"))
        a, b = inside[0], inside[-1]
        if b["cpu"] < a["cpu"] or b["commits"] < a["commits"]:  # the server was restarted
            return dict.fromkeys(("wal_kb", "commits", "server_us", "client_us"))
        done = b["done"] - a["done"]
        return {"wal_kb": (b["wal"] - a["wal"]) / done / 1000, "commits": (b["commits"] - a["commits"]) / done,
                "server_us": (b["cpu"] - a["cpu"]) / done * 1e6, "client_us": (b["client"] - a["client"]) / done * 1e6}

    def left(self):
        path = self.contender.file("count.sql")
        return int(self.server.psql(path).strip().split("\n")[-1]) if path else None

    def mark_unreported(self):
        """Tasks that were completed, but whose worker died before it said so, if the contender keeps finished tasks."""
        path = self.contender.file("done.sql")
        tally = self.tally
        if not path or not self.load.separate_producer:
            return 0
        before = tally.distinct()
        for number in map(int, self.server.psql(path).split()):
            tally.mark_once(number)
        return tally.distinct() - before

    def result(self):
        load, tally = self.load, self.tally
        phases = load.phases or (("", load.warmup, load.seconds),)
        left = self.left()
        unreported = self.mark_unreported()
        added = self.filled + tally.acked + tally.doubtful_done()
        return Result(self.contender.name, {name: tally.window(a, b) for name, a, b in phases}, self.cost(),
                      {"added": added, "done": tally.distinct(), "doubled": tally.doubled(), "left": left,
                       "lost": None if left is None else added - tally.distinct() - left,
                       "unreported": unreported, "refused": tally.refused, "failures": tally.failures},
                      self.samples_with_rates(), self.relations, self.notes, load.seconds,
                      [(a, b) for a, b, _ in load.burdens if 0 < a < b < load.seconds])

    def samples_with_rates(self):
        for s in self.samples:
            w = self.tally.window(max(s["t"] - self.load.every, 0), max(s["t"], 1))
            s.update({k: w[k] for k in ("tasks_s", "start_p50", "start_p95", "start_p99", "fetch_p99")})
            s["depth"] = max(round(self.filled + self.load.rate * s["t"] - s["done"]), 0) if self.load.rate else self.filled
        return self.samples
