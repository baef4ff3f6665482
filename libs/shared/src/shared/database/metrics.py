"""Metrics of the database as this process sees it: how long each statement takes, and
the pool."""

import re
import time
from functools import cache
from typing import Protocol

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import Gauge, Histogram

DURATION = Histogram(
    "db_client_operation_duration_seconds",
    "How long a statement took, from here.",
    ["db_operation_name", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CONNECTIONS = Gauge(
    "db_client_connection_count",
    "Connections that are open, by what they do.",
    ["pool", "state"],
)
MOST_CONNECTIONS = Gauge(
    "db_client_connection_max", "The most connections this pool may open.", ["pool"]
)

_INNERMOST = re.compile(r"\([^()]*\)")
_WRITE = re.compile(
    r"\b(?P<verb>INSERT|UPDATE|DELETE)(?<!FOR UPDATE)\s+(?:INTO\s+|FROM\s+)?"
    r"(?P<table>[a-z_]+)"
)
_READ = re.compile(
    r"\b(?P<verb>SELECT)\b(?:.*?\bFROM\s+(?P<table>[a-z_]+))?", re.DOTALL
)


class Pool(Protocol):
    def connections(self) -> tuple[int, int]:
        """How many connections are in use, and how many are open and idle."""
        ...


def observe_pool(pool: Pool, *, name: str, most: int) -> None:
    """Watch a pool of at most so many connections, as `name`."""
    used, idle = (CONNECTIONS.labels(name, state) for state in ("used", "idle"))
    used.set_function(lambda: pool.connections()[0])
    idle.set_function(lambda: pool.connections()[1])
    MOST_CONNECTIONS.labels(name).set(most)


@cache
def summarize(text: str) -> tuple[str, str]:
    """Name a statement by its verb and table: what it writes rather than what it reads,
    and its outermost part. Results are cached, as our statements are few."""
    outermost = text
    while outermost != (shorter := _INNERMOST.sub("", outermost)):
        outermost = shorter
    found = _WRITE.search(outermost) or _WRITE.search(text) or _READ.search(outermost)
    return (found["verb"], found["table"] or "") if found else ("other", "")


_durations = cache(DURATION.labels)


class Observed:
    """Around a statement: measures and traces it."""

    def __init__(self, text: str) -> None:
        self._began = time.perf_counter()
        self._operation, self._table = summarize(text)
        self._span = self._start_span(text)

    def _start_span(self, text: str) -> Span | None:
        # Traced only within a span: polls of runners would be noise.
        if not trace.get_current_span().get_span_context().is_valid:
            return None
        return trace.get_tracer(__name__).start_span(
            f"{self._operation} {self._table}".strip(),
            kind=SpanKind.CLIENT,
            # The text holds no values: they are all bound parameters.
            attributes={
                "db.system.name": "postgresql",
                "db.query.text": " ".join(text.split()),
            },
        )

    def __enter__(self) -> None: ...

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        outcome = "ok" if error is None else "failed"
        seconds = time.perf_counter() - self._began
        _durations(self._operation, outcome).observe(seconds)
        if self._span is not None:
            if outcome != "ok":
                self._span.set_status(Status(StatusCode.ERROR))
            self._span.end()
