"""Rows as the text of a file: CSV (RFC 4180) or JSON Lines, in UTF-8."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from shared.contracts.orders.exports import ExportFormat

Rows = Iterable[Sequence[Any]]


def text_of(
    form: ExportFormat, names: Sequence[str], rows: Rows, *, first: bool
) -> str:
    """Some rows of a file; the `first` part of a CSV begins with the names."""
    if form is ExportFormat.JSONL:
        return "".join(_json(names, row) for row in rows)
    written = StringIO()
    writer = csv.writer(written)
    if first:
        writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _json(names: Sequence[str], row: Sequence[Any]) -> str:
    known = {name: _plain(value) for name, value in zip(names, row, strict=True)}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":")) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with an apostrophe, as
    OWASP has it; numbers stay numbers, below zero as well."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return _plain(value)
