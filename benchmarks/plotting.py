"""What the results look like. Needs the dependency group `benchmarks`."""

import json
from pathlib import Path
from statistics import median
from typing import Any

Json = dict[str, Any]

_COUNTS = ("events", "workflow_tasks", "frontend_requests", "sql_statements")


def plot(results: Path) -> list[Path]:
    """Draw what is in `results` beside it, as SVG. Returns what was drawn."""
    drawings = {
        "cost": _cost,
        "throughput": _throughput,
        "open-load": _open_load,
        "growth-finished": _growth,
        "peer": _peer,
    }
    drawn = []
    for name, draw in drawings.items():
        source = results / f"{name}.json"
        if source.exists():
            draw(json.loads(source.read_text()), source.with_suffix(".svg"))
            drawn.append(source.with_suffix(".svg"))
    return drawn


def _cost(result: Json, to: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, len(_COUNTS))
    for each, name in zip(axes, _COUNTS, strict=True):
        stories = result["cost"]
        each.bar(list(stories), [cost[name] for cost in stories.values()])
        each.set_title(name.replace("_", " "))
        each.tick_params("x", rotation=60)
    figure.savefig(to)


def _throughput(result: Json, to: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    used = result["runs"][-1]["cpu_ms_per_order"]
    axes.barh(list(used), list(used.values()))
    axes.set_xlabel("ms of processor time per order")
    figure.savefig(to)


def _open_load(result: Json, to: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    rates = [run["per_second"] for run in result["rates"]]
    for share in ("p50", "p95", "p99"):
        axes.plot(
            rates,
            [run["milliseconds"]["order"][share] for run in result["rates"]],
            "o-",
        )
    axes.legend(["p50", "p95", "p99"])
    axes.set(xlabel="orders a second", ylabel="ms from POST to completed")
    axes.set_ylim(bottom=0)
    figure.savefig(to)


def _growth(result: Json, to: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    grown = result["finished"]
    counts = [run["finished_orders"] for run in grown]
    left.semilogx(counts, [run["cpu_ms_per_order"]["services"] for run in grown], "o-")
    left.set(xlabel="finished orders", ylabel="ms of processor time per order")
    for page in grown[0]["reads"]:
        right.semilogx(counts, [run["reads"][page]["p50"] for run in grown], "o-")
    right.legend(list(grown[0]["reads"]))
    right.set(xlabel="finished orders", ylabel="ms for a request, median")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
    figure.savefig(to)


def _peer(result: Json, to: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    rates, costs = figure.subplots(1, 2, sharey=True)
    names = list(result["runs"])
    rates.barh(names, [result["orders_per_second"][name] for name in names])
    rates.set_xlabel("orders a second, median")
    used = [_median_cost(result["runs"][name]) for name in names]
    left = [0.0] * len(names)
    for part in ("temporal", "postgres", "worker", "api"):
        width = [cost[part] for cost in used]
        costs.barh(names, width, left=left, label=part)
        left = [at + more for at, more in zip(left, width, strict=True)]
    costs.set_xlabel("ms of processor time per order, median")
    costs.legend()
    figure.savefig(to)


def _median_cost(runs: list[Json]) -> Json:
    """By part; all workers are one."""
    found: dict[str, float] = dict.fromkeys(
        ("temporal", "postgres", "worker", "api"), 0
    )
    for name in set().union(*(run["cpu_ms_per_order"] for run in runs)):
        part = name.partition("-")[0]
        if part in found:
            found[part] += median(run["cpu_ms_per_order"][name] for run in runs)
    return found
