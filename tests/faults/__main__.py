"""`uv run python -m tests.faults`: the long form of a fault run."""

import random
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from shared.platform.main import run_main

from tests.faults import courses
from tests.faults.ending import conclude
from tests.faults.run import play

_EPILOG = """Exit status: 0 when nothing was found, 1 otherwise.

A run is told again with its seed: the same wishes, and the same troubles in the same
order; only the moments differ. After findings, logs and databases are kept, and the
summary says where.
"""


def main(
    minutes: Annotated[
        float, typer.Option(min=0, help="How long orders are placed and troubles made.")
    ] = 30,
    seed: Annotated[
        int | None,
        typer.Option(help="Decides everything.", show_default="another each time"),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Orders under way at once.")] = 20,
    short: Annotated[
        bool,
        typer.Option(
            "--short", help="The form of the slow tests: every part is killed once."
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep logs and databases in any case.")
    ] = False,
) -> None:
    """Run orders on the whole system while its parts are killed, frozen, and cut off
    from one another, one at a time and two at once; let it heal; then prove that
    nothing was lost and nothing happened twice.
    """
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    course = courses.short(seed) if short else courses.long(seed, minutes, at_once)
    typer.echo(f"seed {seed}")
    data = Path(tempfile.mkdtemp(prefix="faults-"))

    async def run() -> int:
        report = await play(course, data, typer.echo)
        failed = bool(report.findings)
        return conclude(report.lines(), data, failed=failed, keep=keep)

    run_main(run())


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=_EPILOG)(main)
    app(prog_name="python -m tests.faults")
