"""Discrepancies: what the books disagree about."""

from typing import Annotated

import typer

from cli.display import Column, done, field, moment, show_list
from cli.options import KeyOption, LimitOption, Output, OutputOption, WatchOption
from cli.session import session

app = typer.Typer(help="Differences between the books.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("discrepancy", field("id")),
    ("kind", field("kind")),
    ("about", field("subject")),
    ("found", moment("found_at")),
    ("detail", field("detail")),
    ("resolved by", field("resolved_by")),
)


@app.command("list")
def list_discrepancies(
    kind: Annotated[str | None, typer.Option()] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Show resolved ones instead.")
    ] = False,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List discrepancies, oldest first."""
    show_list(
        lambda: session().api.rows(
            "/v1/discrepancies", limit, kind=kind, open=not resolved
        ),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("resolve")
def resolve_discrepancy(
    discrepancy: Annotated[str, typer.Argument(metavar="DISCREPANCY", help="dis_…")],
    note: Annotated[str, typer.Option(help="The cause and how it was resolved.")],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Close a discrepancy. The auditors reopen it while its cause remains."""
    path = f"/v1/discrepancies/{discrepancy}/resolve"
    answer = session().api.command(path, {"note": note}, key)
    done(answer, output, f"{discrepancy} is resolved.")


@app.command("book")
def book_discrepancy(
    discrepancy: Annotated[str, typer.Argument(metavar="DISCREPANCY", help="dis_…")],
    note: Annotated[str, typer.Option(help="Who has moved the money, and why.")],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Take over the provider's amounts of a payment. Its order continues."""
    path = f"/v1/discrepancies/{discrepancy}/book"
    answer = session().api.command(path, {"note": note}, key)
    done(answer, output, f"{discrepancy} is booked.")
