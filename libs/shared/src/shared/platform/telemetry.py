"""Traces one request through workflow, activities, SQL and outgoing calls.

FastAPI, the SDK's plugin, `shared.database.metrics` and `calling` make spans; this
module exports them. Without an endpoint nothing is traced.
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
"""How long a stopping process waits for the collector, at most."""


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
    # It would warn of each try; the final error comes once a minute.
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
    """Takes only the trace's id from callers. `baggage` and `tracestate` are free text,
    and would travel with each workflow into its history."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        parent = getter.get(carrier, "traceparent")
        return super().extract({"traceparent": parent} if parent else {}, context)


class _Reticence(SpanProcessor):
    """Drops path and query, which FastAPI records: somebody may search for a name. The
    safe part of the path is added later."""

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
    """Plugins that trace a client's calls and the work of its workers. On the client
    only: workers take them from there."""
    if isinstance(trace.get_tracer_provider(), ReplaySafeTracerProvider):
        return [OpenTelemetryPlugin(add_temporal_spans=True)]
    return []


@contextmanager
def calling(method: str, url: str) -> Iterator[Span]:
    """A span around a request to another company's HTTP server; pass it the answer with
    `answered`. The trace's id is not sent along."""
    address = urlsplit(url)
    attributes = {
        "http.request.method": method.upper(),
        "server.address": address.hostname or "",
        # Without the query, which may hold private data.
        "url.path": address.path,
    }
    tracer = trace.get_tracer(__name__)
    name = f"{method.upper()} {address.hostname}"
    with tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False
    ) as span:
        yield span


class TracedTransport(httpx2.AsyncHTTPTransport):
    """A transport that makes an `httpx2.AsyncClient`'s requests part of the trace."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with calling(request.method, str(request.url)) as span:
            response = await super().handle_async_request(request)
            answered(span, response.status_code)
            return response


def answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        span.set_status(Status(StatusCode.ERROR))
