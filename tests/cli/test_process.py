"""The command line as a program: how it starts and how it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from cli.app import app
from cli.problems import CliError
from typer.testing import CliRunner


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


def test_a_token_goes_to_nobody_who_might_be_listening() -> None:
    secret = "a-token-that-nobody-should-see"

    def told(url: str) -> str:
        env = {"ORDERS_API_URL": url, "ORDERS_TOKEN": secret}
        ended = CliRunner().invoke(app, ["list"], env=env)
        assert isinstance(ended.exception, CliError)
        assert secret not in ended.output + str(ended.exception)
        return str(ended.exception)

    for far in ("api.example.com", "127.0.0.1.example.com", "10.1"):
        assert "https://" in told(f"http://{far}")
    for near in ("127.0.0.1:1", "localhost:1", "[::1]:1"):
        assert "No answer from" in told(f"http://{near}")


HOSTILE = "\x1b]0;owned\x07 \x9b2J a\u202eb \r\n"


@pytest.mark.parametrize("output", ["table", "json"])
async def test_a_terminal_obeys_nothing_that_the_api_says(output: str) -> None:
    """Whoever filled a field in, and whatever answers in the API's place."""
    product = {"sku": HOSTILE, "name": HOSTILE, "price": {"amount": 1, "currency": ""}}
    rest = dict.fromkeys(("tax_bp", "backorder", "returnable", "active"), 1)
    rows = {"data": [product | rest], "next_cursor": None}
    for status, body in ((200, rows), (500, {"title": HOSTILE, "detail": HOSTILE})):
        shown = await shown_of(status, json.dumps(body), output)
        assert b"owned" in shown
        for bad in ("\x1b", "\x07", "\x9b", "\u202e", "\r"):
            assert bad.encode() not in shown


async def shown_of(status: int, body: str, output: str) -> bytes:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "products", "list", "-o", output),
            env={**os.environ, "ORDERS_API_URL": f"http://127.0.0.1:{port}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        shown, _ = await program.communicate()
    return shown


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


@dataclass
class Answers:
    """A server that gives these answers, one after another, and hangs up each time."""

    given: list[bytes]
    asked: list[bytes] = field(default_factory=list)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        self.is_asked.set()
        if self.given:
            writer.write(self.given.pop(0))
        else:
            await reader.read()  # until the other one hangs up
        writer.close()


@asynccontextmanager
async def talking_to(
    answers: Answers, *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            env={**os.environ, "ORDERS_API_URL": f"http://127.0.0.1:{port}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def an_event(seq: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    event = b'data: {"seq": %d, "type": "stock.reserved"}\nid: %d\n\n'
    return head + event % (seq, seq)


async def test_events_are_followed_over_connections_that_are_lost() -> None:
    answers = Answers(
        [
            an_event(1),
            b"HTTP/1.1 503 Draining\r\ncontent-length: 0\r\n\r\n",
            an_event(2),
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ]
    )
    follow = ("events", "ord_1", "-f", "-o", "json")
    async with talking_to(answers, *follow) as following:
        out, err = await following.communicate()
    assert (following.returncode, err) == (0, b"")
    assert [json.loads(line)["seq"] for line in out.splitlines()] == [1, 2]
    assert b"last-event-id: 2" in answers.asked[-1].lower()


async def test_what_is_interrupted_may_be_repeated_under_its_key() -> None:
    answers = Answers([])
    cancel = ("cancel", "ord_1", "--reason", "asked", "--key", "mine")
    async with talking_to(answers, *cancel) as cancelling:
        await answers.is_asked.wait()
        cancelling.send_signal(signal.SIGINT)
        _, err = await cancelling.communicate()
    assert cancelling.returncode == 1
    assert b"--key mine" in err


@pytest.mark.parametrize("command", ["show", "events"])
async def test_what_is_not_the_api_is_told_so(command: str) -> None:
    page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>"
    more = ("-f",) if command == "events" else ()
    async with talking_to(Answers([page]), command, "ord_1", *more) as asking:
        _, err = await asking.communicate()
    assert asking.returncode == 1
    assert b"ORDERS_API_URL" in err
    assert b"Traceback" not in err


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
