"""The process around a simulator: its options, its socket, its end."""

import argparse
import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from simulators.connections import KnownConnections

# Answers that a fault delays may be cut off after this when the process is to end.
GRACE_SECONDS = 1
# Longer than clients keep idle connections, so that they are the ones who close them.
KEEP_ALIVE_SECONDS = 120
BACKLOG = 512

Loop = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Simulator:
    """An application and what runs beside it, for as long as it does."""

    app: FastAPI
    loops: Sequence[Loop]


def simulator_options(name: str, purpose: str) -> argparse.ArgumentParser:
    """The options that every simulator has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m simulators.{name}", description=purpose
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, required=True, help="0 takes a free one; see the first line"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FILE", help="SQLite file, kept"
    )
    parser.add_argument("--webhook-url", help="receiver of events; without it, none")
    parser.add_argument("--webhook-secret", default="", help="whsec_…")
    return parser


def serve(simulator: Simulator, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then exit with status 0.

    Prints `{"url": …}` on a line of its own once connections are accepted.
    """
    # uvicorn takes the signals while it runs and raises them again when it is done.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    asyncio.run(_run(simulator, listening))


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only then; with
    # it each answer takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    # From here on a client that comes before uvicorn is ready waits.
    listening.listen(BACKLOG)
    return listening


async def _run(simulator: Simulator, listening: socket.socket) -> None:
    config = uvicorn.Config(
        simulator.app,
        http=KnownConnections,
        log_level="warning",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # A loop that fails ends the process, and loudly: half a simulator is no peer.
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(loop()) for loop in simulator.loops]
        await uvicorn.Server(config).serve(sockets=[listening])
        for task in running:
            task.cancel()
