"""Disputes: payments that customers contest at their bank."""

from typing import Annotated

import typer

from cli.commands.order_names import order_id
from cli.display import Column, field, moment, show_list
from cli.options import LimitOption, Output, OutputOption, WatchOption, shown
from cli.session import session

app = typer.Typer(help="Payments disputed at the bank.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("dispute", field("id")),
    ("order", field("order_id")),
    ("status", field("status")),
    ("reason", field("reason")),
    ("amount", lambda row: shown(row["amount"])),
    ("withdrawn", lambda row: shown(row["withdrawn"])),
    ("evidence due", moment("evidence_due_at")),
    ("opened", moment("opened_at")),
)


@app.command("list")
def list_disputes(
    order: Annotated[str | None, typer.Option(help="Only this order.")] = None,
    ended: Annotated[
        bool, typer.Option("--ended", help="Show disputes that the bank has decided.")
    ] = False,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List disputes that the bank has not decided, newest first."""
    subject = order and order_id(order)
    show_list(
        lambda: session().api.rows(
            "/v1/disputes", limit, order=subject, open=not ended
        ),
        COLUMNS,
        output,
        watch=watch,
    )
