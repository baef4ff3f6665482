"""`uv run python -m benchmarks`: one command for each thing that is measured."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import (
    api_alone,
    console,
    feed,
    growth,
    hostile,
    load,
    open_load,
    peer,
    sourcing,
    startup,
    webhooks,
)
from benchmarks import cost as costs
from benchmarks import limit as limits
from benchmarks import throughput as throughputs
from benchmarks.plotting import plot
from benchmarks.reporting import save, show

Json = dict[str, Any]
Quick = Annotated[
    bool, typer.Option("--quick", help="About a minute, for a first impression.")
]
Out = Annotated[Path, typer.Option(help="Where the result is written, as JSON.")]
RESULTS = Path(__file__).parent / "results"

Measuring = Coroutine[Any, Any, Json]


class Grown(StrEnum):
    FINISHED = "finished"
    OPEN = "open"
    WORKERS = "workers"
    LINES = "lines"


app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def cost(quick: Quick = False, out: Out = RESULTS) -> None:
    """What one order costs, counted: events, tasks, requests, statements."""
    _run("cost", costs.measure(orders=3 if quick else 20), out)


@app.command()
def throughput(
    quick: Quick = False,
    out: Out = RESULTS,
    concurrency: Annotated[int, typer.Option(help="Orders at a time.")] = 16,
) -> None:
    """Orders a second from POST to completed, and the processor time of each."""
    orders, runs = (100, 1) if quick else (500, 5)
    _run("throughput", throughputs.measure(orders, concurrency, runs), out)


@app.command()
def limit(quick: Quick = False, out: Out = RESULTS) -> None:
    """The smallest workflow with four empty steps, on the same server."""
    workflows, runs = (100, 1) if quick else (500, 5)
    _run("limit", limits.measure(workflows, 16, runs), out)


@app.command(name="open-load")
def open_load_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """Orders at a fixed rate that grows until it breaks."""
    rates, seconds = ((2, 4, 8), 6.0) if quick else (range(1, 101), 30.0)
    _run("open-load", open_load.measure(list(rates), seconds), out)


@app.command(name="growth")
def growth_command(
    quick: Quick = False,
    out: Out = RESULTS,
    only: Annotated[
        list[Grown] | None, typer.Option(help="Measure this part; may be repeated.")
    ] = None,
) -> None:
    """With more finished orders, open orders, workers and lines; a result for each."""
    orders, at_once = (30 if quick else 300), 16
    finished = (300, 3_000) if quick else (1_000, 10_000, 100_000)
    opened = (300,) if quick else (100, 1_000, 10_000)
    workers = (1, 2) if quick else (1, 2, 4)
    lines = (1, 10) if quick else (1, 10, 100, 500)
    parts: dict[Grown, Callable[[], Measuring]] = {
        Grown.FINISHED: lambda: growth.with_finished(finished, orders, at_once),
        Grown.OPEN: lambda: growth.with_open(opened, orders, at_once),
        Grown.WORKERS: lambda: growth.with_workers(workers, orders, at_once),
        Grown.LINES: lambda: growth.with_lines(lines),
    }
    for part in only or parts:
        _run(f"growth-{part}", parts[part](), out)


@app.command()
def api(quick: Quick = False, out: Out = RESULTS) -> None:
    """The API alone, against bare calls; server-sent events to many listeners."""
    requests, listeners = (150, 200) if quick else (1_000, 1_000)
    _run("api", api_alone.measure(requests, listeners), out)


@app.command(name="console")
def console_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """Each page of the console, in a shop with 500 orders in every state."""
    orders, visits = console.QUICK if quick else console.FULL
    _run("console", console.measure(orders, visits), out)


@app.command(name="feed")
def feed_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """Pages of the feed with a million events in it."""
    events, pages = (100_000, 30) if quick else (1_000_000, 200)
    _run("feed", feed.measure(events, pages), out)


@app.command(name="webhooks")
def webhooks_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """What a delivery to a webhook endpoint costs, and how late it is."""
    events, paced = (1_000, 50) if quick else (10_000, 300)
    _run("webhooks", webhooks.measure(events, 10, paced, rate=10), out)


@app.command(name="hostile")
def hostile_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """How long the largest body of each route, in costly shapes, holds up others."""
    _run("hostile", hostile.measure(3 if quick else 30), out)


@app.command(name="sourcing")
def sourcing_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """Choosing where an order of 500 lines comes from, over 20 locations."""
    _run("sourcing", sourcing.measure(5 if quick else 50), out)


@app.command(name="startup")
def startup_command(quick: Quick = False, out: Out = RESULTS) -> None:
    """Until the services are ready; processor time and memory while nobody orders."""
    starts, seconds = (1, 15.0) if quick else (5, 60.0)
    _run("startup", startup.measure(starts, seconds), out)


@app.command(name="peer")
def peer_command(
    oms: Annotated[
        Path,
        typer.Option(
            help="The program of Temporal's order reference application in Go,"
            " temporalio/reference-app-orders-go: `go build ./cmd/oms`.",
            exists=True,
            dir_okay=False,
            resolve_path=True,
        ),
    ],
    quick: Quick = False,
    out: Out = RESULTS,
) -> None:
    """The closest public peer and ours, by turns: orders a second of each."""
    orders, runs = (100, 1) if quick else (250, 3)
    _run("peer", peer.measure(oms, orders, 16, runs), out)


@app.command(name="plot")
def plot_command(out: Out = RESULTS) -> None:
    """Draw what was measured, beside the results."""
    for path in plot(out):
        print(path)


@app.command(name="load")
def load_command(
    api: Annotated[str, typer.Option(help="The API's address.")],
    token: Annotated[str | None, typer.Option(envvar="TOKEN")] = None,
    sku: Annotated[str, typer.Option(help="A product that is in stock.")] = "MUG-BLUE",
    method: Annotated[
        str, typer.Option(help="A payment method of the provider's test mode.")
    ] = "pm_card_visa",
    rate: Annotated[float, typer.Option(help="Orders a second.")] = 5.0,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 60.0,
    until: Annotated[
        str, typer.Option(help="confirmed, shipped, or completed.")
    ] = "shipped",
    out: Out = RESULTS,
) -> None:
    """Load a system that runs somewhere. Its orders are real there."""
    measuring = load.measure(
        *(api, token),
        sku=sku,
        method=method,
        rate=rate,
        seconds=seconds,
        until=until,
    )
    _run("load", measuring, out)


def _run(name: str, measuring: Measuring, out: Path) -> None:
    result = asyncio.run(measuring)
    save(name, result, out)
    show(result)


if __name__ == "__main__":
    app()
