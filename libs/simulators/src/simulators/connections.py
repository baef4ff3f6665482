"""Closing a client's connection without an answer, which ASGI has no message for."""

import asyncio

from fastapi import Request, Response
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[str, int], asyncio.Transport] = {}


class KnownConnections(H11Protocol):
    """uvicorn's own HTTP protocol, whose connections can be found by their client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _open.pop(self.client, None)
        super().connection_lost(exc)


async def hang_up(request: Request) -> Response:
    """Close the connection at once. The returned response reaches nobody."""
    if request.client and (transport := _open.get(request.client)):
        transport.abort()
        await asyncio.sleep(0)  # lets uvicorn notice before it is given the response
    return Response(status_code=500)
