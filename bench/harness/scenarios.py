"""The scenarios: twelve of the engine's, and goque's own in scenarios_goque.py."""
import time
from dataclasses import dataclass
from datetime import timedelta

from . import burdens
from .contender import all_names
from .measure import Load
from .scenarios_goque import ask, memory, order

FOREVER = 10 ** 9
PAIR = ["hand_written", "goque"]
RANKED = ["hand_written_ranked", "goque"]
KEEPERS = ["hand_written_done", "goque"]
OWN = ["hand_written", "hand_written_done", "goque", "goque_forgetful"]


@dataclass(eq=False)
class Scenario:
    number: int
    name: str
    title: str
    text: str
    contenders: list
    run: object
    one_picture: bool = False   # its points are the same for contenders that run for different times


BOUND = ["by_key"]          # what any queue of three statements has to be held against
ELSEWHERE = ["hand_written_ranked", "goque_brief"] + BOUND  # for scenarios of their own


def everybody():
    """hand_written first, since it is the baseline."""
    return OWN + [n for n in all_names() if n not in OWN + ELSEWHERE]


def throughput(bench):
    seconds = bench.seconds(2, 5, 180)
    warmup = bench.pick(1, 1, 30)
    workers = bench.options.workers or bench.pick([1, 8, 32], [1, 8, 32, 128], [1, 4, 8, 16, 32, 64, 128, 256])
    for sync in ("off", "on"):
        for n in workers:
            load = Load(workers=n, seconds=seconds + warmup, warmup=warmup, sync=sync, drain=bench.pick(3, 30, 60))
            if bench.form == "quick" and sync == "on" and n != 8 and not bench.options.workers:
                continue
            all_of_them = n == 8 and (sync == "off" or bench.form != "quick")
            names = (everybody() if all_of_them else OWN if bench.form != "quick" else PAIR) + BOUND
            once = bench.form == "quick" and (all_of_them or n != 8)
            bench.compare(f"single, {n} workers, sync {sync}", load, names, rounds=1 if once else None)
        load = Load(workers=4, batch=100, seconds=seconds + warmup, warmup=warmup, sync=sync, depth=10000, drain=bench.pick(3, 30, 60))
        bench.compare(f"batches of 100, 4 workers, sync {sync}", load, (everybody() if bench.form != "quick" else PAIR) + BOUND,
                      rounds=bench.pick(1, 3, 3))


def processes(bench):
    seconds = bench.seconds(3, 10, 180)
    for n in bench.pick([1, 4], [1, 2, 4], [1, 2, 4]):
        bench.compare(f"64 workers as {n} × {64 // n}", Load(workers=64, processes=n, seconds=seconds, sync="off"), PAIR, rounds=bench.pick(1, 3, 3))


def latency(bench):
    seconds = bench.seconds(2, 30, 115 * 60)
    load = Load(workers=8, producers=4, rate=200, depth=0, seconds=1 + seconds, drain=bench.pick(2, 10, 60), every=bench.pick(1, 1, 5))
    names = [n for n in everybody() if bench.form != "quick" or n not in OWN or n in PAIR]
    bench.compare("200/s, 8 workers", load, names, rounds=bench.pick(1, 2, 1))
    # what hundreds of sessions cost by being there is no queue's doing, so they are there as sleepers and, for comparison, idle
    count, settle = bench.pick((200, 2), (1000, 20), (1000, 20))        # a thousand sessions take their time to begin
    sleepers = burdens.pgbench("CALL goque_wait(ARRAY['other' || :client_id], '1 min');\n", count, threads=2)
    for title, burden in (("with as many idle sessions", burdens.idle_connections(count)), ("with sleepers on other types", sleepers)):
        crowded = Load(workers=8, producers=4, rate=200, depth=0, seconds=settle + seconds, server="max_connections = 1400\n",
                       burdens=((0, FOREVER, burden),), warmup=settle)
        if bench.form != "quick" or burden is sleepers:
            bench.compare(f"the same, {title}", crowded, ["goque"], rounds=bench.pick(1, 2, 1), only=True)
    bench.server.configure("")


