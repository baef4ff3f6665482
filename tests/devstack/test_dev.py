"""`dev` as people and programs run it: started, refused, stopped, killed."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from devstack.__main__ import app
from devstack.announcements import by_hand
from devstack.orphans import Record, stop_orphans
from devstack.ports import free_ports
from devstack.stack import Options, Stack
from typer.testing import CliRunner

from tests.devstack.waiting import eventually, is_running

Dev = subprocess.Popen[str]


def start(data: Path, *options: str) -> Dev:
    return subprocess.Popen(
        [sys.executable, "-m", "devstack", "--data", str(data), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_infrastructure(data: Path) -> Dev:
    return start(data, "--only", "postgres,temporal", "--ports", "auto", "--json")


@contextmanager
def ended(*devs: Dev) -> Iterator[None]:
    """Whatever the test does, none of them is left."""
    try:
        yield
    finally:
        for dev in devs:
            dev.terminate()
            dev.communicate()


def find(directory: Path, name: str) -> list[Path]:
    return list(directory.glob(f"**/{name}"))


def when_ready(dev: Dev) -> dict[str, Any]:
    assert dev.stdout is not None
    assert dev.stderr is not None
    line = dev.stdout.readline()
    assert line, dev.stderr.read()
    described: dict[str, Any] = json.loads(line)
    return described


def test_two_systems_run_side_by_side_and_stop_without_a_trace(tmp_path: Path) -> None:
    parts = ("--only", "temporal,mail", "--ports", "auto", "--json")
    first = start(tmp_path / "first", *parts)
    second = start(tmp_path / "second", *parts)
    with ended(first, second):
        described = [when_ready(first), when_ready(second)]
        assert described[0]["temporal"] != described[1]["temporal"]
        third = start(tmp_path / "first", *parts)
        _, refusal = third.communicate()
        assert third.returncode == 1
        assert f"pid {first.pid}" in refusal
        assert "--data" in refusal
    assert (first.returncode, second.returncode) == (0, 0)
    pids = [pid for system in described for pid in system["pids"].values()]
    assert len(pids) == 4
    assert not [pid for pid in pids if is_running(pid)]


# Runs until its input ends, without the guard that would tidy up if it were killed.
UNGUARDED = """
import asyncio, json, sys
from pathlib import Path
from unittest.mock import patch
from devstack.ports import free_ports
from devstack.stack import Options, Stack

async def run() -> None:
    parts = ("postgres", "temporal")
    data = Path(sys.argv[1])
    async with Stack(Options(data=data, ports=free_ports(), parts=parts)) as stack:
        print(json.dumps(stack.describe()), flush=True)
        await asyncio.to_thread(sys.stdin.read)

with patch("devstack.stack.Guard"):
    asyncio.run(run())
"""


@pytest.fixture
def unguarded_data(tmp_path: Path) -> Iterator[Path]:
    """A data directory of systems that nobody else tidies up after."""
    yield tmp_path
    stop_orphans(Record(tmp_path / "processes.json"))


def start_unguarded(data: Path) -> Dev:
    return subprocess.Popen(
        [sys.executable, "-c", UNGUARDED, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_start_copes_with_what_a_killed_system_left_behind(
    unguarded_data: Path,
) -> None:
    killed = start_unguarded(unguarded_data)
    left = when_ready(killed)["pids"].values()
    killed.kill()
    killed.communicate()
    assert all(is_running(pid) for pid in left)
    successor = start_unguarded(unguarded_data)
    now = when_ready(successor)["pids"].values()
    assert not any(is_running(pid) for pid in left)
    assert all(is_running(pid) for pid in now)
    successor.communicate()
    assert not any(is_running(pid) for pid in now)


async def test_a_stop_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    dev = start_infrastructure(tmp_path)
    with ended(dev):
        # The guard, PostgreSQL (or the making of its files) and Temporal.
        await eventually(lambda: len(psutil.Process(dev.pid).children()) == 3)
        children = psutil.Process(dev.pid).children(recursive=True)
        dev.send_signal(signal.SIGINT)
        await asyncio.to_thread(dev.communicate)
    assert dev.returncode == 128 + signal.SIGINT
    assert not [child for child in children if is_running(child.pid)]
    assert not find(tmp_path, "postmaster.pid")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "postgers"], "no part is called postgers"),
        (["full"], "goes with --demo"),
        (["--demo", "novel"], "no demo"),
        (["--demo", "--only", "postgres"], "needs every part"),
        (["--carrier-step-seconds", "0"], "--carrier-step-seconds"),
    ],
)
def test_a_mistake_on_the_command_line_is_explained(
    options: list[str], message: str
) -> None:
    refusal = CliRunner().invoke(app, options)
    assert refusal.exit_code == 2
    assert message in refusal.stderr


def test_a_place_that_cannot_hold_data_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    dev = start(tmp_path / "file" / "below", "--only", "mail", "--ports", "auto")
    told, traceback = dev.communicate()
    assert (dev.returncode, traceback) == (1, "")
    assert "Not a directory" in told
    assert "--data DIR" in told


def test_data_that_a_part_cannot_use_can_be_forgotten(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "mail").touch()
    options = ("--only", "mail", "--ports", "auto", "--exit")
    refused = start(tmp_path, *options)
    told, _ = refused.communicate()
    assert refused.returncode == 1
    assert "dev --fresh" in told
    afresh = start(tmp_path, *options, "--fresh")
    afresh.communicate()
    assert afresh.returncode == 0


def test_parts_run_by_hand_are_told_of_the_extras(tmp_path: Path) -> None:
    parts = ("traces", "issuer", "codec")
    told = by_hand(Stack(Options(data=tmp_path, ports=free_ports(), parts=parts)))
    for name in (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OIDC_ISSUER",
        "TEMPORAL_PAYLOAD_ACTIVE_KEY",
    ):
        assert f"export {name}=" in told
