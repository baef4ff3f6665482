"""`python -m api`: the HTTP API. `python -m api openapi` prints its description."""

import argparse
import asyncio
import json

from pydantic import SecretStr
from shared.platform.logging import configure_logging
from shared.platform.metrics import ProcessMetrics, watch_event_loop
from shared.platform.process import run_main
from shared.platform.settings import load_settings
from shared.platform.settings_help import help_text
from shared.platform.telemetry import start_tracing
from shared.platform.version import version

from api.app import create_app
from api.server import serve
from api.settings import ApiSettings
from api.telemetry import create_meter_provider, serve_metrics


async def run_api() -> int:
    settings = load_settings(ApiSettings)
    configure_logging(settings, service="api")
    stop_tracing = start_tracing(settings, service="api")
    metrics = ProcessMetrics()
    app = create_app(
        settings,
        meter_provider=create_meter_provider(settings),
        runtime=metrics.runtime,
    )
    stop_metrics = serve_metrics(settings, metrics)
    watching = asyncio.create_task(watch_event_loop())
    try:
        return 0 if await serve(app, settings) else 1
    finally:
        watching.cancel()
        stop_metrics()
        stop_tracing()


def openapi_document() -> str:
    """The description as it is committed; it depends on no setting."""
    app = create_app(
        ApiSettings(
            database_url=SecretStr("postgresql://nowhere"),
            api_auth="disabled-loopback-only",
        )
    )
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="api",
        description="The HTTP API of the order services.",
        epilog=help_text(ApiSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version())
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "openapi"),
        default="serve",
        help="serve (default), or print the OpenAPI document",
    )
    if parser.parse_args().command == "openapi":
        print(openapi_document(), end="")
        return
    run_main(run_api())


if __name__ == "__main__":
    main()
