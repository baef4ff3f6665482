"""Builds the application, and takes it down in order."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI, Response
from opentelemetry.metrics import MeterProvider
from starlette.middleware.gzip import GZipMiddleware

from console import live, sign_in
from console.api import TIMEOUT_SECONDS
from console.customer import pages as customer
from console.errors import install_error_pages
from console.middleware import PageMiddleware
from console.pages import PAGES
from console.person import Known
from console.session import Cookies
from console.settings import ConsoleSettings
from console.sign_in import Issuer
from console.templating import static_files

probes = APIRouter()


def create_app(
    settings: ConsoleSettings, *, meter_provider: MeterProvider | None = None
) -> FastAPI:
    """Nothing is opened before the application starts, and nothing stays open after."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = httpx2.Limits(max_connections=500, max_keepalive_connections=100)
        async with httpx2.AsyncClient(
            base_url=settings.console_api_url,
            trust_env=False,
            timeout=TIMEOUT_SECONDS,
            limits=limits,
        ) as http:
            app.state.http = http
            if settings.console_auth == "oidc":
                app.state.issuer = Issuer(settings, http)
            yield
            app.state.draining.set()

    app = FastAPI(
        title="Console",
        lifespan=lifespan,
        openapi_url=None,
        # Redirects would lead to wherever the Host header says.
        redirect_slashes=False,
        telemetry={
            "meter_provider": meter_provider,
            "operation_spans": False,
            "logs": False,
            "auto_configure": False,
            "exclude": _is_probe,
        },
    )
    app.state.settings = settings
    app.state.issuer = None
    app.state.known = Known()
    app.state.draining = asyncio.Event()
    app.state.cookies = Cookies(
        settings.session_keys,
        secure=settings.console_url.startswith("https://"),
        lives=settings.console_session_lives,
    )
    app.add_middleware(GZipMiddleware, minimum_size=600)
    app.add_middleware(
        PageMiddleware, origin=settings.origin, issuer=settings.oidc_issuer
    )
    install_error_pages(app)
    for router in (probes, sign_in.router, live.router, *PAGES, customer.router):
        app.include_router(router)
    app.mount("/static", static_files())
    return app


@probes.get("/health")
@probes.get("/ready")
async def health() -> Response:
    """Always healthy: it keeps no state, and while the API is down it shows a page that
    says so."""
    return Response('{"status":"ok"}', media_type="application/json")


def _is_probe(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in ("/health", "/ready")
