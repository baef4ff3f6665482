"""What the routes work with; built once, by the application's lifespan."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import httpx2
from fastapi import Depends, Request
from shared.database.engine import Engine
from shared.database.listen import Listener
from shared.platform.connection import Connection

from api.http.auth import Authenticator
from api.http.peer_probe import PeerProbe
from api.http.rate_limits import RateLimiter
from api.http.renderings import Renderings
from api.settings import ApiSettings

G = TypeVar("G")

MOST_IN_BACKGROUND = 64
"""Beyond this many, callers wait again: whoever is slow behind the API slows them."""
LAST_WORDS_SECONDS = 2.0
"""What is done in the background may end; what takes longer is found by the sweep."""


@dataclass
class Services:
    settings: ApiSettings
    engine: Engine
    listener: Listener
    temporal: Connection
    http: httpx2.AsyncClient
    database: PeerProbe
    authenticate: Authenticator
    rate_limiter: RateLimiter
    stranger_limiter: RateLimiter
    """Of callers without a token that is good, by address."""
    link_limiter: RateLimiter
    """Of who comes by a link in a mail."""
    draining: bool = False
    """Asked to stop: streams end, and readiness says no."""
    looking: asyncio.Task[tuple[str, str]] | None = None
    """What finds out at the moment whether this process is ready."""
    gateways: list[object] = field(default_factory=list)
    """What each process commands its workflows with."""
    hrefs: Mapping[str, str] = field(default_factory=dict)
    """Where a subject is found, by the prefix of its id."""
    event_types: Mapping[str, str] = field(default_factory=dict)
    """Every type of event, with what has happened then."""
    renderings: Renderings = field(default_factory=Renderings)
    """What callers were shown lately."""
    streams: Counter[str] = field(default_factory=Counter)
    """Those that are open, by the customer who listens."""
    _background: set[asyncio.Task[Any]] = field(default_factory=set)

    def gateway(self, kind: type[G]) -> G:
        """The one gateway of this class. Raises `LookupError` without its process."""
        for gateway in self.gateways:
            if isinstance(gateway, kind):
                return gateway
        raise LookupError(f"no process brings a {kind.__name__}")

    def drain(self) -> None:
        self.draining = True
        self.listener.wake_all()

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that nobody has to wait for, and that may be lost."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def unless_busy_in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """The same while little is under way; else it is waited for."""
        if len(self._background) < MOST_IN_BACKGROUND:
            self.in_background(work)
        else:
            await work

    def abandon(self, task: asyncio.Task[Any]) -> None:
        """Have it end without anybody waiting; nobody hears how."""
        task.cancel()
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def close(self) -> None:
        if self._background:
            _, late = await asyncio.wait(self._background, timeout=LAST_WORDS_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.listener.stop()
        await self.temporal.close()
        await self.http.aclose()
        await self.engine.dispose()


# A dependency that is no coroutine would be sent to a thread with every request.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ApiServices = Annotated[Services, Depends(_services)]
