"""Runs scenarios and writes the report.  bench/run calls it, in a folder and as a user of its own."""
import argparse
import os
import shlex
import sys
import traceback
from pathlib import Path

from . import plots, report
from .bench import Bench
from .contender import Contender, Skipped, all_names
from .scenarios import SCENARIOS
from .server import Server


def parse(arguments):
    p = argparse.ArgumentParser(prog="bench/run", description="goque beside other queues, on one private server, in turn.",
                                epilog="bench/README.md tells how to read the report and how to add a contender.")
    p.add_argument("--quick", action="store_const", const="quick", dest="form", default="short", help="all scenarios in ten minutes on two cores")
    p.add_argument("--long", action="store_const", const="long", dest="form", help="the long forms, for a real machine: many hours")
    p.add_argument("--scenario", action="append", metavar="NAME", help="only this one, by name or number (again for more)")
    p.add_argument("--contender", action="append", metavar="NAME", help="only this one (again for more; the first is the baseline if hand_written is not among them)")
    p.add_argument("--seconds", type=float, help="the length of each measured run")
    p.add_argument("--rounds", type=int, help="how often the contenders take turns")
    p.add_argument("--workers", type=int, action="append", metavar="N", help="throughput: this number of workers (again for more)")
    p.add_argument("--million", type=float, metavar="M", help="tasks, in millions, of the large backlogs")
    p.add_argument("--simple", action="store_true", help="parse and plan statements at each call, instead of preparing them once")
    p.add_argument("--out", metavar="FOLDER", help="where the report goes (default: bench/reports/DATE)")
    p.add_argument("--list", action="store_true", help="scenarios and contenders, and end")
    return p.parse_args(arguments)


def chosen(options):
    if not options.scenario:
        return SCENARIOS
    found = [s for s in SCENARIOS if s.name in options.scenario or str(s.number) in options.scenario]
    unknown = [w for w in options.scenario if not any(w in (s.name, str(s.number)) for s in found)]
    if unknown:
        raise SystemExit(f"bench/run: no scenario {', '.join(unknown)}: see bench/run --list")
    return found


def show_list():
    for s in SCENARIOS:
        print(f"{s.number:>2}  {s.name:<12} {s.title}")
    print()
    for name in all_names():
        print(f"    {name:<20} {Contender(name).title}")


def wanted_contenders(options, scenarios):
    names = options.contender or [n for n in all_names() if any(n in s.contenders for s in scenarios)]
    return {name: Contender(name) for name in names}


def install(bench, contenders):
    plans = []
    reasons = dict(line.split("\t", 1) for line in os.environ.get("BENCH_REFUSED", "").splitlines())
    for contender in contenders.values():
        try:
            if contender.name in reasons:
                raise Skipped(reasons[contender.name])
            contender.install(bench.server)
            if contender.conf.get("index_plans"):
                # a queue with tasks in it and statistics, as every run has
                from .measure import Load, Run
                Run(bench.server, contender, Load()).prepare()
                plans += [(contender.name, *p) for p in contender.plans(bench.server)]
        except (Skipped, OSError) as e:
            bench.skipped[contender.name] = str(e)
            print(f"{contender.name} is skipped: {e}", flush=True)
            continue
        print(f"{contender.name}: {contender.version}", flush=True)
    for name, statement, plan, good in plans:
        if not good:
            print(f"warning: {name}/{statement}.sql scans its table:\n{plan}", flush=True)
    return plans


def main():
    options = parse(sys.argv[1:])
    if options.list:
        show_list()
        return
    if options.simple:
        os.environ["BENCH_SIMPLE"] = "1"
    scenarios = chosen(options)
    out = Path(os.environ["WORK"]) / "report"
    contenders = wanted_contenders(options, scenarios)
    bench = Bench(Server(), contenders, options, out)
    plans = install(bench, contenders)
    run = []
    command = "bench/run " + shlex.join(sys.argv[1:])
    for scenario in scenarios:
        print(f"{scenario.number}. {scenario.title}", flush=True)
        bench.scenario = scenario
        run.append(scenario)
        try:
            scenario.run(bench)
        except Exception as e:  # the scenarios after it shall run
            traceback.print_exc()
            bench.skipped[scenario.name + ": all of it", "the scenario"] = f"failed: {e}"
        # after each, so that an interrupted run leaves what it has
        report.write(bench, run, plots.draw(bench, run), command, plans)


if __name__ == "__main__":
    main()
