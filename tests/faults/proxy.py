"""A TCP proxy that makes a network of a loopback address: slow, broken, or silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from devstack.ports import HOST

_CHUNK = 65_536
DELAY_SECONDS = 0.3
"""For each chunk and direction."""


class Proxy:
    """Passes everything on to `port`, unless told otherwise."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._passing = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._delay_seconds = 0.0
        self._dropping = False
        self.port = 0
        self.was_used = False
        self.heal()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Listens, at `port`, from entering to leaving."""
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self._hang_up()

    def heal(self) -> None:
        """Pass everything on again, also what was swallowed."""
        self._delay_seconds = 0.0
        self._dropping = False
        self._passing.set()

    def delay(self) -> None:
        self._delay_seconds = DELAY_SECONDS

    async def drop(self) -> None:
        """Cut every connection, and every new one as soon as it is made."""
        self._dropping = True
        await self._hang_up()

    def black_hole(self) -> None:
        """Take connections and answer nothing. As in a network, what was sent
        meanwhile arrives once it is healed."""
        self._passing.clear()

    async def _hang_up(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._dropping:
            writer.transport.abort()
            return
        # A task of our own: asyncio complains of cancelled handlers.
        task = asyncio.create_task(self._join(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        transports = [writer.transport]
        try:
            await self._passing.wait()
            there, back = await self._dial()
            transports.append(back.transport)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pump(reader, back))
                ways.create_task(self._pump(there, writer))
        except (OSError, ExceptionGroup):
            pass  # one end is gone, and now the other hears of it
        finally:
            for transport in transports:
                transport.abort()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self._upstream)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(_CHUNK):
            self.was_used = True
            await asyncio.sleep(self._delay_seconds)
            await self._passing.wait()
            sink.write(chunk)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()
