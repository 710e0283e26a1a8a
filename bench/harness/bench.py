"""Comparing: every contender in turn, round after round, and what is kept of it."""
import csv
import json
import statistics
import time
import traceback

from .contender import Skipped
from .measure import Run

SAMPLE = ["t", "done", "tasks_s", "depth", "start_p50", "start_p95", "start_p99", "fetch_p99", "wal", "bytes", "dead", "commits", "cpu", "client"]


class Bench:
    def __init__(self, server, contenders, options, out):
        self.server, self.contenders, self.options, self.out = server, contenders, options, out
        self.form = options.form
        self.tables = []        # what the report shows, in order
        self.skipped = {}       # contender -> reason; (scenario, contender) -> reason
        self.results = {}       # (scenario, point) -> {contender: [Result of each round]}
        self.scenario = None
        (out / "raw").mkdir(parents=True, exist_ok=True)
        self.raw = open(out / "raw" / "results.jsonl", "w")
        self.writers = {name: csv.writer(open(out / "raw" / f"{name}.csv", "w", newline="")) for name in ("samples", "relations", "latency")}
        self.writers["samples"].writerow(["scenario", "point", "contender", "round", *SAMPLE])
        self.writers["relations"].writerow(["scenario", "point", "contender", "round", "t", "relation", "bytes", "dead_tuples"])
        self.writers["latency"].writerow(["scenario", "point", "contender", "round", "phase", "up_to_ms", "tasks"])

    def pick(self, quick, short, long):
        """The value for this form of the run."""
        return {"quick": quick, "short": short, "long": long}[self.form]

    def seconds(self, quick, short, long):
        return self.options.seconds or self.pick(quick, short, long)

    def among(self, names, only=False):
        """The contenders that the user wants, or those that the scenario is for (only: never others), and that are there."""
        wanted = [n for n in self.options.contender or names if n in names or not only]
        return [self.contenders[n] for n in wanted if n in self.contenders and n not in self.skipped]

    def compare(self, point, load, names, rounds=None, baseline="hand_written", only=False):
        """Runs load with each contender in turn; one row of the report for each phase and contender."""
        results = {}
        for round_number in range(self.options.rounds or rounds or self.pick(2, 3, 3)):
            for contender in self.among(names, only):
                if contender.name in results.get("skipped", ()):
                    continue
                result = self.one(point, load, contender, round_number)
                if result:
                    results.setdefault(contender.name, []).append(result)
                else:
                    results.setdefault("skipped", []).append(contender.name)
        results.pop("skipped", None)
        self.results[self.scenario.name, point] = results
        if results:
            self.tables.append(("comparison", self.scenario, point, results, baseline if baseline in results else next(iter(results))))
        return results

    def one(self, point, load, contender, round_number):
        begun = time.time()
        try:
            result = Run(self.server, contender, load).run()
        except Skipped as e:
            self.skipped[self.scenario.name + ": " + point, contender.name] = str(e)
            print(f"  {point}: {contender.name} skipped: {e}", flush=True)
            return None
        except Exception as e:  # one broken contender must not end the run of the others
            traceback.print_exc()
            self.skipped[self.scenario.name + ": " + point, contender.name] = f"failed: {str(e).strip()[:300]}"
            return None
        self.keep(point, contender, round_number, result)
        first = next(iter(result.phases.values()))
        rates = ", ".join(f"{name} {w['tasks_s']:.0f}/s".strip() for name, w in result.phases.items())
        counts = result.count
        print(f"  {point}: {contender.name} {rates}; start p50 {ms(first['start_p50'])} p99 {ms(first['start_p99'])};"
              f" lost {counts['lost']} doubled {counts['doubled']} left {counts['left']} ({time.time() - begun:.1f} s)", flush=True)
        for note in result.notes:
            print(f"    {note}", flush=True)
        return result

    def keep(self, point, contender, round_number, result):
        key = [self.scenario.name, point, contender.name, round_number]
        self.raw.write(json.dumps({
            "scenario": key[0], "point": point, "contender": contender.name, "round": round_number,
            "phases": {n: {k: v for k, v in w.items() if k != "latency"} for n, w in result.phases.items()},
            "cost": result.cost, "count": result.count, "notes": result.notes}) + "\n")
        self.raw.flush()
        for s in result.samples:
            self.writers["samples"].writerow(key + [s.get(k) for k in SAMPLE])
        for row in result.relations:
            self.writers["relations"].writerow(key + list(row))
        for name, window in result.phases.items():
            for i in window["latency"].nonzero()[0]:
                self.writers["latency"].writerow(key + [name, round(10 ** ((i + 1) / 50) / 1000, 4), int(window["latency"][i])])

    def answers(self, title, rows):
        """A table of the scenario's own: a list of rows, the first with the headings."""
        self.tables.append(("answers", self.scenario, title, rows, None))
        self.raw.write(json.dumps({"scenario": self.scenario.name, "table": title, "rows": rows}, default=str) + "\n")
        for row in rows:
            print("  " + " | ".join(map(str, row)), flush=True)


def ms(value):
    return "-" if value is None else f"{value:.3g} ms"


def spread(values):
    """Median, and the least and the greatest."""
    return statistics.median(values), min(values), max(values)


def ratios(results, baseline, phase):
    """Contender -> its ratio to the baseline in each round that both have."""
    base = [r.phases[phase]["tasks_s"] for r in results[baseline]]
    return {name: [r.phases[phase]["tasks_s"] / b for r, b in zip(rs, base, strict=False) if b > 0] for name, rs in results.items()}
