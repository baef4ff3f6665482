"""Commands on an order: place it, pay, cancel, refund and return it, restart it."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.order_names import order_id
from cli.display import (
    Column,
    done,
    field,
    moment,
    show_one,
    show_table,
)
from cli.options import (
    KeyOption,
    LinesOption,
    NoteOption,
    OrderArgument,
    Output,
    OutputOption,
    given,
    lines,
    money,
    shown,
)
from cli.problems import CliError
from cli.session import session

app = typer.Typer()


class RefundReason(StrEnum):
    lost = "lost"
    damaged = "damaged"
    goodwill = "goodwill"
    price = "price"


@app.command("place")
def place_order(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The order as JSON; - reads stdin.")
    ],
    wait: Annotated[
        int,
        typer.Option(
            min=0,
            max=30,
            help="Seconds to wait for the order's confirmation, cancellation or hold.",
        ),
    ] = 10,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Place an order, as the shop does."""
    try:
        # As bytes: JSON tells its encoding itself, with a byte order mark or without.
        read = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        body = json.loads(read)
    except (OSError, ValueError) as error:
        raise CliError(f"{file} is not an order in JSON: {error}") from None
    headers = {"Prefer": f"wait={wait}"} if wait else {}
    with session().err.status("The order is on its way …"):
        order = session().api.command("/v1/orders", body, key, **headers)
    held = "".join(f", waits for {hold['reason']}" for hold in order["holds"])
    done(
        order,
        output,
        f"Order {order['number']} ({order['id']}) is {order['status']}{held}.",
    )


@app.command("pay")
def pay_order(
    order: OrderArgument,
    method: Annotated[str, typer.Argument(help="The provider's payment method id.")],
    return_url: Annotated[
        str | None,
        typer.Option(help="The page that the provider returns the customer to."),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Try another payment method."""
    body = given(method=method, return_url=return_url or None)
    with session().err.status("Asking the customer's bank …"):
        paid = session().api.command(
            f"/v1/orders/{order_id(order)}/payments", body, key
        )
    link = (paid.get("next_action") or {}).get("url")
    done(paid, output, f"Payment {paid['id']}: {paid['status']} {link or ''}".rstrip())


@app.command("cancel")
def cancel_order(
    order: OrderArgument,
    reason: Annotated[str, typer.Option(help="Your own category.")],
    line: LinesOption = None,
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Cancel lines, or everything that has not shipped, and refund the customer."""
    body = given(reason=reason, note=note, lines=lines(line) or None)
    path = f"/v1/orders/{order_id(order)}/cancellations"
    answer = session().api.command(path, body, key)
    refund = f" Refund {answer['refund_id']}." if answer["refund_id"] else ""
    units = sum(item["quantity"] for item in answer["cancelled"])
    done(
        answer,
        output,
        f"Cancelled {units} units; the order is {answer['order']['status']}.{refund}",
    )


@app.command("refund")
def refund_order(
    order: OrderArgument,
    reason: Annotated[RefundReason, typer.Option()],
    note: Annotated[str, typer.Option(help="The reason; customers never see it.")],
    line: LinesOption = None,
    amount: Annotated[
        str | None, typer.Option(help="An amount such as 5,00, instead of lines.")
    ] = None,
    shipping: Annotated[
        bool, typer.Option("--shipping", help="Refund the shipping, too.")
    ] = False,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Refund lines, the shipping or an amount."""
    found = order_id(order)
    body = given(
        reason=reason,
        note=note,
        lines=lines(line) or None,
        shipping=shipping or None,
    )
    if amount is not None:
        currency = session().api.get(f"/v1/orders/{found}")["currency"]
        body["amount"] = money(amount, currency)
    refund = session().api.command(f"/v1/orders/{found}/refunds", body, key)
    held = refund["hold"]
    waits = f", waits for a second person (hold {held['id']})" if held else ""
    done(
        refund,
        output,
        f"Refund {refund['id']} of {shown(refund['amount'])}:"
        f" {refund['status']}{waits}.",
    )


@app.command("return")
def return_order(
    order: OrderArgument,
    line: Annotated[
        list[str],
        typer.Option("--line", metavar="LINE=UNITS", help="Repeat for each line."),
    ],
    reason: Annotated[str, typer.Option(help="A category, such as does-not-fit.")],
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Ask to send goods back."""
    wanted = [item | {"reason": reason} for item in lines(line)]
    path = f"/v1/orders/{order_id(order)}/returns"
    answer = session().api.command(path, given(lines=wanted, note=note), key)
    done(answer, output, f"Return {answer['id']}: {answer['status']}.")


@app.command("process")
def show_process(order: OrderArgument, output: OutputOption = Output.table) -> None:
    """Show what an order waits for, since when, and what happens if nobody acts."""
    process = session().api.get(f"/v1/orders/{order_id(order)}/process")
    show_one(process, PROCESS, output)
    if output is Output.table:
        show_table("waits for", process["waiting_for"], WAITING)
        show_table("tries", process["pending_activities"], PENDING)


PROCESS: tuple[Column, ...] = (
    ("workflow", field("workflow_id")),
    ("running", field("running")),
    ("see", field("ui_url")),
)
WAITING: tuple[Column, ...] = (
    ("what", field("what")),
    ("reason", field("reason")),
    ("since", moment("since")),
    ("due", moment("due_at")),
    ("about", lambda w: w["hold_id"] or w["subject"]),
    ("detail", field("detail")),
    ("if nobody acts", field("then")),
)
PENDING: tuple[Column, ...] = (
    ("step", field("type")),
    ("attempt", field("attempt")),
    ("last error", field("last_error")),
    ("next", moment("next_at")),
)


@app.command("resume")
def resume_order(
    order: OrderArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Restart an order's workflow if it is lost. Safe at any time."""
    path = f"/v1/orders/{order_id(order)}/resume"
    answer = session().api.command(path, None, key)
    done(answer, output, f"{answer['workflow_id']} looks at the facts again.")
