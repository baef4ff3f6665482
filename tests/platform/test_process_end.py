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


@pytest.mark.parametrize(
    "body",
    [
        "asyncio.create_task(deaf()); await asyncio.sleep(0)",
        "asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)",
    ],
    ids=["a task that ignores its end", "a thread that is stuck"],
)
def test_nothing_that_is_stuck_holds_up_the_end(body: str) -> None:
    deaf = """
import time
async def deaf():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
"""
    ended = run(deaf + PROGRAM.format(body=f"{body}; return 4"))
    assert ended.returncode == 4


def test_what_is_left_behind_may_tidy_up() -> None:
    tidy = """
async def tidy():
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0.01)
        print(" and tidied up", end="")
"""
    body = "asyncio.create_task(tidy()); await asyncio.sleep(0); return 0"
    ended = run(tidy + PROGRAM.format(body=body))
    assert (ended.returncode, ended.stdout) == (0, "printed and tidied up")


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
