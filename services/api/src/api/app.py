"""Builds the application, and takes it down in order."""

from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

import httpx2
import limits
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from opentelemetry.metrics import MeterProvider
from shared.database.engine import (
    DATABASE_FAILURES,
    Engine,
    connector,
    create_engine,
)
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.platform.connection import Connection
from shared.platform.telemetry import TracedTransport
from starlette.middleware.cors import CORSMiddleware
from temporalio.runtime import Runtime

from api.http import docs_page
from api.http.access_log import AccessLog
from api.http.admission import Admission
from api.http.auth import Authenticator
from api.http.bodies import as_described, only_json
from api.http.dependencies import Dependencies
from api.http.head_requests import HeadRequests
from api.http.links import IsGood, WithLinks
from api.http.oidc import authenticator
from api.http.openapi import complete
from api.http.peer_probe import PeerProbe
from api.http.problems import ProblemDocument, install_error_handlers
from api.http.rate_limits import RateLimiter
from api.http.request_limits import MAX_BODY_BYTES, RequestLimits
from api.http.sign_in import describe_issuer
from api.kernel import health, me, problem_types, root
from api.kernel.delivery import routes as deliveries
from api.kernel.discrepancy import routes as discrepancies
from api.kernel.feed import routes as feed
from api.kernel.feed import trigger
from api.kernel.hold.openapi import describe_holds
from api.kernel.hold.routes import hold_routes
from api.kernel.process import Process
from api.kernel.webhook_endpoint import routes as webhook_endpoints
from api.kernel.webhook_endpoint.openapi import describe_webhooks
from api.processes import PROCESSES, event_types, hrefs, included_scopes
from api.settings import ApiSettings

DESCRIPTION = """
Orders from placement to delivery. Amounts are integers in the currency's minor unit,
times are RFC 3339 in UTC. Whatever changes something takes an `Idempotency-Key`, so
that it may be sent again. Errors are problem documents (RFC 9457); `/problems` lists
their codes.
"""


def create_app(
    settings: ApiSettings,
    *,
    meter_provider: MeterProvider | None = None,
    runtime: Runtime | None = None,
    processes: Sequence[Process] = PROCESSES,
) -> FastAPI:
    """Nothing is opened before the application starts, and nothing stays open after."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        deps = await build_dependencies(settings, runtime, processes)
        app.state.deps = deps
        deps.listener.start()
        try:
            yield
        finally:
            await deps.close()

    app = FastAPI(
        title="Orders",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's own pages take their scripts from elsewhere: see `docs_page`.
        openapi_url=None,
        # Redirects would lead to wherever the Host header says.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        telemetry={
            "meter_provider": meter_provider,
            # One span for the request is enough; further ones, and logs, would hold
            # what was sent.
            "operation_spans": False,
            "logs": False,
            "auto_configure": False,
            "exclude": _is_probe,
        },
    )
    app.state.settings = settings
    _add_layers(app, settings, processes)
    install_error_handlers(app, DATABASE_FAILURES)
    app.routes.extend(_routes(tuple(processes)).routes)
    _describe(app, settings, processes)
    return app


@cache
def _routes(processes: Sequence[Process]) -> APIRouter:
    """All routes, built once. Reading their signatures takes FastAPI a second; further
    applications in a process share the result."""
    router = APIRouter(
        redirect_slashes=False, generate_unique_id_function=_operation_id
    )
    router.include_router(root.router)
    router.include_router(health.router)
    router.include_router(docs_page.router)
    router.include_router(problem_types.router)
    json, described = Depends(only_json), Depends(as_described)
    for subject in (
        *(router for process in processes for router in process.routers),
        *(me.router, feed.router, hold_routes(processes), discrepancies.router),
        *(trigger.router, webhook_endpoints.router, deliveries.router),
    ):
        router.include_router(subject, dependencies=[json, described])
    for process in processes:
        for signed in process.signed_routers:
            router.include_router(signed, dependencies=[json])
    return router


def _add_layers(
    app: FastAPI, settings: ApiSettings, processes: Sequence[Process]
) -> None:
    """From the innermost to the outermost."""
    app.add_middleware(HeadRequests)
    app.add_middleware(Admission)
    app.add_middleware(
        RequestLimits,
        client_timeout=settings.api_client_timeout.total_seconds(),
        largest=dict.fromkeys(
            (path for process in processes for path in process.large_bodies),
            MAX_BODY_BYTES,
        ),
    )
    if settings.api_cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.api_cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=_ASKED_WITH,
            expose_headers=_ANSWERED_WITH,
            max_age=3600,
        )
    app.add_middleware(AccessLog)


_ASKED_WITH = (
    *("Authorization", "Content-Type", "Idempotency-Key", "Prefer", "Last-Event-ID"),
    *("If-Match", "If-None-Match"),
)
_ANSWERED_WITH = (
    *("Location", "ETag", "Link", "Retry-After", "WWW-Authenticate", "X-Request-Id"),
    *("Idempotency-Replayed", "Preference-Applied", "RateLimit", "RateLimit-Policy"),
)


async def build_dependencies(
    settings: ApiSettings, runtime: Runtime | None, processes: Sequence[Process]
) -> Dependencies:
    engine = create_engine(settings, application="api")
    connect_database = connector(settings, application="api-probe")

    async def greet_database() -> None:
        (await connect_database()).terminate()

    http = httpx2.AsyncClient(transport=TracedTransport(), trust_env=False)
    # Lazy: orders are accepted while Temporal is down.
    temporal = await Connection(settings, lazy=True, runtime=runtime).open()
    deps = Dependencies(
        settings=settings,
        engine=engine,
        listener=Listener(connector(settings, application="api-listener"), CHANNEL),
        temporal=temporal,
        http=http,
        database=PeerProbe(greet_database, settings.api_fail_fast_after),
        authenticate=_with_links(
            authenticator(settings, http, included_scopes(processes)),
            *(settings, engine, processes),
        ),
        rate_limiter=RateLimiter(settings.rate_limit),
        stranger_limiter=RateLimiter(
            limits.parse(settings.api_stranger_limit), "address"
        ),
        link_limiter=RateLimiter(limits.parse(settings.api_link_limit), "link"),
    )
    deps.hrefs = hrefs(processes)
    deps.event_types = event_types(processes)
    deps.gateways += [process.gateway(deps) for process in processes if process.gateway]
    return deps


def _with_links(
    others: Authenticator,
    settings: ApiSettings,
    engine: Engine,
    processes: Sequence[Process],
) -> Authenticator:
    keys = settings.link_keys
    if keys is None:
        return others
    is_good: Mapping[str, IsGood] = {
        process.name: partial(process.link_is_good, engine)
        for process in processes
        if process.link_is_good is not None
    }
    return WithLinks(keys, is_good, others)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _is_probe(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in ("/health", "/ready")


def _describe(
    app: FastAPI, settings: ApiSettings, processes: Sequence[Process]
) -> None:
    """Add the problem document that the routes' `$ref` points to, and say where tokens
    come from."""
    generate = app.openapi

    # Only once: FastAPI returns the same document each time, and repeated additions
    # would corrupt it.
    @cache
    def openapi() -> dict[str, Any]:
        document = generate()
        complete(document)
        schema = ProblemDocument.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        parts = {**schema.pop("$defs", {}), "ProblemDocument": schema}
        document.setdefault("components", {}).setdefault("schemas", {}).update(parts)
        describe_holds(document, processes)
        describe_webhooks(document, event_types(processes))
        describe_issuer(document, settings)
        return document

    # FastAPI's documented way.
    app.openapi = openapi  # type: ignore[method-assign]
