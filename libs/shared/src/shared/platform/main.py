"""Starts and ends every process of ours."""

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Coroutine
from typing import Any, NoReturn

from shared.platform.settings import SettingsError

MISCONFIGURED = 2
LOADED_AFTER_SECONDS = 10.0
"""After this time a service has imported and built what it needs."""
LAST_WORDS_SECONDS = 2.0
"""How long remaining tasks may take to end with the process."""


def run_main(main: Coroutine[Any, Any, int]) -> NoReturn:
    """Run `main` and end the process with the status that it returns, whatever still
    runs: `asyncio.run` would wait for ever for a task that ignores its cancellation,
    and for a stuck thread.

    Ends by `os._exit`: CPython 3.11 and 3.12 sometimes abort with status 134 while the
    Temporal SDK's threads are torn down, after all work is done (sdk-python #300).
    """
    status = 1
    try:
        status = asyncio.Runner().run(_run(main))
    except SettingsError as error:
        print(error, file=sys.stderr)
        status = MISCONFIGURED
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _run(main: Coroutine[Any, Any, int]) -> int:
    asyncio.get_running_loop().call_later(LOADED_AFTER_SECONDS, freeze_heap)
    try:
        return await main
    finally:
        await _end_the_rest()


async def _end_the_rest() -> None:
    """Give tasks that `main` left behind a moment to clean up, and not hold up the
    end."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=LAST_WORDS_SECONDS)


def freeze_heap() -> None:
    """Exclude everything loaded so far from garbage collection: it stays until the end,
    and scanning it with every full collection would stop a service for a tenth of a
    second."""
    gc.collect()
    gc.freeze()


def stop_event() -> asyncio.Event:
    """Set when the process is asked to stop by SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
