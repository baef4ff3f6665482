"""A part that is gone for a while, and what people are told meanwhile."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import httpx2
from devstack.subprocess import Process

from tests.faults.plan import Json

How = Literal["refuses", "is silent"]


@asynccontextmanager
async def gone(process: Process, how: How) -> AsyncIterator[None]:
    """Nothing listens there; or it takes connections and says nothing."""
    if how == "is silent":
        process.pause()
    else:
        await process.stop(seconds=0)
    try:
        yield
    finally:
        if how == "is silent":
            process.resume()
        else:
            await process.start()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Json | Callable[[], Json] | None = None
    """A callable if each request has to ask for something else."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Told:
    request: Request
    status: int
    come_again: bool
    """There is a `Retry-After`."""
    seconds: float
    """Minus what a busy machine takes to answer anything at all."""

    def __str__(self) -> str:
        return f"{self.request}: {self.status} after {self.seconds:.1f} s"


async def ask_all(
    http: httpx2.AsyncClient, requests: Sequence[Request], seconds: float
) -> list[Told]:
    """Ask everything at once, again and again for so long, and at least once."""
    until = time.monotonic() + seconds
    told: list[Told] = []
    while not told or time.monotonic() < until:
        told += await asyncio.gather(*(_ask(http, request) for request in requests))
    return told


async def _ask(http: httpx2.AsyncClient, request: Request) -> Told:
    answer, seconds = await _timed(http, request)
    _, in_any_case = await _timed(http, Request("GET", "/health"))
    return Told(
        request,
        answer.status_code,
        "retry-after" in answer.headers,
        seconds - in_any_case,
    )


async def _timed(
    http: httpx2.AsyncClient, request: Request
) -> tuple[httpx2.Response, float]:
    began = time.monotonic()
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = request.body() if callable(request.body) else request.body
    answer = await http.request(request.method, request.path, json=body, headers=key)
    return answer, time.monotonic() - began
