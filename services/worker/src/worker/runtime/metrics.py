"""Metrics of the SDK's core and of this process, on one page."""

import socket

import httpx2
import prometheus_client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig


class Metrics:
    """The core serves its own port, on loopback; `render` joins both."""

    def __init__(self) -> None:
        address = f"127.0.0.1:{_free_port()}"
        self.runtime = Runtime(
            telemetry=TelemetryConfig(
                metrics=PrometheusConfig(
                    bind_address=address,
                    counters_total_suffix=True,
                    unit_suffix=True,
                    durations_as_seconds=True,
                )
            )
        )
        self._core = httpx2.AsyncClient(base_url=f"http://{address}", timeout=2)

    async def render(self) -> bytes:
        core = await self._core.get("/metrics")
        return prometheus_client.generate_latest() + core.content


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
