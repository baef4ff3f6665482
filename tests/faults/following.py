"""Somebody who looks on while an order changes."""

import asyncio
from contextlib import suppress

import httpx2
from shared.database.listen import Wake

RECONNECT_SECONDS = 0.1


class Follower:
    """A browser's EventSource: comes again, with the last id that it has heard."""

    def __init__(self, http: httpx2.AsyncClient, order_id: str) -> None:
        self._http = http
        self._path = f"/v1/orders/{order_id}/events"
        self._news = Wake()
        self.heard: list[int] = []
        self.streams = 0

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(httpx2.TransportError):
                await self._listen()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def has_heard(self, event: int) -> None:
        while not self.heard or self.heard[-1] < event:
            await self._news.wait(1)

    async def has_opened(self, streams: int) -> None:
        while self.streams < streams:
            await self._news.wait(1)

    async def _listen(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.heard:
            headers["Last-Event-ID"] = str(self.heard[-1])
        async with self._http.stream("GET", self._path, headers=headers) as stream:
            self.streams += stream.is_success
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    self.heard.append(int(line.removeprefix("id: ")))
                    self._news.call()
