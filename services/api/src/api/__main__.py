"""`python -m api`: the HTTP API. `… deliver` sends webhooks, `… codec` is the codec
server, and `… openapi` prints the API's description."""

import argparse
import asyncio
import json
from collections.abc import Callable

from fastapi import FastAPI
from pydantic import SecretStr
from shared.platform.logging import configure_logging
from shared.platform.main import run_main, stop_event
from shared.platform.metrics import ProcessMetrics, watch_event_loop
from shared.platform.settings import load_settings
from shared.platform.settings_help import help_text
from shared.platform.telemetry import start_tracing
from shared.platform.version import version

from api.app import create_app
from api.codec import create_codec
from api.deliverer import deliver
from api.http.server import serve
from api.metrics import create_meter_provider, serve_metrics
from api.settings import ApiSettings, CodecSettings, DelivererSettings


async def run_api() -> int:
    settings = load_settings(ApiSettings)

    def build(metrics: ProcessMetrics) -> FastAPI:
        return create_app(
            settings,
            meter_provider=create_meter_provider(settings),
            runtime=metrics.runtime,
        )

    return await run(settings, "api", build)


async def run_codec() -> int:
    settings = load_settings(CodecSettings)
    return await run(settings, "codec", lambda _: create_codec(settings))


async def run_deliverer() -> int:
    settings = load_settings(DelivererSettings)
    configure_logging(settings, service="deliverer")
    return 0 if await deliver(settings, stop_event()) else 1


async def run(
    settings: ApiSettings | CodecSettings,
    service: str,
    build: Callable[[ProcessMetrics], FastAPI],
) -> int:
    configure_logging(settings, service=service)
    stop_tracing = start_tracing(settings, service=service)
    metrics = ProcessMetrics()
    app = build(metrics)
    stop_metrics = serve_metrics(settings, metrics)
    watching = asyncio.create_task(watch_event_loop())
    try:
        return 0 if await serve(app, settings) else 1
    finally:
        watching.cancel()
        stop_metrics()
        stop_tracing()


def openapi_document() -> str:
    """The API's description as it is committed; it depends on no setting."""
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
        choices=("serve", "deliver", "codec", "openapi"),
        default="serve",
        help="serve (default), send webhooks, decode payloads for Temporal's UI, or"
        " print the OpenAPI document",
    )
    command = parser.parse_args().command
    if command == "openapi":
        print(openapi_document(), end="")
        return
    deps = {"deliver": run_deliverer, "codec": run_codec}
    run_main(deps.get(command, run_api)())


if __name__ == "__main__":
    main()
