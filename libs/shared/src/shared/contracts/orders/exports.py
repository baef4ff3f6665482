"""What may be exported, in which form, and for how long it is there."""

from datetime import timedelta
from enum import StrEnum

EXPORT_LIVES = timedelta(days=1)
"""From when it is asked for until its file is deleted."""


class ExportKind(StrEnum):
    ORDERS = "orders"
    LINES = "lines"
    REFUNDS = "refunds"
    MOVEMENTS = "movements"


class ExportFormat(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


class ExportStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
