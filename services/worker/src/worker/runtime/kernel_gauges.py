"""The gauges that every business process has: holds, webhooks, messages and findings.

Their names begin with the process's name, so that two processes never share a series.
"""

from collections.abc import Iterable, Sequence

from worker.runtime.gauges import Gauge


def kernel_gauges(
    process: str,
    *,
    reasons: Sequence[str] = (),
    sources: Sequence[str] = (),
    discrepancies: Sequence[str] = (),
    audit_views: Sequence[str] = (),
) -> tuple[Gauge, ...]:
    """`sources` of its webhooks; `discrepancies` and `audit_views` are the kinds of
    what its auditors find."""
    return (
        *_holds(process, reasons),
        *_webhooks(process, sources),
        Gauge(
            f"{process}_messages_open",
            "Messages that are not sent.",
            "SELECT count(*) AS value FROM messages"
            f" WHERE status = 'open' AND process = '{process}'",
        ),
        Gauge(
            f"{process}_discrepancies_open",
            "Differences from others' books that nobody has resolved.",
            f"{_findings('kind', process)} AND left(kind, 6) <> 'audit_' GROUP BY kind",
            labels=("kind",),
            always=tuple((kind,) for kind in discrepancies),
        ),
        Gauge(
            f"{process}_audit_rows",
            # The views themselves read everything; the audit does, and writes it down.
            "Rows of the audit views that the last sweep found and nobody resolved.",
            f"{_findings('view', process)} AND left(kind, 6) = 'audit_' GROUP BY kind",
            labels=("view",),
            always=tuple((view,) for view in audit_views),
        ),
    )


def _holds(process: str, reasons: Sequence[str]) -> Iterable[Gauge]:
    open_holds = (
        "SELECT reason, count(*) AS value FROM holds"
        f" WHERE released_at IS NULL AND process = '{process}'"
    )
    always = tuple((str(reason),) for reason in reasons)
    yield Gauge(
        f"{process}_holds_open",
        "Holds that wait for a person.",
        f"{open_holds} GROUP BY reason",
        labels=("reason",),
        always=always,
    )
    yield Gauge(
        f"{process}_holds_overdue",
        "Holds that are open after they were due.",
        f"{open_holds} AND due_at < now() GROUP BY reason",
        labels=("reason",),
        always=always,
    )


def _webhooks(process: str, sources: Sequence[str]) -> Iterable[Gauge]:
    waiting = (
        "SELECT source, count(*) AS value FROM inbox"
        f" WHERE processed_at IS NULL AND source IN ({_listed(sources)})"
    )
    always = tuple((source,) for source in sources)
    yield Gauge(
        f"{process}_inbox_open",
        "Webhooks that are not worked off.",
        f"{waiting} GROUP BY source",
        labels=("source",),
        always=always,
    )
    yield Gauge(
        f"{process}_inbox_unmatched",
        "Webhooks about something that is not known here.",
        f"{waiting} AND error = 'unmatched' GROUP BY source",
        labels=("source",),
        always=always,
    )


def _findings(label: str, process: str) -> str:
    return (
        f"SELECT kind AS {label}, count(*) AS value FROM discrepancies"
        f" WHERE resolved_at IS NULL AND process = '{process}'"
    )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words) or "NULL"
