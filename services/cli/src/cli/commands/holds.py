"""Holds: what waits for a person."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.commands.order_names import (
    ListedOrderArgument,
    ListedOrderOption,
    listed_order,
    only,
    order_id,
)
from cli.display import Column, brief, done, field, moment, show_list, show_one
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
from cli.words import Decision, HoldReason

app = typer.Typer(help="Holds: list, assign and decide.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("hold", field("id")),
    ("order", field("order_id")),
    ("reason", field("reason")),
    ("since", moment("placed_at")),
    ("due", moment("due_at")),
    ("assignee", field("assignee")),
    ("decisions", field("decisions")),
    ("", lambda hold: brief(hold["detail"])),
)
FACTS: tuple[Column, ...] = (
    ("hold", field("id")),
    ("about", field("subject")),
    ("order", field("order_id")),
    ("reason", field("reason")),
    ("detail", lambda hold: brief(hold["detail"])),
    ("placed", moment("placed_at")),
    ("by", field("placed_by")),
    ("due", moment("due_at")),
    ("assignee", field("assignee")),
    ("decisions", field("decisions")),
    ("decided", moment("released_at")),
    ("decision", field("decision")),
    ("decided by", field("decided_by")),
    ("note", field("note")),
)
HoldArgument = Annotated[
    str,
    typer.Argument(metavar="HOLD", help="hld_…, or an order with one open hold"),
]


class State(StrEnum):
    open = "open"
    decided = "decided"


def hold_id(text: str) -> str:
    """The hold's id, also by its order's number. Raises `CliError`."""
    if text.startswith("hld_"):
        return text
    found = session().api.get("/v1/holds", subject=order_id(text))["data"]
    return only([hold["id"] for hold in found], f"open hold of order {text}")


@app.command("list")
def list_holds(
    of: ListedOrderArgument = None,
    reason: Annotated[HoldReason | None, typer.Option()] = None,
    assignee: Annotated[str | None, typer.Option()] = None,
    overdue: Annotated[bool, typer.Option("--overdue")] = False,
    order: ListedOrderOption = None,
    state: Annotated[State, typer.Option(help="The decided ones, latest first.")] = (
        State.open
    ),
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List holds: the open ones, first due first."""
    named = listed_order(of, order)
    subject = named and order_id(named)
    show_list(
        lambda: session().api.rows(
            "/v1/holds",
            limit,
            reason=reason,
            assignee=assignee,
            overdue=True if overdue else None,
            subject=subject,
            state=None if state is State.open else state,
        ),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("show")
def show_hold(hold: HoldArgument, output: OutputOption = Output.table) -> None:
    """Show a hold, open or decided."""
    show_one(session().api.get(f"/v1/holds/{hold_id(hold)}"), FACTS, output)


@app.command("place")
def place_hold(
    order: OrderArgument,
    note: Annotated[str, typer.Option(help="Why the order has to wait.")],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Put an order on hold until somebody releases it."""
    path = f"/v1/orders/{order_id(order)}/holds"
    hold = session().api.command(path, {"note": note}, key)
    done(hold, output, f"Hold {hold['id']} on {hold['order_id']}.")


@app.command("assign")
def assign_hold(
    hold: HoldArgument,
    assignee: Annotated[
        str | None, typer.Argument(help="The person to assign it to. Default: nobody.")
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Assign a hold to somebody."""
    body = {"assignee": assignee}
    hold = hold_id(hold)
    answer = session().api.command(f"/v1/holds/{hold}/assign", body, key)
    done(answer, output, f"{hold} is for {assignee or 'everybody'}.")


@app.command("release")
def release_hold(
    hold: HoldArgument,
    decision: Annotated[
        Decision, typer.Argument(help="One of the decisions that the hold allows.")
    ],
    note: Annotated[str, typer.Option(help="Why.")],
    line: LinesOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Decide about a hold."""
    body: Json = {"decision": decision, "note": note}
    if line:
        body["params"] = {"lines": lines(line)}
    hold = hold_id(hold)
    answer = session().api.command(f"/v1/holds/{hold}/release", body, key)
    done(answer, output, f"{hold} is decided: {answer['decision']}.")
