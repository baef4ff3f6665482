"""Answers as tables for people, or as JSON for programs."""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.options import Output
from cli.problems import Json, harmless
from cli.session import session
from cli.terminal import writes_everything

WATCH_SECONDS = 2.0

IDS = (
    *("order", "hold", "shipment", "return", "refund"),
    *("discrepancy", "dispute", "about"),
)
"""Columns that are copied into the next command: never broken."""

Column = tuple[str, Callable[[Json], object]]


class Moment(str):
    """A time from the API (UTC), shown in local time."""


def show_list(
    read: Callable[[], Json],
    columns: Sequence[Column],
    output: Output,
    *,
    watch: bool = False,
) -> None:
    """A list once, or again and again until Ctrl-C."""
    if not watch:
        _print(read(), columns, output)
        return
    with suppress(KeyboardInterrupt):
        if output is not Output.table:
            while True:
                _print(read(), columns, output)
                time.sleep(WATCH_SECONDS)
        with Live(console=session().out, auto_refresh=False) as live:
            while True:
                live.update(table(read()["data"], columns), refresh=True)
                time.sleep(WATCH_SECONDS)


def show_one(answer: Json, facts: Sequence[Column], output: Output) -> None:
    if output is Output.json:
        _print_json(answer)
        return
    if output is Output.csv:
        _print_csv([answer], facts)
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(Text(name, style="dim"), cell(value(answer)))
    session().out.print(grid)


def show_table(title: str, rows: Sequence[Json], columns: Sequence[Column]) -> None:
    """A part of something larger; nothing where there are no rows."""
    if rows:
        session().out.print(f"\n[bold]{title}[/bold]")
        session().out.print(table(rows, columns))


def table(rows: Iterable[Json], columns: Sequence[Column]) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name, _ in columns:
        grid.add_column(name, overflow="fold", no_wrap=name in IDS)
    for row in rows:
        grid.add_row(*(cell(value(row)) for _, value in columns))
    return grid


def cell(value: object) -> Text:
    if value is None or value == []:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, Moment):
        return Text(when(value))
    if isinstance(value, list):
        return Text(harmless(", ".join(str(item) for item in value)))
    return Text(harmless(str(value)))


def field(name: str) -> Callable[[Json], object]:
    return lambda row: row[name]


def brief(data: Json) -> str:
    """Quantities and reasons; ids would be too long."""
    kept = {k: v for k, v in data.items() if isinstance(v, str | int | bool)}
    return " ".join(f"{name}={value}" for name, value in kept.items())


def moment(name: str) -> Callable[[Json], object]:
    return lambda row: None if row[name] is None else Moment(row[name])


def when(text: str) -> str:
    at = datetime.fromisoformat(text).astimezone()
    today = datetime.now(UTC).astimezone().date()
    return at.strftime("%H:%M:%S" if at.date() == today else "%Y-%m-%d %H:%M")


def _print(answer: Json, columns: Sequence[Column], output: Output) -> None:
    if output is Output.json:
        _print_json(answer)
        return
    rows = answer["data"]
    if output is Output.csv:
        _print_csv(rows, columns)
    else:
        _print_table(rows, columns)
    if answer.get("next_cursor"):
        session().err.print("… and more: --limit shows more of them", style="dim")


def _print_table(rows: Sequence[Json], columns: Sequence[Column]) -> None:
    session().out.print(table(rows, columns) if rows else Text("none", style="dim"))


def _print_csv(rows: Iterable[Json], columns: Sequence[Column]) -> None:
    """As RFC 4180 has it, but for the ends of lines, which are the terminal's."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(name for name, _ in columns)
    writer.writerows([_csv_cell(value(row)) for _, value in columns] for row in rows)


def _csv_cell(value: object) -> str:
    """A cell. Text that a spreadsheet would run as a formula gets an apostrophe, as
    OWASP recommends; negative numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value).lower()
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _print_json(answer: Any) -> None:
    # Not through rich, which would break long lines.
    escaped = not writes_everything()
    written = json.dumps(answer, indent=2, ensure_ascii=escaped)
    print(harmless(written), flush=True)


def done(answer: Json, output: Output, sentence: str) -> None:
    """Print the result of a command: a sentence, or the API's answer."""
    if output is Output.json:
        _print_json(answer)
    else:
        session().out.print(Text(harmless(sentence)))


def save(content: bytes, name: str, file: Path | None) -> None:
    """Write a document to `file`, or under its name into this folder."""
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        return
    target = file or Path(name)
    target.write_bytes(content)
    session().out.print(f"{target}: {len(content):,} bytes")
