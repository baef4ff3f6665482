"""Traces: one from a request through workflow, activities, SQL and what they call.

Spans are made by FastAPI, by the SDK's plugin, by `shared.database.metrics` and by
`calling`; here they get somewhere to go. Nothing is traced where no endpoint is set.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.client import Plugin
from temporalio.contrib.opentelemetry import (
    OpenTelemetryPlugin,
    ReplaySafeTracerProvider,
    create_tracer_provider,
)

from shared.platform.settings import ObservabilitySettings
from shared.platform.version import version

EXPORT_TIMEOUT = timedelta(seconds=5)
LAST_WORDS = timedelta(seconds=2)
"""How long a process that stops waits for a collector, at most."""


def start_tracing(
    settings: ObservabilitySettings, *, service: str
) -> Callable[[], None]:
    """Export spans by OTLP over gRPC, if an endpoint is set.

    Call once, before connecting to Temporal. Returns what sends the rest at the end.
    A collector that is away costs spans and nothing else: they are sent by a thread,
    from a bounded queue that drops what does not fit.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return lambda: None
    provider = create_tracer_provider(
        resource=describe_process(settings, service=service)
    )
    exporter = OTLPSpanExporter(
        endpoint=endpoint, timeout=EXPORT_TIMEOUT.total_seconds()
    )
    provider.add_span_processor(_Reticence())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # It would warn of each try; the error that follows them comes once a minute.
    logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.ERROR)
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(_ParentAlone())

    def stop() -> None:
        # Shutting down retries for as long as the exporter likes, so nobody waits.
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(LAST_WORDS.total_seconds())

    return stop


class _ParentAlone(TraceContextTextMapPropagator):
    """What a caller may tell of a trace: its id. `baggage` and `tracestate` are
    anybody's text, and would go with each workflow, into its history."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        parent = getter.get(carrier, "traceparent")
        return super().extract({"traceparent": parent} if parent else {}, context)


class _Reticence(SpanProcessor):
    """FastAPI records a request's path and query, and whoever looks for an order may
    write a name into them. What may be told of the path is added later."""

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        if span.kind is SpanKind.SERVER:
            for name in ("url.path", "url.query"):
                if name in (span.attributes or {}):
                    span.set_attribute(name, "REDACTED")


def describe_process(settings: ObservabilitySettings, *, service: str) -> Resource:
    """Adds what OTEL_RESOURCE_ATTRIBUTES says."""
    name = settings.otel_service_name or service
    return Resource.create({"service.name": name, "service.version": version()})


def temporal_plugins() -> list[Plugin]:
    """What a client needs so that its calls, and the work of workers that use it, are
    traced. On the client only: a worker takes it from there."""
    if isinstance(trace.get_tracer_provider(), ReplaySafeTracerProvider):
        return [OpenTelemetryPlugin(add_temporal_spans=True)]
    return []


@contextmanager
def calling(method: str, url: str) -> Iterator[Span]:
    """A span around a request to somebody else's HTTP server; give it the answer by
    `answered`. The trace's id is not passed on: those servers are not ours."""
    address = urlsplit(url)
    attributes = {
        "http.request.method": method.upper(),
        "server.address": address.hostname or "",
        # Without the query, which may hold what should not be kept.
        "url.path": address.path,
    }
    tracer = trace.get_tracer(__name__)
    name = f"{method.upper()} {address.hostname}"
    with tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False
    ) as span:
        yield span


class TracedTransport(httpx2.AsyncHTTPTransport):
    """What an `httpx2.AsyncClient` sends through it is a part of the trace."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with calling(request.method, str(request.url)) as span:
            response = await super().handle_async_request(request)
            answered(span, response.status_code)
            return response


def answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        span.set_status(Status(StatusCode.ERROR))