HOLDERS = {
    "REPEATABLE READ": (burdens.held_snapshot, ""),
    "an old xid": (burdens.held_xid, ""),
    "an idle logical slot": (burdens.idle_slot, "wal_level = logical\n"),
    "a standby's feedback": (burdens.standby_feedback, ""),
}


def held(bench):
    clean, hold, recover = bench.pick((2, 10, 2), (10, 60, 15), (20 * 60, 60 * 60, 10 * 60))
    if bench.options.seconds:
        hold = bench.options.seconds
    tail = bench.pick(2, 10, 60)
    for rate in bench.pick([0], [0, 800], [0, 800, 1600]):
        for name in bench.pick(["REPEATABLE READ"], list(HOLDERS), list(HOLDERS)):
            if rate and name != "REPEATABLE READ" and bench.form != "long":
                continue
            begin, settings = HOLDERS[name]
            load = Load(workers=8, producers=4 if rate else 0, rate=rate, depth=4000, seconds=clean + hold + recover, sync="off",
                        burdens=((clean, clean + hold, begin),), server=settings, every=bench.pick(1, 2, 5),
                        phases=(("clean", 1, clean), ("first of it", clean, clean + tail), ("last of it", clean + hold - tail, clean + hold),
                                ("after", clean + hold + recover / 2, clean + hold + recover)))
            bench.compare(f"{rate or 'saturated'}{'/s' if rate else ''}, {name}", load, PAIR, rounds=1)
    bench.server.configure("")


def scanners(bench):
    seconds = bench.seconds(6, 60, 3600)
    load = Load(workers=8, seconds=seconds, sync="off", burdens=((0, FOREVER, burdens.readers(4, seconds / 4)),), every=bench.pick(1, 2, 5),
                phases=(("first third", 1, seconds / 3), ("last third", seconds * 2 / 3, seconds)))
    bench.compare("4 overlapping REPEATABLE READ scanners", load, PAIR, rounds=1)


def night(bench):
    """All that makes a queue fall over, at once.  A hand-written one is watched for a sixth of the time: it has fallen by then."""
    burdened = bench.seconds(8, 300, 3600)
    for names, share in ((["goque_brief"], 1), (["hand_written_ranked"], 1 / 6)):
        clean, readers, after = burdened * share / 30 + 2, burdened * share, burdened * share / 5
        end = clean + readers + after
        tail = max(readers / 20, 2)
        load = Load(workers=8, producers=4, seconds=end, sync="off", needs=("types", "priorities", "fail"), drain=10, every=bench.pick(1, 2, 5),
                    options={"types": 4, "priorities": 4, "fail_percent": 10},
                    burdens=((0, FOREVER, burdens.straggler), (clean, FOREVER, burdens.held_snapshot),
                             (clean, clean + readers, burdens.readers(4, min(readers / 4, 120)))),
                    phases=(("clean", 1, clean), ("first of it", clean, clean + tail), ("last of it", clean + readers - tail, clean + readers),
                            ("readers gone, snapshot held", end - after / 2, end)))
        bench.compare(f"{readers:.0f} s of all at once", load, names, rounds=1, baseline=names[0], only=True)


def soak(bench):
    seconds = bench.seconds(7, 60, 900)
    query = bench.pick(3, 20, 120)
    load = Load(workers=8, producers=4, rate=bench.pick(600, 600, 800), work_ms=10, depth=0, seconds=seconds, drain=0, every=bench.pick(1, 2, 5),
                burdens=((0, FOREVER, burdens.readers(3, query)), (0, FOREVER, burdens.bystanders(bench.pick(100000, 1000000, 1000000)))))
    bench.compare("8 workers of 10 ms, analytics, bystanders", load, PAIR, rounds=1)


def overload(bench):
    probe = Load(workers=8, work_ms=5, seconds=bench.pick(2, 5, 60), depth=1000, sync="off")
    capacity = {name: rs[0].phases[""]["tasks_s"] for name, rs in bench.compare("capacity, 8 workers of 5 ms", probe, PAIR, rounds=1).items()}
    if not capacity:
        return
    rate = round(1.5 * min(capacity.values()))
    seconds = bench.seconds(4, 30, 7200)
    load = Load(workers=8, producers=8, work_ms=5, rate=rate, depth=0, seconds=seconds, drain=seconds * 2 + 10, sync="off", every=bench.pick(1, 2, 5),
                phases=(("overloaded", 1, seconds), ("draining", seconds, seconds + max(seconds / 4, 1))))
    bench.compare(f"1.5 times that: {rate}/s", load, PAIR, rounds=1)
    burst = Load(workers=8, producers=2, work_ms=5, rate=rate / 3, depth=0, seconds=seconds, sync="off", options={"burst": int(rate / 3) * 2 or 1})
    bench.compare(f"bursts of {int(rate / 3) * 2} every 2 s", burst, PAIR, rounds=1)


