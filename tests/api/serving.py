"""The API on a socket of its own: for streams, which no in-process transport shows."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from api.http.connections import Connection
from api.http.request_limits import MAX_HEAD_BYTES
from api.http.server import drain
from fastapi import FastAPI
from shared.platform.serving import DrainingServer

from tests.api.shop import Json


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[tuple[DrainingServer, str]]:
    """The server and its address. It has stopped when the block is left."""
    config = uvicorn.Config(
        app,
        port=0,
        http=Connection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        log_config=None,
        lifespan="on",
    )
    server = DrainingServer(config, lambda: drain(app), seconds=0)
    running = asyncio.create_task(server._serve())
    while not server.started:
        assert not running.done(), "the server did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.begin_to_drain()
        await running


async def events(stream: httpx2.Response) -> AsyncGenerator[Json, None]:
    """What a browser would hear."""
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
