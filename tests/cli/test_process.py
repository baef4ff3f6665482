"""The command line as a program: how it starts and how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_needs_nothing_of_temporal() -> None:
    code = "import cli.app, sys; print([m for m in sys.modules if 'temporal' in m])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_without_an_api_it_says_what_to_look_at_and_nothing_more() -> None:
    done = run("list", ORDERS_API_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "ORDERS_API_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_taught_the_commands(shell: str) -> None:
    # A shell asks a program for its own script by this variable.
    code = "import sys; sys.argv = ['orders']; from cli.app import app; app()"
    script = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_ORDERS_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_ORDERS_COMPLETE=complete_" in script.stdout


async def test_watching_ends_with_control_c() -> None:
    server = await asyncio.start_server(answer_nothing_to_list, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    watching = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "list", "--watch", "-o", "json"),
        env={**os.environ, "ORDERS_API_URL": f"http://127.0.0.1:{port}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert watching.stdout is not None
    assert await watching.stdout.readline() == b"{\n"
    watching.send_signal(signal.SIGINT)
    _, err = await watching.communicate()
    server.close()
    assert (watching.returncode, err) == (0, b"")


async def answer_nothing_to_list(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    body = b'{"data": [], "next_cursor": null}'
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with suppress(asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(head + body)
            await writer.drain()
    writer.close()
