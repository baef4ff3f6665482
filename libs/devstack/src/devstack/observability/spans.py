"""Collects traces span by span, and writes one as text."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

KEPT_TRACES = 500
_NANOSECONDS_PER_MILLISECOND = 1_000_000


@dataclass(frozen=True)
class Span:
    trace_id: str
    id: str
    parent_id: str
    """Empty for a root. Its span may come later than its children: it ends later."""
    service: str
    name: str
    started_ns: int
    ended_ns: int
    failed: bool


class Traces:
    """The latest traces, in memory."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, dict[str, Span]] = OrderedDict()
        self._changed = asyncio.Condition()

    async def add(self, spans: Iterable[Span]) -> None:
        """Store spans; a repeated one is stored once."""
        async with self._changed:
            for span in spans:
                self._traces.setdefault(span.trace_id, {})[span.id] = span
                self._traces.move_to_end(span.trace_id)
            while len(self._traces) > KEPT_TRACES:
                self._traces.popitem(last=False)
            self._changed.notify_all()

    def newest_first(self) -> list[list[Span]]:
        return [list(spans.values()) for spans in reversed(self._traces.values())]

    def of(self, trace_id: str) -> list[Span]:
        return list(self._traces.get(trace_id, {}).values())

    def latest(self, root: str) -> list[Span]:
        """The newest trace that began with a span of that name."""
        for spans in self.newest_first():
            if any(span.name == root and not span.parent_id for span in spans):
                return spans
        return []

    async def until(
        self, find: Callable[[], list[Span]], name: str, seconds: float
    ) -> None:
        """Wait until the trace has a span of that name, at most so long."""

        def there() -> bool:
            return any(span.name == name for span in find())

        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(there)


def read_spans(sent: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(
            trace_id=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            service=_text(resource.resource.attributes, "service.name"),
            name=span.name,
            started_ns=span.start_time_unix_nano,
            ended_ns=span.end_time_unix_nano,
            failed=span.status.code == Status.STATUS_CODE_ERROR,
        )
        for resource in sent.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _text(attributes: Iterable[KeyValue], key: str) -> str:
    return next((a.value.string_value for a in attributes if a.key == key), "")


def as_tree(spans: Iterable[Span]) -> str:
    """One trace as a tree: name, service, when it began and how long it took.

    A span whose parent has not come (yet) stands at the top, after a `…`.
    """
    known = {span.id: span for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(known.values(), key=lambda span: span.started_ns):
        parent = span.parent_id if span.parent_id in known else ""
        children.setdefault(parent, []).append(span)
    top = children.get("", [])
    if not top:
        return ""
    lines = [f"trace {top[0].trace_id}, {len(known)} spans"]
    for span in top:
        name = f"… {span.name}" if span.parent_id else span.name
        lines.append(_line(name, span, top[0]))
        lines += _below(span, "", children, lambda s: _line("", s, top[0]))
    return "\n".join(lines) + "\n"


def _below(
    parent: Span,
    indent: str,
    children: dict[str, list[Span]],
    line: Callable[[Span], str],
) -> list[str]:
    lines: list[str] = []
    below = children.get(parent.id, [])
    for span in below:
        last = span is below[-1]
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{line(span)}")
        lines += _below(span, indent + ("   " if last else "│  "), children, line)
    return lines


def _line(name: str, span: Span, first: Span) -> str:
    def milliseconds(nanoseconds: int) -> str:
        return f"{nanoseconds / _NANOSECONDS_PER_MILLISECOND:.1f} ms"

    began = milliseconds(span.started_ns - first.started_ns)
    took = milliseconds(span.ended_ns - span.started_ns)
    failed = "  FAILED" if span.failed else ""
    return f"{name or span.name}  [{span.service}]  +{began}  {took}{failed}"
