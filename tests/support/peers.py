"""The payment provider, the carrier and the API as peers that can be reached.

One socket for a test process, and behind it each test's own applications under names of
their own: a test's faults, books and clock are nobody else's.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from simulators.carrier.app import carrier_simulator
from simulators.connections import KnownConnections
from simulators.database import Database
from simulators.payments.app import payment_simulator
from simulators.payments.provider import Terms
from simulators.server import Simulator

Json = dict[str, Any]

# A refund that settles later does so when the test moves the simulator's clock.
TERMS = Terms(expiring_seconds=60, refund_seconds=3600)


@dataclass
class Gate:
    """Stops requests half-way: `reached` when the first is there, on until `open`."""

    pattern: re.Pattern[str]
    after_effect: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> None:
        self._opened.set()

    async def passed(self) -> None:
        self.reached.set()
        await self._opened.wait()


class Peer:
    """An ASGI application that others reach at `url`, and that a test may hold up."""

    def __init__(self, app: Any, url: str) -> None:
        self._app = app
        self._gates: list[Gate] = []
        self.url = url
        # Raising would end the test in the wrong place; a 500 is what others see.
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx2.AsyncClient(transport=transport, base_url="http://peer")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        subject = f"{scope['method']} {scope['path']}"
        gates = [gate for gate in self._gates if gate.pattern.search(subject)]
        for gate in gates:
            if not gate.after_effect:
                await gate.passed()

        async def answer(message: Any) -> None:
            for gate in gates:
                if gate.after_effect:
                    await gate.passed()
            await send(message)

        await self._app(scope, receive, answer)

    @contextmanager
    def gate(self, pattern: str, *, after_effect: bool = False) -> Iterator[Gate]:
        """Hold up requests such as `POST /v1/refunds`, before or after their effect."""
        gate = Gate(re.compile(pattern), after_effect)
        self._gates.append(gate)
        try:
            yield gate
        finally:
            self._gates.remove(gate)
            gate.open()

    @contextmanager
    def replaced_by(self, app: Any) -> Iterator[None]:
        """Another application answers at this address for the length of the block."""
        own, self._app = self._app, app
        try:
            yield
        finally:
            self._app = own

    async def strike(self, kind: str, path: str = "", **fields: Any) -> None:
        """Switch a fault on: see the simulators' README."""
        await self._post("/_sim/faults", {"kind": kind, "path": path, **fields})

    async def recover(self) -> None:
        (await self.http.delete("/_sim/faults")).raise_for_status()

    async def reset(self) -> None:
        """As if nobody had ever asked it for anything."""
        await self._post("/_sim/reset", {})

    async def books(self) -> list[Json]:
        entries: list[Json] = (await self.http.get("/_sim/books")).json()
        return entries

    async def scan(self, tracking: str | None, status: str) -> None:
        """The carrier has seen the parcel."""
        await self._post(f"/v1/trackers/{tracking}/scan", {"status": status})

    async def authenticate(self, *, succeed: bool) -> None:
        """The customer answers their bank, for the one payment that waits for it."""
        waiting = [b for b in await self.books() if b["status"] == "requires_action"]
        (intent,) = (book["payment_intent"] for book in waiting)
        path = f"/_sim/payment_intents/{intent}/authenticate"
        await self._post(path, {"succeed": succeed})

    async def dispute(self, intent: str | None, **how: Any) -> None:
        """The customer asks their bank for the money."""
        await self._post(f"/_sim/payment_intents/{intent}/dispute", how)

    async def decide_dispute(self, dispute: str, *, won: bool) -> None:
        await self._post(f"/_sim/disputes/{dispute}/end", {"won": won})

    async def advance(self, seconds: float) -> None:
        await self._post("/_sim/clock", {"advance_seconds": seconds})

    async def _post(self, path: str, body: Json) -> None:
        (await self.http.post(path, json=body)).raise_for_status()


class Host:
    """The socket, and who is behind it."""

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name, _, path = scope["path"].removeprefix("/").partition("/")
        await self._peers[name]({**scope, "path": f"/{path}"}, receive, send)

    @asynccontextmanager
    async def peer(self, app: Any, name: str) -> AsyncIterator[Peer]:
        peer = self._peers[name] = Peer(app, f"{self.url}/{name}")
        try:
            async with peer.http:
                yield peer
        finally:
            del self._peers[name]

    @asynccontextmanager
    async def simulator(self, simulator: Simulator, name: str) -> AsyncIterator[Peer]:
        loops = [asyncio.ensure_future(loop()) for loop in simulator.loops]
        try:
            async with self.peer(simulator.app, name) as peer:
                yield peer
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


@asynccontextmanager
async def hosting() -> AsyncIterator[Host]:
    host = Host()
    config = uvicorn.Config(
        host, port=0, http=KnownConnections, log_config=None, lifespan="off", ws="none"
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    await server.is_up.wait()
    host.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        server.should_exit = server.force_exit = True
        await running


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # They are pytest's.
        yield


def payments_simulator(data: Path, webhooks: str, secret: str) -> Simulator:
    return payment_simulator(Database(data), TERMS, webhooks, secret)


def parcels_simulator(data: Path, webhooks: str, secret: str) -> Simulator:
    """Parcels move when the test scans them."""
    return carrier_simulator(Database(data), None, webhooks, secret)
