"""What the processes of the system use: processor time and memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from devstack.stack import Stack

MIB = 1024 * 1024


@dataclass
class Usage:
    """Over a block, by part: seconds of processor time, the most memory in MiB that the
    part ever had, and what of it at the end is its own and no page of a program's file.
    `driver` is the benchmark itself."""

    cpu_seconds: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)
    own_mib: dict[str, float] = field(default_factory=dict)

    def per_order_ms(self, orders: int) -> dict[str, float]:
        """Without the benchmark's own, and without what only stands for others."""
        found = {part: s * 1000 / orders for part, s in self.cpu_seconds.items()}
        # A second worker is called worker-2.
        ours = [ms for part, ms in found.items() if part.partition("-")[0] in OURS]
        return {**found, "services": sum(ours)}


OURS = ("worker", "api", "postgres", "temporal")
"""What production runs as well; the simulators stand for others' computers."""


@contextmanager
def used_by(pids: Mapping[str, int]) -> Iterator[Usage]:
    usage = Usage()
    before = {part: _cpu_seconds(pid) for part, pid in pids.items()}
    yield usage
    for part, pid in pids.items():
        usage.cpu_seconds[part] = _cpu_seconds(pid) - before[part]
        usage.peak_mib[part] = _memory_mib(pid, "VmHWM")
        usage.own_mib[part] = _memory_mib(pid, "RssAnon")


def pids_of(stack: Stack) -> dict[str, int]:
    pids = stack.describe()["pids"]
    assert isinstance(pids, dict)
    return {**{part: pid for part, pid in pids.items() if pid}, "driver": _OWN}


_OWN = psutil.Process().pid


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    times = process.cpu_times()
    # PostgreSQL's backends: those that ended are in the parent's account.
    total = times.user + times.system
    if pid != _OWN:
        total += times.children_user + times.children_system
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                total += child.cpu_times().user + child.cpu_times().system
    return float(total)


def loop_seconds(pid: int) -> float:
    """Processor time of the thread with the event loop, in nanoseconds' steps; the
    kernel brings it up to date when the thread pauses."""
    schedule = Path(f"/proc/{pid}/task/{pid}/schedstat")
    return int(schedule.read_text().split()[0]) / 1e9


def _memory_mib(pid: int, name: str) -> float:
    """As Linux has it under this name; elsewhere what the process has now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss / MIB)
