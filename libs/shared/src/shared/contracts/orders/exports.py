"""What can be exported, in which formats, and for how long files are kept."""

from datetime import timedelta
from enum import StrEnum

EXPORT_LIVES = timedelta(days=1)
"""From the request until the file is deleted."""


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
