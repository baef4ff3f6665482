"""Metrics of one process on one page: the SDK's core, this process, its event loop."""

import asyncio
import logging
import socket
from collections.abc import Sequence

import httpx2
import prometheus_client
from prometheus_client import Histogram
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Buckets in seconds for what machines wait for; the SDK core's own are far coarser."""
LONG = (1, 10, 60, 600, 3600, 4 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400)
"""Buckets in seconds for what waits for people and parcels."""

_BUCKETS: dict[str, Sequence[float]] = {
    "temporal_workflow_task_schedule_to_start_latency": SHORT,
    "temporal_workflow_task_execution_latency": SHORT,
    "temporal_activity_schedule_to_start_latency": SHORT,
    "temporal_activity_execution_latency": SHORT,
    "temporal_local_activity_execution_latency": SHORT,
    "temporal_request_latency": SHORT,
    "temporal_workflow_endtoend_latency": LONG,
}

LOOP_LAG = Histogram(
    "event_loop_lag_seconds",
    "How late the event loop ran what was due.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_LOOK_SECONDS = 0.5


class ProcessMetrics:
    """One a process: its `runtime` is for the client. The core serves its metrics on a
    port of its own, on loopback; `page` joins them with ours."""

    def __init__(self) -> None:
        # Each `_created` series would double the series, only to say when the process
        # began.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        address = f"127.0.0.1:{_free_port()}"
        self.runtime = Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(
                    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                    # Into our own stream, so that lines are JSON with a time and a
                    # level.
                    forwarding=LogForwardingConfig(
                        logger=logging.getLogger("temporalio.core"),
                        append_target_to_name=False,
                        prepend_target_on_message=False,
                        append_log_fields_to_message=False,
                    ),
                ),
                metrics=PrometheusConfig(
                    bind_address=address,
                    counters_total_suffix=True,
                    unit_suffix=True,
                    durations_as_seconds=True,
                    histogram_bucket_overrides=_BUCKETS,
                ),
            )
        )
        self._core = httpx2.Client(
            base_url=f"http://{address}", timeout=2, trust_env=False
        )

    def close(self) -> None:
        """Stop; no page is served afterwards."""
        self._core.close()

    def page(self) -> bytes:
        """In Prometheus' text format. Blocks for some milliseconds: call it from a
        thread. Raises `httpx2.TransportError` when the core does not answer."""
        core = self._core.get("/metrics")
        return prometheus_client.generate_latest() + core.content


async def watch_event_loop() -> None:
    """Measure until cancelled how late the event loop runs. Whatever blocks it blocks
    everything: heartbeats, probes and every request."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LOOK_SECONDS
        await asyncio.sleep(_LOOK_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
