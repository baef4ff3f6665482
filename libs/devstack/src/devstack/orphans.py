"""Makes sure that no process outlives its owner, even a killed one.

The owner records every process it runs. Two readers act on the record: a guard, which
is a child of the owner and notices its end, and the next start on the same data, in
case the guard was killed as well.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import psutil

_PATIENCE_SECONDS = 5.0


class Running(TypedDict):
    """A process as the record keeps it. `started` tells it from a later one of the same
    pid (seconds since the epoch)."""

    pid: int
    started: float
    stop_signal: int


class Record:
    """The file with what one owner runs, replaced as a whole at every change."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, running: Iterable[tuple[int, signal.Signals]]) -> None:
        processes = [_describe(pid, stop) for pid, stop in running]
        content = {"owner": os.getpid(), "processes": [p for p in processes if p]}
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(content))
        draft.replace(self.path)

    def read(self, owner: int | None = None) -> list[Running]:
        """What is recorded; nothing if `owner` is given and another one wrote it."""
        try:
            content = json.loads(self.path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        if owner is not None and content["owner"] != owner:
            return []
        processes: list[Running] = content["processes"]
        return processes


def stop_orphans(record: Record, owner: int | None = None) -> int:
    """Stop the recorded processes that still run and return how many there were.

    A process is touched only if its start time is the recorded one. Safe to repeat, and
    to run twice at once.
    """
    found = [(p, entry) for entry in record.read(owner) if (p := _still_ours(entry))]
    for process, entry in found:
        _signal(process, signal.Signals(entry["stop_signal"]))
        _signal(process, signal.SIGCONT)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(_is_alive(p) for p, _ in found) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process, _ in found:
        _kill_family(process)
    return len(found)


class Guard:
    """A child process that stops what is recorded once its parent is gone.

    `remove` is a temporary directory that it deletes after that.
    """

    def __init__(self, record: Record, remove: Path | None = None) -> None:
        arguments = [
            str(record.path),
            str(os.getpid()),
            *([str(remove)] if remove else []),
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "devstack.orphans", *arguments],
            # It reads until the end of a pipe that only this process holds open.
            stdin=subprocess.PIPE,
            # Not inherited, so that readers of our output need not wait for the guard's
            # end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Let it stop what is left, usually nothing, and wait for it."""
        self._process.communicate()


def _describe(pid: int, stop: signal.Signals) -> Running | None:
    try:
        return Running(
            pid=pid, started=psutil.Process(pid).create_time(), stop_signal=stop
        )
    except psutil.NoSuchProcess:
        return None


def _still_ours(entry: Running) -> psutil.Process | None:
    try:
        process = psutil.Process(entry["pid"])
    except psutil.NoSuchProcess:
        return None
    same = abs(process.create_time() - entry["started"]) < 1
    return process if same and _is_alive(process) else None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _kill_family(process: psutil.Process) -> None:
    """Kill what is left of the process group that `process` leads."""
    # macOS answers "not permitted" for a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _guard(record: str, owner: str, remove: str | None = None) -> None:
    sys.stdin.read()
    stop_orphans(Record(Path(record)), owner=int(owner))
    if remove is not None:
        shutil.rmtree(remove, ignore_errors=True)


if __name__ == "__main__":
    _guard(*sys.argv[1:])
