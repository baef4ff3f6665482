"""`python -m console`: the operators' pages."""

import argparse
import asyncio
from types import FrameType

import prometheus_client
import uvicorn
from fastapi import FastAPI
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from shared.platform.logging import configure_logging
from shared.platform.main import run_main
from shared.platform.metrics import watch_event_loop
from shared.platform.settings import load_settings
from shared.platform.settings_help import help_text
from shared.platform.telemetry import describe_process, start_tracing
from shared.platform.version import version

from console.app import create_app
from console.settings import ConsoleSettings

LONGEST_REQUEST_SECONDS = 10
KEEP_ALIVE_SECONDS = 65
"""Longer than a load balancer keeps an idle connection, so that it is the one to
close."""


class Server(uvicorn.Server):
    """The first signal lets pages that are open look elsewhere, a second one ends it at
    once. Exits with 0: not remembered as uvicorn does, which would raise it again."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain = drain
        self._loop = asyncio.get_running_loop()
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._asked:
            self.should_exit = self.force_exit = True
            return
        self._asked = True
        self._loop.call_soon_threadsafe(self._begin_to_drain)

    def _begin_to_drain(self) -> None:
        self._app.state.draining.set()
        self._loop.call_later(self._drain, setattr, self, "should_exit", True)


async def run() -> int:
    settings = load_settings(ConsoleSettings)
    configure_logging(settings, service="console")
    stop_tracing = start_tracing(settings, service="console")
    resource = describe_process(settings, service="console")
    app = create_app(
        settings,
        meter_provider=MeterProvider([PrometheusMetricReader()], resource=resource),
    )
    # They would be a second series for each histogram, and nobody asks for them.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    metrics, _ = prometheus_client.start_http_server(
        settings.metrics_port, settings.metrics_host
    )
    watching = asyncio.create_task(watch_event_loop())
    try:
        return 0 if await serve(app, settings) else 1
    finally:
        watching.cancel()
        metrics.shutdown()
        stop_tracing()


async def serve(app: FastAPI, settings: ConsoleSettings) -> bool:
    """Serve until asked to stop. False if it could not start."""
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=settings.console_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.console_trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LONGEST_REQUEST_SECONDS,
        lifespan="on",
    )
    server = Server(config, app, settings.console_drain.total_seconds())
    try:
        await server.serve()
    except SystemExit:
        # Uvicorn has said why: the port is taken, or the application did not start.
        return False
    return server.started


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="console",
        description="The operators' pages over the HTTP API.",
        epilog=help_text(ConsoleSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version())
    parser.parse_args()
    run_main(run())


if __name__ == "__main__":
    main()
