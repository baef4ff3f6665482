"""Returns: goods that come back."""

from typing import Annotated

import typer

from cli import words
from cli.commands.order_names import (
    ListedOrderArgument,
    ListedOrderOption,
    listed_order,
    only,
)
from cli.display import (
    Column,
    done,
    field,
    moment,
    save,
    show_list,
    show_one,
    show_table,
)
from cli.options import (
    FileOption,
    KeyOption,
    LimitOption,
    NoteOption,
    Output,
    OutputOption,
    SinceOption,
    WatchOption,
    given,
    money,
    shown,
)
from cli.problems import Json
from cli.session import session
from cli.words import DISPOSITION, RETURN_STATUS, several, some_of

app = typer.Typer(
    help="Returns: approve, reject and receive goods.", no_args_is_help=True
)

COLUMNS: tuple[Column, ...] = (
    ("return", field("id")),
    ("order", field("order_id")),
    ("status", field("status")),
    ("tracking", field("tracking")),
    ("due", moment("due_at")),
    ("asked for", moment("created_at")),
)
FACTS: tuple[Column, ...] = (
    *COLUMNS,
    ("label", field("label")),
    ("refund", field("refund_id")),
    ("waits for", lambda r: r["hold"] and r["hold"]["reason"]),
)
LINES: tuple[Column, ...] = (
    ("line", field("line")),
    ("sku", field("sku")),
    ("units", field("quantity")),
    ("reason", field("reason")),
    ("accepted", field("accepted")),
    ("disposition", field("disposition")),
    ("kept", lambda line: line["deduction"] and shown(line["deduction"])),
)
ReturnArgument = Annotated[
    str,
    typer.Argument(metavar="RETURN", help="ret_…, or an order with one such return"),
]


def return_id(text: str, *statuses: str) -> str:
    """The return's id, also by its order's number: then only returns in one of
    `statuses` count. Raises `CliError`."""
    if text.startswith("ret_"):
        return text
    found = session().api.get("/v1/returns", order=text, status=list(statuses) or None)
    what = " or ".join(statuses) or "known"
    return only([one["id"] for one in found["data"]], f"{what} return of order {text}")


@app.command("list")
def list_returns(
    of: ListedOrderArgument = None,
    status: Annotated[str | None, typer.Option(help=several(RETURN_STATUS))] = None,
    order: ListedOrderOption = None,
    since: SinceOption = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List returns, newest first."""
    of_order = listed_order(of, order)
    created_from = words.since(since)
    show_list(
        lambda: session().api.rows(
            "/v1/returns",
            limit,
            status=some_of(status, RETURN_STATUS),
            order=of_order,
            created_from=created_from,
        ),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("show")
def show_return(returned: ReturnArgument, output: OutputOption = Output.table) -> None:
    """Show a return with its lines."""
    answer = session().api.get(f"/v1/returns/{return_id(returned)}")
    show_one(answer, FACTS, output)
    if output is Output.table:
        show_table("lines", answer["lines"], LINES)


@app.command("approve")
def approve_return(
    returned: ReturnArgument,
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Approve a return: the customer sends the goods."""
    _decide(return_id(returned, "requested"), "approve", note, key, output)


@app.command("reject")
def reject_return(
    returned: ReturnArgument,
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Reject a return: the customer keeps the goods."""
    _decide(return_id(returned, "requested"), "reject", note, key, output)


def _decide(
    asked: str, verb: str, note: str | None, key: str | None, output: Output
) -> None:
    path = f"/v1/returns/{asked}/{verb}"
    answer = session().api.command(path, given(note=note), key)
    done(answer, output, f"{asked} is {answer['status']}.")


@app.command("receive")
def receive_return(
    returned: ReturnArgument,
    line: Annotated[
        list[str],
        typer.Option(
            "--line",
            metavar="LINE=ACCEPTED:DISPOSITION",
            help="Such as 1=2:restock; quarantine and discard are the others.",
        ),
    ],
    deduct: Annotated[
        list[str] | None,
        typer.Option(
            "--deduct",
            metavar="LINE=AMOUNT",
            help="Deducted from a line's price for wear: 1=2,50.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The location. Default: where they were sent from."),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record returned goods: what is accepted, and where it goes. Accepted units are
    refunded, less what is deducted."""
    body: Json = {"lines": [_received(text) for text in line]}
    if at is not None:
        body["location"] = at
    expected = return_id(returned, "approved", "expired")
    if deduct:
        _deduct(deduct, body["lines"], expected)
    answer = session().api.command(f"/v1/returns/{expected}/receive", body, key)
    refund = f", refund {answer['refund_id']}" if answer.get("refund_id") else ""
    done(answer, output, f"{expected} is {answer['status']}{refund}.")


def _deduct(wanted: list[str], lines: list[Json], expected: str) -> None:
    """Adds to each line what is kept of it. Raises `typer.BadParameter`."""
    currency = session().api.get(f"/v1/returns/{expected}")["currency"]
    for text in wanted:
        number, _, amount = text.partition("=")
        named = [line for line in lines if str(line["line"]) == number]
        if not named:
            raise typer.BadParameter(f"{text!r} is not like 1=2,50 beside --line 1=…")
        named[0]["deduction"] = money(amount, currency)


def _received(text: str) -> Json:
    try:
        number, rest = text.split("=")
        accepted, disposition = rest.split(":")
        some_of(disposition, DISPOSITION)
        return {
            "line": int(number),
            "accepted": int(accepted),
            "disposition": disposition,
        }
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not like 1=2:restock") from None


@app.command("label")
def save_label(returned: ReturnArgument, file: FileOption = None) -> None:
    """Save the label for the way back, as PDF."""
    approved = return_id(returned, "approved")
    label = session().api.download(f"/v1/returns/{approved}/label")
    save(label, f"{approved}.pdf", file)
