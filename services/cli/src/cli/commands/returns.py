"""Returns: goods that come back."""

from typing import Annotated

import typer

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
    WatchOption,
)
from cli.problems import Json
from cli.session import session

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
LINES: tuple[Column, ...] = (
    ("line", field("line")),
    ("sku", field("sku")),
    ("units", field("quantity")),
    ("reason", field("reason")),
    ("accepted", field("accepted")),
    ("disposition", field("disposition")),
)
ReturnArgument = Annotated[str, typer.Argument(metavar="RETURN", help="ret_…")]


@app.command("list")
def list_returns(
    status: Annotated[str | None, typer.Option(help="requested, approved, …")] = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List returns."""
    show_list(
        lambda: session().api.rows("/v1/returns", limit, status=status),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("show")
def show_return(return_id: ReturnArgument, output: OutputOption = Output.table) -> None:
    """Show a return with its lines."""
    answer = session().api.get(f"/v1/returns/{return_id}")
    show_one(answer, COLUMNS, output)
    if output is Output.table:
        show_table("lines", answer["lines"], LINES)


@app.command("approve")
def approve_return(
    return_id: ReturnArgument,
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Approve a return: the customer sends the goods."""
    _decide(return_id, "approve", note, key, output)


@app.command("reject")
def reject_return(
    return_id: ReturnArgument,
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Reject a return: the customer keeps the goods."""
    _decide(return_id, "reject", note, key, output)


def _decide(
    return_id: str, verb: str, note: str | None, key: str | None, output: Output
) -> None:
    body: Json = {} if note is None else {"note": note}
    answer = session().api.command(f"/v1/returns/{return_id}/{verb}", body, key)
    done(answer, output, f"{return_id} is {answer['status']}.")


@app.command("receive")
def receive_return(
    return_id: ReturnArgument,
    line: Annotated[
        list[str],
        typer.Option(
            "--line",
            metavar="LINE=ACCEPTED:DISPOSITION",
            help="Such as 1=2:restock; quarantine and discard are the others.",
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option("--at", help="The location. Default: where they were sent from."),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record returned goods: what is accepted, and where it goes.

    What is accepted is paid back."""
    body: Json = {"lines": [_received(text) for text in line]}
    if at is not None:
        body["location"] = at
    answer = session().api.command(f"/v1/returns/{return_id}/receive", body, key)
    refund = f", refund {answer['refund_id']}" if answer.get("refund_id") else ""
    done(answer, output, f"{return_id} is {answer['status']}{refund}.")


def _received(text: str) -> Json:
    try:
        number, rest = text.split("=")
        accepted, disposition = rest.split(":")
        return {
            "line": int(number),
            "accepted": int(accepted),
            "disposition": disposition,
        }
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not like 1=2:restock") from None


@app.command("label")
def save_label(return_id: ReturnArgument, file: FileOption = None) -> None:
    """Save the label for the way back, as PDF."""
    label = session().api.download(f"/v1/returns/{return_id}/label")
    save(label, f"{return_id}.pdf", file)
