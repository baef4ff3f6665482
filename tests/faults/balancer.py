"""What stands before several processes: a Service that knows which of them is ready."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Self

import httpx2
from devstack.ports import HOST
from devstack.probe import answers
from shared.database.listen import Wake

from tests.faults.proxy import Proxy

PROBE_SECONDS = 0.1


class Balancer(Proxy):
    """Gives each connection to the next one that was ready when it was last asked."""

    def __init__(self, http: httpx2.AsyncClient, ports: Sequence[int]) -> None:
        super().__init__(0)
        self._http = http
        self._ports = ports
        self._ready = set(ports)
        self._turns = cycle(ports)
        self._probed = Wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        probing = asyncio.create_task(self._probe())
        async with super().running():
            yield self
        probing.cancel()

    async def gives_to(self, port: int) -> None:
        """Return once connections are given to it."""
        while port not in self._ready:
            await self._probed.wait(PROBE_SECONDS)

    async def _probe(self) -> None:
        while True:
            for port in self._ports:
                ready = await answers(self._http, f"http://{HOST}:{port}/ready")
                (self._ready.add if ready else self._ready.discard)(port)
            self._probed.call()
            await asyncio.sleep(PROBE_SECONDS)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = next(port for port in self._turns if port in self._ready)
        return await asyncio.open_connection(HOST, port)
