"""Serves all metrics of this process, on a port that no Ingress reaches."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from shared.platform.metrics import CONTENT_TYPE, ProcessMetrics
from shared.platform.settings import ObservabilitySettings
from shared.platform.telemetry import describe_process

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def create_meter_provider(settings: ObservabilitySettings) -> MeterProvider:
    """For FastAPI's own metrics. Call once a process: the reader registers with the one
    global registry."""
    resource = describe_process(settings, service="api")
    return MeterProvider([PrometheusMetricReader()], resource=resource)


def serve_metrics(
    settings: ObservabilitySettings, metrics: ProcessMetrics
) -> Callable[[], None]:
    """Serve `/metrics` in threads of its own, so that a stuck event loop can be seen;
    returns what stops it."""

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/metrics":
            start("404 Not Found", [])
            return []
        page = metrics.page()
        start("200 OK", [("Content-Type", CONTENT_TYPE)])
        return [page]

    server = make_server(
        settings.metrics_host, settings.metrics_port, answer, _Server, _Quiet
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()
        metrics.close()

    return stop


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """No log line for each scrape."""
