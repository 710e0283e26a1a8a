"""report.md: the tables, and what is needed to judge and repeat them."""
import datetime
import os
import platform
import statistics

from .bench import ratios, spread


def number(value, digits=3):
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def ranged(values, digits=3):
    if not values:
        return "–"
    mid, low, high = spread(values)
    return number(mid, digits) if len(values) == 1 else f"{number(mid, digits)} ({number(low, digits)}–{number(high, digits)})"


def table(headings, rows):
    out = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    out += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return "\n".join(out) + "\n"


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def matrix(bench, scenario):
    """Ratios of all points of a scenario, one column a contender."""
    rows, names = [], []
    tables = [t for t in bench.tables if t[0] == "comparison" and t[1] is scenario]
    for _, _, _, results, _ in tables:
        names += [n for n in results if n not in names]
    for _, _, point, results, baseline in tables:
        for phase in next(iter(results.values()))[0].phases:
            found = ratios(results, baseline, phase)
            row = [f"{point}{', ' + phase if phase else ''}"]
            for name in names:
                if name == baseline:
                    row.append(number(median(r.phases[phase]["tasks_s"] for r in results[name])) + "/s = 1")
                else:
                    row.append(ranged(found.get(name, [])))
            rows.append(row)
    return table(["", *names], rows) if rows else ""


def detail(bench, scenario):
    rows = []
    for kind, which, point, results, _ in bench.tables:
        if kind != "comparison" or which is not scenario:
            continue
        for name, rs in results.items():
            for phase in rs[0].phases:
                windows = [r.phases[phase] for r in rs]
                times = {key: number(median(w[key] for w in windows)) for key in ("start_p50", "start_p95", "start_p99", "fetch_p99")}
                costs = [number(median(r.cost[k] for r in rs)) for k in ("wal_kb", "commits", "server_us", "client_us")]
                rows.append([point + (f", {phase}" if phase else ""), name, ranged([w["tasks_s"] for w in windows]),
                             f"{times['start_p50']} / {times['start_p95']} / {times['start_p99']}", times["fetch_p99"], *costs])
    heads = ["", "contender", "tasks/s", "add to start, ms: p50 / p95 / p99", "fetch p99, ms", "WAL a task, kB", "commits a task",
             "server CPU, µs", "client CPU, µs"]
    return table(heads, rows) if rows else ""


def integrity(bench, scenario):
    rows, clean = [], 0
    for kind, which, point, results, _ in bench.tables:
        if kind != "comparison" or which is not scenario:
            continue
        for name, rs in results.items():
            for i, r in enumerate(rs):
                c = r.count
                if c["lost"] == 0 and not c["doubled"] and not c["refused"] and not c["failures"] and not r.notes:
                    clean += 1
                    continue
                rows.append([point, name, i + 1, *(number(c[k]) for k in ("added", "done", "left", "lost", "doubled", "unreported", "refused", "failures")),
                             "; ".join(r.notes)[:300].replace("|", "/").replace("\n", " ")])
    text = f"{clean} runs in which each task that was added was done once or is still there.\n\n" if clean else ""
    if rows:
        text += table(["others", "contender", "round", "added", "done", "left", "lost", "doubled", "unreported", "refused", "errors", "notes"], rows)
    return text


def machine():
    cpu = "?"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 ** 30
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, {platform.system()} {platform.release()}"


def write(bench, scenarios, pictures, command, plans):
    o = bench.options
    out = ["# goque beside other queues\n",
           f"`{command}`, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, form: {bench.form}. "
           f"{bench.server.query('SELECT version()', 'postgres')[0][0]}; {machine()}. Client and server share the machine.\n",
           "Contenders ran in turn, each time in a fresh database; a cell is the median of the rounds (least–greatest). Ratios are to the "
           "baseline of the same round. Absolute figures of a shared machine say little; ratios within a run do. "
           f"Statements are {'parsed and planned at each call' if o.simple else 'prepared once per connection'}.\n",
           "Raw samples: `raw/results.jsonl` (a line a run), `raw/samples.csv` (over time), `raw/relations.csv` (bytes and dead tuples of each "
           "relation), `raw/latency.csv` (add to start).\n"]
    for scenario in scenarios:
        out.append(f"## {scenario.number}. {scenario.title}\n\n{scenario.text}\n")
        out += [f"![{title}]({file})\n" for s, title, file in pictures if s is scenario]
        out += [matrix(bench, scenario), detail(bench, scenario), integrity(bench, scenario)]
        out += [f"{t[2]}\n\n{table(t[3][0], t[3][1:])}" for t in bench.tables if t[0] == "answers" and t[1] is scenario]
        skipped = [f"- {key[1]}, {key[0].split(': ', 1)[1]}: {why}" for key, why in bench.skipped.items()
                   if isinstance(key, tuple) and key[0].startswith(scenario.name + ": ")]
        if skipped:
            out.append("Not run:\n\n" + "\n".join(skipped) + "\n")
    out.append("## Contenders\n")
    out.append(table(["contender", "what", "version", "settings"],
                     [[c.name, c.title, c.version, c.conf.get("settings", "")] for c in bench.contenders.values() if c.name not in bench.skipped]))
    gone = [f"- {name}: {why}" for name, why in bench.skipped.items() if isinstance(name, str)]
    out.append("Skipped:\n\n" + "\n".join(gone) + "\n" if gone else "None was skipped.\n")
    out.append("## Settings of the server\n")
    out.append(table(["setting", "value"], bench.server.settings()))
    out.append("synchronous_commit is set for the database, as each row says; fsync is on.\n")
    if plans:
        out.append("## Plans of the hand-written statements\n")
        out += [f"{c}, {n}: {'uses its indexes' if good else '**scans the table**'}\n\n```\n{plan}\n```\n" for c, n, plan, good in plans]
    (bench.out / "report.md").write_text("\n".join(out))
