"""What the tests run against goes with them, also when they are killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devstack.waiting import eventually, is_running
from tests.support import infrastructure


def processes_of(directory: Path) -> list[int]:
    record = json.loads((directory / "processes.json").read_text())
    return [process["pid"] for process in record["processes"]]


async def test_a_run_that_is_killed_leaves_neither_processes_nor_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - it prints one line and then only waits
        [sys.executable, "-m", infrastructure.__name__], stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        name, _, directory = run.stdout.readline().decode().strip().partition("=")
        monkeypatch.setenv(name.removeprefix("export "), directory)
        infrastructure.services()
        pids = processes_of(Path(directory))
        run.kill()
    assert len(pids) == 3
    await eventually(lambda: not [pid for pid in pids if is_running(pid)])
    await eventually(lambda: not Path(directory).exists())
