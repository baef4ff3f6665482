"""The API on its socket."""

from fastapi import FastAPI
from shared.platform import serving

from api.http.connections import Connection
from api.http.dependencies import Dependencies
from api.http.request_limits import MAX_HEAD_BYTES
from api.settings import AccessSettings


async def serve(app: FastAPI, settings: AccessSettings) -> bool:
    """Serve until asked to stop. False if it could not start."""
    return await serving.serve(
        app,
        lambda: drain(app),
        settings.api_drain.total_seconds(),
        host=settings.bind_host,
        port=settings.api_port,
        forwarded_allow_ips=settings.api_trusted_proxies,
        http=Connection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )


def drain(app: FastAPI) -> None:
    """Become unready, and end all streams. The codec server has neither."""
    deps: Dependencies | None = getattr(app.state, "deps", None)
    if deps is not None:
        deps.drain()
