"""Files of many rows, written by the system in the background."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import words
from cli.options import FileOption, KeyOption, SinceOption, UntilOption
from cli.problems import CliError, Json
from cli.session import session
from cli.words import ExportFormat, ExportKind

app = typer.Typer()


@app.command("export")
def export(
    kind: Annotated[ExportKind, typer.Argument(help="The kind of rows.")],
    since: SinceOption = None,
    until: UntilOption = None,
    form: Annotated[ExportFormat, typer.Option("--format")] = ExportFormat.csv,
    file: FileOption = None,
    key: KeyOption = None,
) -> None:
    """Export all orders, lines, refunds or stock movements of a time. Amounts are in
    minor units."""
    asked = {
        "kind": kind,
        "format": form,
        "created_from": words.since(since),
        "created_to": words.since(until),
    }
    begun = session().api.command("/v1/exports", asked, key)
    path = f"/v1/exports/{begun['id']}"
    done = session().api.until(
        path,
        lambda e: e["status"] != "running",
        f"Writing {begun['rows_expected']:,} rows",
    )
    if done["file"] is None:
        raise CliError(f"The export has {done['status']}.\n→ Ask for it once more.")
    _save(done, file or Path(f"{kind}-{done['created_to'][:10]}.{form}"))


def _save(done: Json, target: Path) -> None:
    api = session().api
    if str(target) == "-":
        api.save(done["file"], sys.stdout.buffer)
        return
    with target.open("wb") as file:
        size = api.save(done["file"], file)
    if size != done["bytes"]:
        raise CliError(f"{target} is cut short.\n→ Export it once more.")
    session().out.print(f"{target}: {done['rows_written']:,} rows, {size:,} bytes")
