"""How a process of ours ends: by the status that its caller can rely on."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, atexit
from shared.platform.main import run_main, stop_event
from shared.platform.settings import SettingsError
print("printed", end="")
async def main():
    {body}
run_main(main())
"""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return 0", 0),
        ("return 3", 3),
        ("raise SettingsError('NAME: is wrong')", 2),
        ("raise ValueError('broken')", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_the_status_says_how_it_went(body: str, status: int) -> None:
    ended = run(PROGRAM.format(body=body))
    assert ended.returncode == status
    assert ended.stdout == "printed"


def test_a_wrong_setting_needs_no_traceback() -> None:
    ended = run(PROGRAM.format(body="raise SettingsError('NAME: is wrong')"))
    assert ended.stderr == "NAME: is wrong\n"


def test_a_signal_is_a_wish_to_stop() -> None:
    ended = run(
        PROGRAM.format(
            body="import os, signal; stop = stop_event();"
            " os.kill(os.getpid(), signal.SIGTERM); await stop.wait(); return 0"
        )
    )
    assert ended.returncode == 0


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
