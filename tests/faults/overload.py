"""`uv run python -m tests.faults.overload`: 2,000 orders at once, and once more.

Each is accepted, or refused with 503 or 429 and `Retry-After`. The backlog drains, and
the second wave takes no more memory than the first.
"""

import asyncio
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx2
import psutil
import typer
from shared.platform.main import run_main

from tests.faults.customers import an_order, until_none_is_placed
from tests.faults.ending import conclude
from tests.faults.people import COME_AGAIN, Town, stock_up
from tests.faults.plan import Part
from tests.faults.run import town_of
from tests.faults.system import System, running_system

WATCHED = (Part.WORKER, Part.API)
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
MAY_GROW = 1.15
"""What the second wave may take, by what the first took: caches fill, leaks grow."""

Memory = Mapping[Part, int]
"""Resident, in MiB."""


@dataclass
class Wave:
    before: Memory
    peak: dict[Part, int]
    after: Memory
    answers: Counter[str]


@dataclass
class Report:
    orders: int
    waves: list[Wave] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        for number, wave in enumerate(self.waves, start=1):
            yield f"wave {number}: {self.orders} at once; {dict(wave.answers)}"
            for part in WATCHED:
                seen = (wave.before[part], wave.peak[part], wave.after[part])
                yield f"  {part}: {seen[0]} MiB before, {seen[1]} peak, {seen[2]} after"
        yield f"findings: {len(self.findings)}"
        yield from (f"  - {finding}" for finding in self.findings)


async def play(
    orders: int, waves: int, data: Path, say: Callable[[str], None]
) -> Report:
    report = Report(orders)
    async with running_system(data) as system, town_of(system, seed=0) as town:
        await stock_up(town)
        for _ in range(waves):
            report.waves.append(await wave(system, town, orders, report.findings))
            say(f"wave {len(report.waves)} has drained")
    return report


async def wave(system: System, town: Town, orders: int, findings: list[str]) -> Wave:
    """Place them all at once, and return when no order is left to be confirmed."""
    before = memory(system)
    peak = dict(before)
    watching = asyncio.create_task(_watch(system, peak))
    async with httpx2.AsyncClient(
        base_url=system.stack.at.api,
        trust_env=False,
        timeout=PATIENCE_SECONDS,
        limits=httpx2.Limits(max_connections=None),
    ) as http:
        answers = await asyncio.gather(*(_place(http, findings) for _ in range(orders)))
    await until_none_is_placed(system, town)
    watching.cancel()
    return Wave(before, peak, memory(system), Counter(answers))


async def _place(http: httpx2.AsyncClient, findings: list[str]) -> str:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    try:
        answer = await http.post("/v1/orders", json=an_order(), headers=key)
    except httpx2.TransportError as error:
        findings.append(f"no answer: {error!r}")
        return "unanswered"
    if answer.status_code in COME_AGAIN:
        if "retry-after" not in answer.headers:
            findings.append(f"refused without Retry-After: {answer.text}")
    elif not answer.is_success:
        findings.append(f"answered {answer.status_code}: {answer.text}")
    return str(answer.status_code)


async def _watch(system: System, peak: dict[Part, int]) -> None:
    while True:
        for part, now in memory(system).items():
            peak[part] = max(peak[part], now)
        await asyncio.sleep(LOOK_SECONDS)


def memory(system: System) -> Memory:
    pids = {part: system.stack[part].pid for part in WATCHED}
    return {
        part: psutil.Process(pid).memory_info().rss // 2**20
        for part, pid in pids.items()
    }


def grown(first: Wave, last: Wave) -> list[str]:
    """What a leak looks like."""
    return [
        f"{part} takes {last.peak[part]} MiB, and {first.peak[part]} in the first wave"
        for part in WATCHED
        if last.peak[part] > MAY_GROW * first.peak[part]
    ]


def main(
    orders: Annotated[int, typer.Option(min=1, help="At once.")] = 2_000,
    waves: Annotated[int, typer.Option(min=2)] = 3,
) -> None:
    """Place far more orders at once than can be served at once: each is accepted or
    told to come again, all that are accepted are confirmed, and the memory of worker
    and API does not grow from wave to wave.
    """
    data = Path(tempfile.mkdtemp(prefix="overload-"))

    async def run() -> int:
        report = await play(orders, waves, data, typer.echo)
        report.findings += grown(report.waves[0], report.waves[-1])
        return conclude(report.lines(), data, failed=bool(report.findings))

    run_main(run())


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    app(prog_name="python -m tests.faults.overload")
