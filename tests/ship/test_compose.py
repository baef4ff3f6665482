"""The system that docker/compose.yaml describes comes up in its order, and delivers."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from console.settings import ConsoleSettings
from shared.platform.settings import load_settings

from tests.ship.composed import POSTGRESQL, environment, in_order, read
from tests.ship.dockerfile import ROOT

CHAIN = ["postgresql", "temporal-schema", "temporal", "temporal-namespace", "worker"]
# Of their images, and to have a network of one's own.
PROGRAMS = ("temporal-server", "temporal-sql-tool", "wget", "unshare", "ip")


@pytest.fixture
def logs() -> Iterator[Path]:
    # Not pytest's own directory: that is closed to PostgreSQL's user.
    with tempfile.TemporaryDirectory(prefix="orders-compose-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


def test_services_start_after_those_they_need() -> None:
    order = in_order(read()["services"])
    assert [name for name in order if name in CHAIN] == CHAIN


def test_the_console_takes_what_the_file_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment(read()["services"]["console"]).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(ConsoleSettings)
    assert {"ada", "grace", "alan", "flo", "wim"} == settings.console_people.keys()
    assert (settings.bind_host, len(settings.session_keys)) == ("127.0.0.1", 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_composed_system_delivers_and_takes_back(logs: Path) -> None:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    if os.geteuid() != 0 or not POSTGRESQL.exists():
        pytest.skip("needs root and Debian's PostgreSQL")
    inside = f'ip link set lo up && exec "{sys.executable}" -m tests.ship.composed "$0"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", inside, logs],
        cwd=ROOT,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert "The books balance" in done.stdout
