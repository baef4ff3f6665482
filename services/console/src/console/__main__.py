"""`python -m console`: the operators' pages."""

import argparse
import asyncio

import prometheus_client
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from shared.platform.logging import configure_logging
from shared.platform.main import run_main
from shared.platform.metrics import watch_event_loop
from shared.platform.serving import serve
from shared.platform.settings import load_settings
from shared.platform.settings_help import help_text
from shared.platform.telemetry import describe_process, start_tracing
from shared.platform.version import version

from console.app import create_app
from console.settings import ConsoleSettings


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
        started = await serve(
            app,
            app.state.draining.set,
            settings.console_drain.total_seconds(),
            host=settings.bind_host,
            port=settings.console_port,
            forwarded_allow_ips=settings.console_trusted_proxies,
        )
        return 0 if started else 1
    finally:
        watching.cancel()
        metrics.shutdown()
        stop_tracing()


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
