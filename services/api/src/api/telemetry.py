"""HTTP metrics in Prometheus' format, on a port that no Ingress reaches."""

from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import start_http_server
from shared.platform.settings import ObservabilitySettings


def create_meter_provider() -> MeterProvider:
    """Call once a process: the exporter registers with the one global registry."""
    return MeterProvider(
        [PrometheusMetricReader()], resource=Resource.create({"service.name": "api"})
    )


def serve_metrics(settings: ObservabilitySettings) -> Callable[[], None]:
    """Serve `/metrics` in a thread of its own; returns what stops it."""
    server: WSGIServer
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
