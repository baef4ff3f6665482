"""The resources that routes use; the application's lifespan builds them once."""

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
"""With this many tasks in the background, callers wait themselves, so that a slow
system behind the API slows them down."""
LAST_WORDS_SECONDS = 2.0
"""How long background tasks may take to end; the sweep finds what is left undone."""


@dataclass
class Dependencies:
    settings: ApiSettings
    engine: Engine
    listener: Listener
    temporal: Connection
    http: httpx2.AsyncClient
    database: PeerProbe
    authenticate: Authenticator
    rate_limiter: RateLimiter
    stranger_limiter: RateLimiter
    """For callers without a valid token, by address."""
    link_limiter: RateLimiter
    """For callers with a link from a mail."""
    draining: bool = False
    """The process is stopping: streams end, and readiness says no."""
    looking: asyncio.Task[tuple[str, str]] | None = None
    """The readiness check that runs at the moment."""
    gateways: list[object] = field(default_factory=list)
    """Each process's way to command its workflows."""
    hrefs: Mapping[str, str] = field(default_factory=dict)
    """The path of a subject, by the prefix of its id."""
    event_types: Mapping[str, str] = field(default_factory=dict)
    """Every type of event, with a sentence of what happened."""
    renderings: Renderings = field(default_factory=Renderings)
    """What was shown lately."""
    streams: Counter[str] = field(default_factory=Counter)
    """Open streams, by customer."""
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
        """Run a task that nobody waits for and that may be lost."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def unless_busy_in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a task in the background while few are; otherwise wait for it."""
        if len(self._background) < MOST_IN_BACKGROUND:
            self.in_background(work)
        else:
            await work

    def abandon(self, task: asyncio.Task[Any]) -> None:
        """Cancel it and ignore the result."""
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


# FastAPI would run a dependency that is no coroutine in a thread, for every request.
async def _deps(request: Request) -> Dependencies:
    deps: Dependencies = request.app.state.deps
    return deps


Deps = Annotated[Dependencies, Depends(_deps)]