def backlog(bench):
    large = int((bench.options.million or bench.pick(0.1, 1, 10)) * 1e6)
    seconds = bench.seconds(3, 10, 180)
    for depth in bench.pick([10000, large], [10000, large], [10000, 1000000, large]):
        bench.compare(f"{depth:,} ready", Load(workers=8, depth=depth, seconds=seconds, drain=0, sync="off"), PAIR, rounds=bench.pick(1, 2, 3))
    for count in bench.pick([large], [10000, large], [10000, large]):
        bench.compare(f"{count:,} finished and kept", Load(workers=8, history=count, seconds=seconds, drain=0, sync="off"), KEEPERS, rounds=bench.pick(1, 2, 3),
                      baseline="hand_written_done")
    for rate in bench.pick([1000], [1000, 3000], [1000, 6000]):
        count = min(large, rate * 36000)
        load = Load(workers=16, consume=True, seconds=seconds + 3, warmup=2, drain=0, sync="off", needs=("delay",),
                    fill=Delayed(count, rate))
        bench.compare(f"{count:,} delayed, falling due at {rate:,}/s", load, RANKED, rounds=1, baseline="hand_written_ranked")


class Delayed:
    """Fills the queue with tasks that fall due one after the other from about the start of the run on."""
    SAMPLE = 20000      # the last of them are added first, to learn how long the others will take

    def __init__(self, count, rate):
        self.count, self.rate = count, rate

    def add(self, server, contender, first, count, start):
        server.psql(contender.file("delayed.sql"), first=first, count=count, rate=self.rate, start=start.isoformat())

    def __call__(self, server, contender):
        begun, now = time.time(), server.query("SELECT now()")[0][0]
        self.add(server, contender, self.count - self.SAMPLE, self.SAMPLE, now + timedelta(days=1))
        # and as long again for VACUUM, ANALYZE and a checkpoint
        lead = 2 * (time.time() - begun) / self.SAMPLE * self.count + 3
        self.start = now + timedelta(seconds=lead)
        self.add(server, contender, 0, self.count - self.SAMPLE, self.start)
        return self.count

    def settled(self, server):
        """Before the run: wait until the first is due.  What is late by then is taken in the warm-up."""
        server.query(f"SELECT pg_sleep(greatest(0, extract(epoch FROM '{self.start.isoformat()}'::timestamptz - now()) - 1))")


def steady(bench):
    for rate in bench.pick([3000], [3000, 5000], [5000, 10000]):
        load = Load(workers=16, producers=8, rate=rate, depth=0, seconds=bench.seconds(5, 30, 3600), sync="off", every=bench.pick(1, 2, 5))
        bench.compare(f"{rate:,}/s", load, PAIR, rounds=1)


def chaos(bench):
    seconds = bench.seconds(8, 60, 3600)
    load = Load(workers=16, producers=4, rate=bench.pick(300, 600, 600), depth=0, seconds=seconds, drain=40, processes=4, separate_producer=True,
                needs=("lease", "processes"), options={"lease": "5 s", "quiet": 7},
                burdens=((0, seconds, burdens.idle_connections(bench.pick(100, 300, 300))), (1, seconds - 1, burdens.backend_killer(2)),
                         (1, seconds - 1, burdens.worker_killer(bench.pick(3, 20, 20))), (0, FOREVER, burdens.heal),
                         (seconds / 2, FOREVER, burdens.restart("immediate"))))
    bench.compare("workers and backends killed, a crash in the middle", load, RANKED, rounds=1, baseline="hand_written_ranked")


