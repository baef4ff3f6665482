"""`uv run python -m tests.faults.survivors`: 300 orders, and a worker that dies.

Sixty orders are placed at once; 1.5 s later their worker is killed, and 2 s after that
it is started again. Five times. All of them must be completed, and none may wait more
than 15 s longer than the longest of a round in which nothing happened.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer
from devstack.subprocess import Process
from shared.platform.main import run_main
from temporalio.client import Client

from tests.faults.checker import findings
from tests.faults.customers import PLAIN
from tests.faults.ending import conclude
from tests.faults.evidence import gather
from tests.faults.people import Story, Town, reference, stock_up
from tests.faults.run import pending, town_of
from tests.faults.system import System, running_system

SEED = 0
DIES_AFTER_SECONDS = 1.5
GONE_FOR_SECONDS = 2.0
MAY_WAIT_LONGER_SECONDS = 15.0


@dataclass
class Report:
    placed: int = 0
    completed: int = 0
    # The longest that anybody waited from placing an order to having it, by round.
    undisturbed_seconds: float = 0.0
    disturbed_seconds: list[float] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def longer_seconds(self) -> float:
        return max(self.disturbed_seconds) - self.undisturbed_seconds

    def lines(self) -> Iterator[str]:
        rounds = ", ".join(f"{seconds:.1f}" for seconds in self.disturbed_seconds)
        yield f"completed: {self.completed} of {self.placed}"
        yield f"longest wait when nothing happens: {self.undisturbed_seconds:.1f} s"
        yield f"longest wait when the worker dies: {rounds} s"
        yield f"longer by: {self.longer_seconds:.1f} s"
        yield f"findings: {len(self.findings)}"
        yield from (f"  - {finding}" for finding in self.findings)


async def play(
    system: System,
    town: Town,
    rounds: int,
    each: int,
    say: Callable[[str], None],
) -> Report:
    """A worker dies in each of the `rounds`, which are compared to one without."""
    report, numbers = Report(), itertools.count(1)
    await stock_up(town)
    report.undisturbed_seconds = await _round(town, each, numbers)
    say(f"undisturbed: {report.undisturbed_seconds:.1f} s")
    for _ in range(rounds):
        dying = asyncio.create_task(_die_once(system.stack["worker"]))
        report.disturbed_seconds.append(await _round(town, each, numbers))
        await dying
        say(f"a worker died: {report.disturbed_seconds[-1]:.1f} s")
    await _conclude(report, system, town)
    return report


async def _round(town: Town, each: int, numbers: Iterator[int]) -> float:
    """How long it took until the last of them was with its customer."""
    began = time.monotonic()
    wishes = [replace(PLAIN, number=next(numbers)) for _ in range(each)]
    await asyncio.gather(*(Story(town, wish).tell() for wish in wishes))
    return time.monotonic() - began


async def _die_once(worker: Process) -> None:
    await asyncio.sleep(DIES_AFTER_SECONDS)
    await worker.kill(restart=False)
    await asyncio.sleep(GONE_FOR_SECONDS)
    await worker.start()


async def _conclude(report: Report, system: System, town: Town) -> None:
    while await pending(system, town.http):  # noqa: ASYNC110 - of several parts
        await asyncio.sleep(0.5)
    client = await Client.connect(system.stack.at.temporal)
    answered = {reference(town.seed, n): order for n, order in town.answered.items()}
    evidence = await gather(answered, system.stack.at, town.http, client, {})
    status = {order["id"]: order["status"] for order in evidence["orders"]}
    ends = [status.get(order_id) for order_id in town.answered.values()]
    report.placed, report.completed = len(ends), ends.count("completed")
    report.findings = [*town.broken, *findings(evidence)]


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    each: Annotated[int, typer.Option(min=1, help="Orders at once.")] = 60,
) -> None:
    """Kill the worker that has 60 orders in its hands, five times; all of them must
    be completed, and nobody may wait more than 15 s longer for that.
    """
    data = Path(tempfile.mkdtemp(prefix="survivors-"))

    async def run() -> int:
        async with running_system(data) as system, town_of(system, SEED) as town:
            report = await play(system, town, rounds, each, typer.echo)
        lost = report.placed - report.completed
        late = report.longer_seconds > MAY_WAIT_LONGER_SECONDS
        failed = bool(lost or late or report.findings)
        return conclude(report.lines(), data, failed=failed)

    run_main(run())


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    app(prog_name="python -m tests.faults.survivors")
