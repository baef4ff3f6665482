"""What a killed owner left behind is stopped, and nothing else."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from devstack.orphans import Record, stop_orphans

from tests.devstack.waiting import eventually, is_running

# An owner that starts a process, records it, is guarded, and then does nothing.
OWNER = """
import signal, subprocess, sys
from pathlib import Path
from devstack.orphans import Guard, Record
record = Record(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
record.write([(child.pid, signal.SIGTERM)])
guard = Guard(record, remove=Path(sys.argv[2]))
print(child.pid, flush=True)
signal.pause()
"""

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def a_sleeper() -> Iterator[Callable[[], Sleeper]]:
    started: list[Sleeper] = []

    def start() -> Sleeper:
        started.append(subprocess.Popen(["sleep", "600"], start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def owner_that_is_killed(record: Path, scratch: Path) -> int:
    """Returns the pid of what it had started."""
    arguments = [sys.executable, "-c", OWNER, str(record), str(scratch)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        owner.kill()
    return child


async def test_the_guard_stops_the_processes_of_an_owner_that_was_killed(
    tmp_path: Path,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = owner_that_is_killed(tmp_path / "record", scratch)
    await eventually(lambda: not is_running(child))
    await eventually(lambda: not scratch.exists())


def test_the_next_owner_stops_what_is_left(
    tmp_path: Path, a_sleeper: Callable[[], Sleeper]
) -> None:
    record, left = Record(tmp_path / "record"), a_sleeper()
    record.write([(left.pid, signal.SIGTERM)])
    assert stop_orphans(record) == 1
    assert left.wait() == -signal.SIGTERM
    assert stop_orphans(record) == 0


def test_a_paused_leftover_is_stopped_too(
    tmp_path: Path, a_sleeper: Callable[[], Sleeper]
) -> None:
    record, left = Record(tmp_path / "record"), a_sleeper()
    record.write([(left.pid, signal.SIGTERM)])
    left.send_signal(signal.SIGSTOP)
    stop_orphans(record)
    assert left.wait() == -signal.SIGTERM


def test_a_stranger_with_a_recorded_pid_is_left_alone(
    tmp_path: Path, a_sleeper: Callable[[], Sleeper]
) -> None:
    record, stranger = Record(tmp_path / "record"), a_sleeper()
    record.write([(stranger.pid, signal.SIGTERM)])
    content = json.loads(record.path.read_text())
    content["processes"][0]["started"] -= 3600
    record.path.write_text(json.dumps(content))
    assert stop_orphans(record) == 0
    assert is_running(stranger.pid)


def test_a_guard_leaves_the_processes_of_another_owner_alone(
    tmp_path: Path, a_sleeper: Callable[[], Sleeper]
) -> None:
    record, other = Record(tmp_path / "record"), a_sleeper()
    record.write([(other.pid, signal.SIGTERM)])
    assert stop_orphans(record, owner=psutil.Process().ppid()) == 0
    assert is_running(other.pid)


@pytest.mark.parametrize("content", [None, "", "{not json"])
def test_a_missing_or_torn_record_means_that_nothing_is_left(
    tmp_path: Path, content: str | None
) -> None:
    record = Record(tmp_path / "record")
    if content is not None:
        record.path.write_text(content)
    assert stop_orphans(record) == 0
