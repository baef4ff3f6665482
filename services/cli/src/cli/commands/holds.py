"""Holds: what waits for a person."""

from typing import Annotated

import typer

from cli.commands.orders import order_id
from cli.display import Column, brief, done, field, moment, show_list
from cli.options import (
    KeyOption,
    LimitOption,
    LinesOption,
    OrderArgument,
    Output,
    OutputOption,
    WatchOption,
    lines,
)
from cli.problems import Json
from cli.session import session

app = typer.Typer(help="What waits for a person.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("hold", field("id")),
    ("reason", field("reason")),
    ("order", field("order_id")),
    ("since", moment("placed_at")),
    ("due", moment("due_at")),
    ("assignee", field("assignee")),
    ("decisions", field("decisions")),
    ("", lambda hold: brief(hold["detail"])),
)
HoldArgument = Annotated[str, typer.Argument(metavar="HOLD", help="hld_…")]


@app.command("list")
def list_holds(
    reason: Annotated[str | None, typer.Option(help="approval, stock, …")] = None,
    assignee: Annotated[str | None, typer.Option()] = None,
    overdue: Annotated[bool, typer.Option("--overdue")] = False,
    order: Annotated[str | None, typer.Option(help="Of this order.")] = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List open holds, first due first."""
    subject = order and order_id(order)
    show_list(
        lambda: session().api.rows(
            "/v1/holds",
            limit,
            reason=reason,
            assignee=assignee,
            overdue=True if overdue else None,
            subject=subject,
        ),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("place")
def place_hold(
    order: OrderArgument,
    note: Annotated[str, typer.Option(help="Why it has to wait.")],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Stop an order until somebody releases it."""
    path = f"/v1/orders/{order_id(order)}/holds"
    hold = session().api.command(path, {"note": note}, key)
    done(hold, output, f"Hold {hold['id']} on {hold['order_id']}.")


@app.command("assign")
def assign_hold(
    hold: HoldArgument,
    assignee: Annotated[
        str | None, typer.Argument(help="Who takes care; nobody if left out.")
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Say who takes care of a hold."""
    body = {"assignee": assignee}
    answer = session().api.command(f"/v1/holds/{hold}/assign", body, key)
    done(answer, output, f"{hold} is for {assignee or 'everybody'}.")


@app.command("release")
def release_hold(
    hold: HoldArgument,
    decision: Annotated[str, typer.Argument(help="One of the hold's decisions.")],
    note: Annotated[str, typer.Option(help="Why.")],
    line: LinesOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Decide about a hold."""
    body: Json = {"decision": decision, "note": note}
    if line:
        body["params"] = {"lines": lines(line)}
    answer = session().api.command(f"/v1/holds/{hold}/release", body, key)
    done(answer, output, f"{hold} is decided: {answer['decision']}.")
