"""One stream of log lines: ours, the SDK's and the libraries', JSON or readable."""

import logging
import re
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from opentelemetry import trace
from temporalio import activity, workflow

from shared.platform.settings import ObservabilitySettings

Line = structlog.typing.EventDict
Processor = structlog.typing.Processor

_SUBJECTS = frozenset({"order", "shipment", "return", "refund"})
# Characters that terminals obey: moving, colouring, starting a fake line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# With local variables, as structlog would have them, a line would hold connection
# strings and what customers sent.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logging(settings: ObservabilitySettings, *, service: str) -> None:
    """Send everything to standard output. Call once, before anything logs.

    Modules log by `logging.getLogger(__name__)` or `structlog.get_logger()`; inside
    a workflow by `workflow.logger` alone, which is silent on replay.
    """
    # Their context becomes fields; in the text it would be noise.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False

    common = _facts(service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _drop_colours,
                *_rendering(settings),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # One line per request is written by the API itself.
    for noisy in ("httpx2", "httpcore2", "uvicorn.access", "stripe", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _facts(service: str) -> Sequence[Processor]:
    """Fields that every line has."""

    def name_service(_: Any, __: str, line: Line) -> Line:
        line["service"] = service
        return line

    return (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _flatten_temporal,
        _unfold_core,
        _name_subject,
        _add_trace_id,
        name_service,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )


def _rendering(settings: ObservabilitySettings) -> Sequence[Processor]:
    in_terminal = sys.stdout.isatty()
    if settings.log_format == "json" or (
        settings.log_format == "auto" and not in_terminal
    ):
        return (_TRACEBACKS, structlog.processors.JSONRenderer())
    return (
        _show_control,
        # The pretty traceback would print local variables: somebody's data.
        structlog.dev.ConsoleRenderer(
            colors=in_terminal,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    )


def _drop_colours(_: Any, __: str, line: Line) -> Line:
    """Uvicorn sends some messages twice, once with colours."""
    line.pop("color_message", None)
    return line


def _show_control(_: Any, __: str, line: Line) -> Line:
    """Escapes control characters, so that input cannot write a line of its own. JSON
    escapes by itself."""
    return {
        name: _CONTROL.sub(lambda c: repr(c[0])[1:-1], value)
        if isinstance(value, str)
        else value
        for name, value in line.items()
    }


def _flatten_temporal(_: Any, __: str, line: Line) -> Line:
    """`temporal_workflow={"workflow_id": …}` becomes `workflow_id=…`."""
    for source in ("temporal_workflow", "temporal_activity"):
        fields = line.pop(source, None)
        if isinstance(fields, dict):
            for name in ("workflow_id", "workflow_run_id", "run_id", "activity_type"):
                if name in fields:
                    line["run_id" if name.endswith("run_id") else name] = fields[name]
    return line


def _unfold_core(_: Any, __: str, line: Line) -> Line:
    """Lines of the SDK's core carry an object, whose fields are useful."""
    core = line.pop("temporal_log", None)
    if core is not None:
        line["core"] = core.fields
        line["target"] = core.target
    return line


def _name_subject(_: Any, __: str, line: Line) -> Line:
    """Adds the subject's id, which is part of the workflow's: `order/ord_1` belongs to
    that order."""
    kind, _slash, subject = str(line.get("workflow_id", "")).partition("/")
    if kind in _SUBJECTS:
        line.setdefault(f"{kind}_id", subject)
    return line


def _add_trace_id(_: Any, __: str, line: Line) -> Line:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
    return line
