"""Clients that are slow, huge or make no sense, on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Sized
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest
from api.app import create_app
from api.http.request_limits import MAX_BODY_BYTES, MAX_HEAD_BYTES
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tests.api.conftest import MakeSettings
from tests.api.serving import serving
from tests.api.shop import Json, eventually

SOON = timedelta(seconds=0.5)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["Client"]:
    reader, writer = await asyncio.open_connection(
        httpx2.URL(url).host, httpx2.URL(url).port
    )
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


class Client:
    """Says what it is told to, byte by byte, and hears until it is hung up on."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *lines: str, body: bytes = b"") -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode() + body)

    async def heard(self) -> tuple[int, dict[str, str], Json]:
        """The answer; only if the server hung up after it."""
        head, _, body = (await self.reader.read()).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(status.split()[1]), headers, json.loads(body)


async def _lines(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [record.message for record in caplog.records if record.name == name]


async def _none(things: Sized) -> bool:
    return len(things) == 0


def is_problem(answer: tuple[int, dict[str, str], Json], status: int) -> bool:
    told, headers, problem = answer
    return (
        told == problem["status"] == status
        and headers["content-type"] == "application/problem+json"
        and headers["x-request-id"] == problem["trace_id"] != ""
        and headers["x-content-type-options"] == "nosniff"
        and "default-src 'none'" in headers["content-security-policy"]
    )


@pytest.fixture
async def url(make_settings: MakeSettings) -> AsyncIterator[str]:
    app = create_app(make_settings(api_client_timeout=SOON))
    async with serving(app) as (_, url):
        yield url


@pytest.fixture
async def patient_url(make_settings: MakeSettings) -> AsyncIterator[str]:
    async with serving(create_app(make_settings())) as (_, url):
        yield url


async def test_a_head_that_does_not_end_times_out(url: str) -> None:
    async with connected(url) as client:
        client.say("GET /health HTTP/1.1", "Host: x", "X-Slow: ")
        assert is_problem(await client.heard(), 408)


async def test_one_byte_now_and_then_gains_no_time(url: str) -> None:
    async with connected(url) as client:
        client.say("GET /health HTTP/1.1", "Host: x")

        async def drip() -> None:
            while True:
                client.writer.write(b"X: y\r\n")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert is_problem(await client.heard(), 408)
        dripping.cancel()


async def test_a_client_that_says_nothing_is_disconnected(url: str) -> None:
    async with connected(url) as client:
        assert await client.reader.read() == b""


async def test_a_body_that_does_not_come_times_out(url: str) -> None:
    async with connected(url) as client:
        client.say(
            "POST /v1/webhooks/stripe HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Content-Length: 100",
            "",
            body=b"{",
        )
        assert is_problem(await client.heard(), 408)


async def test_a_slow_client_holds_up_nobody_else(patient_url: str) -> None:
    """Nothing is held for them: neither a connection to the database nor a thread."""
    async with connected(patient_url) as slow:
        slow.say(
            "POST /v1/orders HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Content-Length: 100",
            "",
        )
        async with httpx2.AsyncClient(base_url=patient_url) as client:
            assert (await client.get("/v1/products")).status_code == 200


async def test_the_rest_of_a_body_that_was_refused_is_not_awaited_for_ever(
    url: str,
) -> None:
    async with connected(url) as client:
        client.say(
            "POST /v1/orders HTTP/1.1",
            "Host: x",
            f"Content-Length: {MAX_BODY_BYTES + 1}",
            "",
            body=b"{",
        )
        assert is_problem(await client.heard(), 413)


async def test_a_head_that_is_too_large_is_refused_while_it_comes(
    patient_url: str,
) -> None:
    async with connected(patient_url) as client:
        client.say("GET /health HTTP/1.1", "X: " + "x" * (MAX_HEAD_BYTES + 1))
        assert is_problem(await client.heard(), 431)


@pytest.mark.parametrize(
    "lines",
    [
        ("nonsense", ""),
        ("GET /health HTTP/1.1", "Host: a", "Host: b", ""),
        ("GET /hea\x00lth HTTP/1.1", "Host: a", ""),
        ("GET /health HTTP/1.1", "Host: a", "X: a\x00b", ""),
        ("POST /v1/orders HTTP/1.1", "Host: a", "Content-Length: -1", ""),
        ("POST /v1/orders HTTP/1.1", "Host: a", "Content-Length: 1, 2", ""),
        ("POST /v1/orders HTTP/1.1", "Host: a", "Transfer-Encoding: gzip", ""),
        (
            "POST /v1/orders HTTP/1.1",
            "Host: a",
            "Content-Length: 5",
            "Content-Length: 6",
            "",
        ),
    ],
)
async def test_what_is_not_http_is_a_problem(
    patient_url: str, lines: tuple[str, ...]
) -> None:
    async with connected(patient_url) as client:
        client.say(*lines)
        status, headers, problem = await client.heard()
        assert status in (400, 501)
        assert problem["type"].endswith("/problems/malformed")
        assert headers["connection"] == "close"


async def test_a_body_that_makes_no_sense_is_a_problem(
    patient_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(patient_url) as client:
        client.say(
            "POST /v1/webhooks/stripe HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Transfer-Encoding: chunked",
            "",
            "no length",
            "",
        )
        assert is_problem(await client.heard(), 400)
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


async def test_a_body_has_one_end(patient_url: str) -> None:
    async with connected(patient_url) as client:
        client.say(
            "POST /v1/webhooks/stripe HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
            "",
            "0",
            "",
            "GET /health HTTP/1.1",
            "Host: x",
            "",
        )
        answer = await client.heard()
    assert is_problem(answer, 400)
    assert answer[1]["connection"] == "close"


async def test_a_client_that_leaves_while_it_sends_is_no_error(
    patient_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api.access")
    async with connected(patient_url) as client:
        client.say(
            "POST /v1/webhooks/stripe HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Content-Length: 100",
            "",
            body=b"{",
        )
        await client.writer.drain()
    await eventually(lambda: _lines(caplog, "api.access"))
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


async def test_a_reader_that_stops_reading_is_cut_off(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """As one of a stream of events that never reads them."""
    app = create_app(make_settings(api_client_timeout=SOON))
    over = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\n\n" * 4096
                await asyncio.sleep(0)
        finally:
            over.set()

    @app.get("/endless")
    async def stream() -> StreamingResponse:
        return StreamingResponse(endless(), media_type="text/event-stream")

    async with serving(app) as (server, url), connected(url) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.say("GET /endless HTTP/1.1", "Host: x", "")
        await over.wait()
        await eventually(lambda: _none(server.server_state.connections))
    assert "was cut off" in caplog.text


async def test_a_client_that_reads_slowly_but_steadily_is_served(
    make_settings: MakeSettings,
) -> None:
    app: FastAPI = create_app(make_settings())

    @app.get("/large")
    async def large() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(200):
                yield b"x" * 65536

        return StreamingResponse(parts())

    async with serving(app) as (_, url), httpx2.AsyncClient(base_url=url) as client:
        got = 0
        async with client.stream("GET", "/large") as answer:
            async for part in answer.aiter_bytes():
                got += len(part)
    assert got == 200 * 65536
