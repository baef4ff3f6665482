"""How a run that somebody started by hand ends."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import typer


def conclude(
    summary: Iterable[str], data: Path, *, failed: bool, keep: bool = False
) -> int:
    """Say what came of it, and tidy up unless there is something worth looking at.
    Returns the exit status."""
    typer.echo("\n".join(("", *summary)))
    if failed or keep:
        typer.echo(f"logs and databases: {data}")
    else:
        shutil.rmtree(data)
    return 1 if failed else 0
