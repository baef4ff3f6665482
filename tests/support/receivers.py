"""Receivers of webhooks that misbehave as told, and remember what they heard."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from devstack.ports import some_free

HANGS = 0
"""In the place of a status: there is no answer."""


@dataclass(frozen=True)
class Heard:
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def seq(self) -> int:
        return int(self.event["seq"])

    @property
    def subject(self) -> str:
        return str(self.event["subject"])


Behaviour = Callable[[Heard], int]
"""The status of the answer to what was heard, or `HANGS`."""


def well(_: Heard) -> int:
    return 204


class Receiver:
    """An endpoint. `behaviour` may be changed at any time."""

    def __init__(self, behaviour: Behaviour = well) -> None:
        self.behaviour = behaviour
        self.heard: list[Heard] = []
        self.answer_headers: list[tuple[bytes, bytes]] = []
        self.answer = b""
        self.url = ""
        self.port = next(some_free())  # kept free while the receiver is away
        self._more = asyncio.Condition()
        self._server: uvicorn.Server | None = None

    @property
    def accepted(self) -> list[Heard]:
        return [one for one in self.heard if 200 <= one.status < 300]

    async def until(self, done: Callable[[], bool]) -> None:
        """What is heard fulfils a condition. The test's time-out is its limit."""
        async with self._more:
            await self._more.wait_for(done)

    async def until_accepted(self, count: int) -> Sequence[Heard]:
        await self.until(lambda: len({one.id for one in self.accepted}) >= count)
        return self.accepted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (part := await receive()).get("more_body"):
            body += part["body"]
        if part["type"] == "http.disconnect":
            return  # who was sending it has died
        body += part.get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = self.behaviour(Heard(headers, body, 0))
        async with self._more:
            self.heard.append(Heard(headers, body, status))
            self._more.notify_all()
        if status == HANGS:
            await receive()  # until the caller has gone
            return
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": self.answer_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.answer})

    @asynccontextmanager
    async def listening(
        self, certificate: Path | None = None, host: str = "127.0.0.1"
    ) -> AsyncIterator["Receiver"]:
        """On a port of its own, the same again after it was away; `certificate` is a
        folder with `tls.crt` and `tls.key`."""
        tls: dict[str, Any] = {}
        if certificate is not None:
            tls = {
                "ssl_certfile": certificate / "tls.crt",
                "ssl_keyfile": certificate / "tls.key",
            }
        config = uvicorn.Config(
            self,
            host=host,
            port=self.port,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=0,
            **tls,
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve())
        while not server.started:
            assert not running.done(), "the receiver did not start"
            await asyncio.sleep(0.01)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://{host}:{self.port}/hook"
        try:
            yield self
        finally:
            server.should_exit = server.force_exit = True
            await running
