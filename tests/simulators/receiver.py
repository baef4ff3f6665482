"""A shop's end of the webhooks: takes them, or fails to, and lets a test wait."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response

from tests.simulators.serving import serving


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    def is_about(self, object_id: str) -> bool:
        return object_id in self.body.decode()


class Receiver:
    """refusals: how many of the next requests to answer with 500."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.refusals = 0
        self._news = asyncio.Condition()

    async def take(self, request: Request) -> Response:
        got = Received(dict(request.headers), await request.body())
        async with self._news:
            if self.refusals:
                self.refusals -= 1
                return Response(status_code=500)
            self.received.append(got)
            self._news.notify_all()
        return Response(status_code=200)

    async def wait_for(
        self, wanted: Callable[[Received], bool], count: int = 1
    ) -> list[Received]:
        """The first `count` that are wanted, in the order of their arrival."""

        def found() -> list[Received]:
            return [got for got in self.received if wanted(got)]

        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(found()) >= count)
        return found()[:count]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = FastAPI()
    app.add_api_route("/hooks", receiver.take, methods=["POST"])
    async with serving(app) as base_url:
        receiver.url = f"{base_url}/hooks"
        yield receiver
