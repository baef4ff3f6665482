"""The codec server: shows people in Temporal's UI and command line what payloads hold.

A process of its own, and not a part of the API: it has keys and no database, serves
browsers from the UI's origin, and runs only where payloads are encrypted. It lives
beside the API because it accepts the same tokens. Nothing is encoded here: whoever
could get payloads encrypted could decide what workflows believe.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import urlsplit

import httpx2
from fastapi import FastAPI, Header, Request, Response
from google.protobuf import json_format
from shared.platform.encryption import Encryption, Unreadable, data_converter
from shared.platform.telemetry import TracedTransport
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from api.http.access_log import AccessLog
from api.http.admission import check_structure
from api.http.auth import Authenticator
from api.http.oidc import authenticator
from api.http.problems import Problem, install_error_handlers
from api.http.request_limits import RequestLimits
from api.processes import PROCESSES, included_scopes
from api.settings import CodecSettings

SCOPES = tuple(process.operators for process in PROCESSES)
"""The scopes that also show an order's process in the API."""

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes. A page of a history is at most 4 MiB, and base64 makes it a third larger."""


MAX_PAYLOAD_VALUES = 40_000
"""A page of a history has 1,000 events, and a payload with its metadata 10 values."""


def create_codec(settings: CodecSettings) -> FastAPI:
    encryption = data_converter(settings).payload_codec
    assert isinstance(encryption, Encryption)  # noqa: S101 - the settings have keys
    codec = encryption.in_namespace(settings.temporal_namespace)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(
            transport=TracedTransport(), trust_env=False
        ) as http:
            app.state.authenticate = authenticator(
                settings, http, included_scopes(PROCESSES)
            )
            yield

    app = FastAPI(
        title="Codec", lifespan=lifespan, openapi_url=None, redirect_slashes=False
    )
    app.state.settings = settings
    app.add_middleware(
        RequestLimits,
        client_timeout=settings.api_client_timeout.total_seconds(),
        largest={"/decode": LARGEST_BODY},
        has_database=False,
    )
    if settings.temporal_ui_url is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[_origin(settings.temporal_ui_url)],
            allow_methods=["POST"],
            allow_headers=["authorization", "content-type", "x-namespace"],
        )
    app.add_middleware(AccessLog)
    install_error_handlers(app, (OSError, TimeoutError))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/decode")
    async def decode(
        request: Request,
        x_namespace: Annotated[str, Header()] = settings.temporal_namespace,
    ) -> Response:
        authenticate: Authenticator = request.app.state.authenticate
        (await authenticate(request.headers)).require(*SCOPES)
        if x_namespace != settings.temporal_namespace:
            raise Problem("not-found", "Payloads of that namespace are not shown here.")
        # In threads, since protobuf reads and writes JSON in Python.
        asked = await asyncio.to_thread(_payloads, await request.body())
        shown = Payloads(payloads=[await _shown(codec, p) for p in asked.payloads])
        written = await asyncio.to_thread(json_format.MessageToJson, shown)
        return Response(written, media_type="application/json")

    return app


def _payloads(body: bytes) -> Payloads:
    check_structure(body, MAX_PAYLOAD_VALUES)
    try:
        return json_format.Parse(body, Payloads())
    except (json_format.ParseError, UnicodeDecodeError):
        raise Problem("malformed", "Send payloads as Temporal writes them.") from None


async def _shown(codec: PayloadCodec, payload: Payload) -> Payload:
    """A payload that no key here opens stays as it is; the rest of the page is
    shown."""
    try:
        (decoded,) = await codec.decode([payload])
    except Unreadable:
        return payload
    return decoded


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
