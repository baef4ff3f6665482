"""Passes the API's events on to open pages.

A page hears only *that* something has changed, and reloads its part: rendering happens
in one place, and nobody receives what they may not see. An order's page reloads once
changes have settled (`delay`): reloading at the first one (`throttle`) would miss those
right after it. The queue may, because it also reloads now and then.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from console.api import part
from console.person import SignedIn

router = APIRouter(prefix="/live")

RETRY_MS = 3000
CLOSED_WITHIN_SECONDS = 5.0
QUEUE = ("hold.*", "order.placed", "shipment.*", "refund.*", "return.*")


@router.get("/queue")
async def follow_queue(request: Request, person: SignedIn) -> Response:
    """Stream that something has changed for the queue, the bench or the desk."""
    if not person.may("events:read"):
        # A browser that gets no stream comes again for ever; after 204 it does not.
        return Response(status_code=204)
    after = request.headers.get("last-event-id")
    stream = _events(request, person, "/v1/events", after or "latest", types=QUEUE)
    return _streamed(stream)


@router.get("/orders/{order_id}")
async def follow_order(request: Request, order_id: str, person: SignedIn) -> Response:
    if not person.may("orders:read"):
        return Response(status_code=204)
    after = request.headers.get("last-event-id") or request.query_params.get("after")
    path = f"/v1/orders/{part(order_id)}/events"
    return _streamed(_events(request, person, path, after or "0"))


def _streamed(frames: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(
        frames,
        media_type="text/event-stream",
        # No proxy may keep what should be seen at once.
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    request: Request, person: SignedIn, path: str, after: str, **params: Any
) -> AsyncIterator[bytes]:
    """Ends with the API's stream and with this process; the browser reconnects."""
    yield format_sse_event(retry=RETRY_MS)
    ending = asyncio.create_task(request.app.state.draining.wait())
    try:
        async with person.api.stream(path, after, **params) as upstream:
            if upstream.status_code != httpx2.codes.OK:
                if _is_final(upstream.status_code):
                    yield format_sse_event(event="ended", data_str="1")
                    # The page closes the stream; one that ends by itself is an error.
                    await asyncio.wait({ending}, timeout=CLOSED_WITHIN_SECONDS)
                return
            async for frame in _frames(upstream.aiter_lines(), ending):
                yield frame
    except httpx2.TransportError:
        return
    finally:
        ending.cancel()


def _is_final(status: int) -> bool:
    """Whether nothing will follow for this person. After 429 and 5xx the browser
    reconnects."""
    retried = status == httpx2.codes.TOO_MANY_REQUESTS
    return status < httpx2.codes.INTERNAL_SERVER_ERROR and not retried


async def _frames(
    lines: AsyncIterator[str], ending: asyncio.Task[bool]
) -> AsyncIterator[bytes]:
    position = ""
    while not ending.done():
        reading = asyncio.create_task(_next(lines))
        try:
            await asyncio.wait({reading, ending}, return_when="FIRST_COMPLETED")
        finally:
            # The page was closed, or this process ends.
            if not reading.done():
                reading.cancel()
        [line] = await asyncio.gather(reading, return_exceptions=True)
        if not isinstance(line, str):
            return
        name, _, value = line.partition(":")
        if name == "id":
            position = value.strip()
        elif name == "data":
            yield format_sse_event(event="changed", data_str="1", id=position or None)
        elif line.startswith(":"):
            yield KEEPALIVE_COMMENT


async def _next(lines: AsyncIterator[str]) -> str:
    """Raises `EOFError`: a task cannot raise `StopAsyncIteration`."""
    async for line in lines:
        return line
    raise EOFError
