"""A collector that is away costs spans, and nothing else."""

import subprocess
import sys

PROGRAM = """
import logging, sys
from opentelemetry import trace
from shared.platform.settings import ObservabilitySettings
from shared.platform.telemetry import start_tracing

logging.basicConfig(stream=sys.stdout, format="LOG %(message)s")
stop = start_tracing(ObservabilitySettings(), service="test")
tracer = trace.get_tracer("test")
for _ in range(10_000):
    with tracer.start_as_current_span("work"):
        pass
stop()
print("done", tracer.start_span("last").get_span_context().is_valid)
sys.stdout.flush()
import os
os._exit(0)
"""


def run(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_work_is_done_and_little_is_said() -> None:
    *said, last = run(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert last == "done True"
    # Not a line for each try, nor for each span that was dropped.
    assert len(said) <= 2


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert run() == ["done False"]
