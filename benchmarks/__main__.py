"""`uv run python -m benchmarks`: one command for each thing that is measured."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import cost as costs
from benchmarks import limit as limits
from benchmarks import throughput as throughputs
from benchmarks.reporting import save, show

Json = dict[str, Any]
Quick = Annotated[
    bool, typer.Option("--quick", help="About a minute, for a first impression.")
]
Out = Annotated[Path, typer.Option(help="Where the result is written, as JSON.")]
RESULTS = Path(__file__).parent / "results"

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
    orders, runs = (200, 1) if quick else (500, 5)
    _run("throughput", throughputs.measure(orders, concurrency, runs), out)


@app.command()
def limit(quick: Quick = False, out: Out = RESULTS) -> None:
    """The smallest workflow with four empty steps, on the same server."""
    workflows, runs = (150, 1) if quick else (500, 5)
    _run("limit", limits.measure(workflows, 16, runs), out)


def _run(name: str, measuring: Coroutine[Any, Any, Json], out: Path) -> None:
    result = asyncio.run(measuring)
    save(name, result, out)
    show(result)


if __name__ == "__main__":
    app()
