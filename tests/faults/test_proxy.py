"""What the proxy does to a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devstack.ports import HOST

from tests.faults.proxy import Proxy

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with echo() as port, Proxy(port).running() as proxy:
        yield proxy


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Ends]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    yield reader, writer
    writer.close()


async def said(ends: Ends, line: bytes = b"hello\n") -> bytes:
    reader, writer = ends
    writer.write(line)
    return await reader.readline()


async def is_cut_off(ends: Ends) -> bool:
    try:
        return not await said(ends)
    except ConnectionError:
        return True


async def test_it_passes_on_what_is_said(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        assert await said(ends) == b"hello\n"


async def test_what_a_black_hole_swallowed_arrives_when_it_is_healed(
    proxy: Proxy,
) -> None:
    async with connected(proxy) as ends:
        await said(ends)
        proxy.black_hole()
        answer = asyncio.create_task(said(ends))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(answer), 0.1)
        proxy.heal()
        assert await answer == b"hello\n"


async def test_dropping_ends_every_connection_and_every_new_one(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        await said(ends)
        await proxy.drop()
        assert await is_cut_off(ends)
    async with connected(proxy) as ends:
        assert await is_cut_off(ends)
    proxy.heal()
    async with connected(proxy) as ends:
        assert await said(ends) == b"hello\n"


async def test_an_end_that_closes_is_heard_of_at_the_other(proxy: Proxy) -> None:
    async with connected(proxy) as (reader, writer):
        writer.write_eof()
        assert await reader.read() == b""