def failures(bench):
    seconds = bench.seconds(4, 10, 180)
    for percent in bench.pick([10], [1, 10, 50], [1, 10, 50]):
        load = Load(workers=8, producers=4, depth=2000, seconds=seconds, sync="off", needs=("fail",), options={"fail_percent": percent})
        bench.compare(f"{percent} % fail", load, RANKED, rounds=1, baseline="hand_written_ranked")
    load = Load(workers=8, producers=4, depth=2000, seconds=seconds, drain=60, sync="off", needs=("lease",),
                options={"abandon_percent": 10, "lease": bench.pick("1 s", "2 s", "2 s"), "quiet": bench.pick(4, 15, 15)}, burdens=((0, FOREVER, burdens.heal),))
    bench.compare("10 % of the leases expire", load, RANKED, rounds=1, baseline="hand_written_ranked")


def ranks(bench):
    seconds = bench.seconds(2, 10, 3600)
    for title, options, needs in (
            ("one priority", {}, ()),
            ("four priorities, evenly", {"priorities": 4}, ("priorities",)),
            ("four priorities, 9 of 10 the last", {"priorities": 4, "skewed": 1}, ("priorities",)),
            ("four types", {"types": 4}, ("types",))):
        load = Load(workers=8, seconds=seconds, sync="off", options=options, needs=needs, drain=10)
        bench.compare(title, load, RANKED, rounds=bench.pick(1, 2, 1), baseline="hand_written_ranked")


SCENARIOS = [
    Scenario(1, "throughput", "Single tasks and batches, by workers",
             "Each worker adds, fetches and completes a task in three transactions, or 100 at a time; the queue is 4,000 tasks deep (batches: 10,000). "
             "Libraries add from as many producers as they have workers, at most 8, and work with their own client. by_key is no queue: it shows how far three statements a task go "
             "if nothing has to be found, ordered or kept.", everybody() + BOUND, throughput),
    Scenario(2, "processes", "64 workers in one process or several", "", PAIR, processes),
    Scenario(3, "latency", "From add to start",
             "Tasks are added at 200/s by the clock; a task's time runs from the moment at which it was due to be added to its return to the worker.",
             everybody(), latency),
    Scenario(4, "held", "Something holds the horizon back",
             "Saturated or at a rate, before, while and after a transaction, slot or standby keeps every dead row version from being removed.", PAIR, held),
    Scenario(5, "scanners", "Overlapping readers of the queue's own tables and views", "", PAIR, scanners),
    Scenario(6, "soak", "A queue among other work",
             "A fixed rate, three overlapping analytics queries over the queue, and two bystanders that update another table.", PAIR, soak),
    Scenario(7, "overload", "More than the workers can do, and bursts", "", PAIR, overload),
    Scenario(8, "backlog", "Large backlogs, many delayed tasks, much history", "The add to start of delayed tasks runs from their due time.",
             PAIR + RANKED + KEEPERS[:1], backlog),
    Scenario(9, "steady", "A steady rate", "", PAIR, steady),
    Scenario(10, "chaos", "Killed workers, killed backends, a crash",
             "Worker processes are killed with SIGKILL and replaced, two backends a second are terminated, and the server crashes once. A task whose "
             "completion was committed, and whose worker died before it could say so, counts as lost where finished tasks are not kept; else its row tells.",
             RANKED, chaos),
    Scenario(11, "failures", "Tasks that fail, and leases that expire", "Failed tasks are retried after 100 ms.", RANKED, failures),
    Scenario(12, "ranks", "Priorities and types", "", RANKED, ranks),
    Scenario(16, "night", "All of it at once",
             "Saturated, four types and four priorities, 10 % of the tasks fail and are retried, one task stays in processing all the time, a REPEATABLE READ "
             "snapshot is held, and four overlapping readers go over the queue's own tables or views. Then the readers leave, and the snapshot stays.",
             ["goque_brief", "hand_written_ranked"], night, one_picture=True),
    Scenario(13, "order", "Ordering keys, dependencies and limits", "goque alone, against its own plain tasks in the same rounds.", ["goque"], order),
    Scenario(14, "ask", "Answers over many tasks", "How long goque's views take with so many finished and ready tasks in the queue.", ["goque"], ask),
    Scenario(15, "memory", "Memory of one large fetch", "", ["goque"], memory),
]
