"""The id that a caller, a log line and a trace share for one request."""

import secrets
from contextvars import ContextVar

from opentelemetry import trace

_current: ContextVar[str] = ContextVar("trace_id", default="")


def begin_trace() -> str:
    """The id of the current span, or a new one where nothing is traced."""
    context = trace.get_current_span().get_span_context()
    known = trace.format_trace_id(context.trace_id) if context.is_valid else None
    identifier = known or secrets.token_hex(16)
    _current.set(identifier)
    return identifier


def trace_id() -> str:
    return _current.get()
