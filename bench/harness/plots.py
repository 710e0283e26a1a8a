"""The pictures, by matplotlib, as SVG."""
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from .tally import BINS, BINS_PER_DECADE  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "goque", "figure.figsize": (8, 4), "axes.spines.top": False,
                     "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3, "font.size": 10, "legend.frameon": False})


def colour(name):
    """Goque's own stand out; the others keep their colour from picture to picture."""
    own = {"goque": "#c1272d", "goque_brief": "#c1272d", "goque_forgetful": "#e8888b", "hand_written": "#1f4e79", "hand_written_done": "#7a9cc0", "hand_written_ranked": "#1f4e79"}
    return own.get(name) or plt.get_cmap("tab20")(sum(map(ord, name)) % 20)


def save(bench, axes, name, title, x, y):
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend()
    axes.figure.tight_layout()
    axes.figure.savefig(bench.out / name, metadata={"Date": None})
    plt.close(axes.figure)
    return name


def comparisons(bench, scenario):
    found = [(point, results) for (name, point), results in bench.results.items() if name == scenario.name and results]
    if scenario.one_picture and found:
        return [(found[0][0], {name: rs for _, results in found for name, rs in results.items()})]
    return found


def shade(axes, results):
    for first, last in next(iter(results.values()))[0].spans:
        axes.axvspan(first, last, color="0.9", zorder=0, label="held")


def over_time(bench, scenario, key, label, scale=1.0, log=False):
    made = []
    for i, (point, results) in enumerate(comparisons(bench, scenario)):
        _, axes = plt.subplots()
        shade(axes, results)
        for name, rs in results.items():
            samples = [s for s in rs[0].samples if s[key] is not None and s["t"] <= rs[0].seconds]
            axes.plot([s["t"] for s in samples], [s[key] * scale for s in samples], label=name, color=colour(name), linewidth=1.8)
        if log:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        title = f"{label} over time: {point}"
        made.append((title, save(bench, axes, f"{scenario.name}-{key}-{i + 1}.svg", title, "seconds", label)))
    return made


def latencies(bench, scenario):
    edges = 10 ** ((np.arange(BINS) + 1) / BINS_PER_DECADE) / 1000
    made = []
    for i, (point, results) in enumerate(comparisons(bench, scenario)):
        _, axes = plt.subplots()
        for name, rs in results.items():
            bins = sum(next(iter(r.phases.values()))["latency"] for r in rs)
            if bins.sum():
                share = 100 * np.cumsum(bins) / bins.sum()
                some = (share > 0) & (np.concatenate([[0], share[:-1]]) < 100)
                axes.plot(edges[some], share[some], label=name, color=colour(name), linewidth=1.8)
        axes.set_xscale("log")
        axes.set_ylim(0, 101)
        title = f"From add to start: {point}"
        made.append((title, save(bench, axes, f"{scenario.name}-latency-{i + 1}.svg", title, "milliseconds", "% of the tasks started within")))
    return made


def over_workers(bench, scenario):
    made = []
    for sync in ("off", "on"):
        lines = {}
        for point, results in comparisons(bench, scenario):
            if not (point.startswith("single") and point.endswith(f"sync {sync}")):
                continue
            workers = int(point.split(",")[1].split()[0])
            for name, rs in results.items():
                rates = [r.phases[""]["tasks_s"] for r in rs]
                lines.setdefault(name, []).append((workers, float(np.median(rates)), min(rates), max(rates)))
        if not lines:
            continue
        _, axes = plt.subplots()
        for name, found in lines.items():
            n, mid, low, high = (np.array(v) for v in zip(*sorted(found), strict=True))
            axes.errorbar(n, mid, yerr=[mid - low, high - mid], label=name, color=colour(name), marker="o", capsize=3)
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        ticks = sorted({n for found in lines.values() for n, *_ in found})
        axes.set_xticks(ticks, [str(t) for t in ticks])
        title = f"Tasks a second by workers, synchronous_commit {sync}"
        made.append((title, save(bench, axes, f"{scenario.name}-workers-{sync}.svg", title, "workers", "tasks a second")))
    return made


def of(bench, scenario):
    if scenario.name == "throughput":
        return over_workers(bench, scenario)
    if scenario.name == "latency":
        return latencies(bench, scenario)
    if scenario.name in ("held", "scanners", "night"):
        return over_time(bench, scenario, "tasks_s", "tasks a second") + over_time(bench, scenario, "bytes", "megabytes of tables and indexes", 1e-6)
    if scenario.name in ("soak", "overload"):
        return over_time(bench, scenario, "depth", "tasks in the queue")
    return []


def draw(bench, scenarios):
    """Draws what there is: (scenario, title, file)."""
    return [(s, title, file) for s in scenarios for title, file in of(bench, s)]
