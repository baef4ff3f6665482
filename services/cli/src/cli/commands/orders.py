"""Orders: find them, look at them, and what may still be done about them."""

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli import words
from cli.display import (
    Column,
    brief,
    cell,
    done,
    field,
    moment,
    show_list,
    show_one,
    show_table,
)
from cli.options import (
    KeyOption,
    LimitOption,
    LinesOption,
    NoteOption,
    OrderArgument,
    Output,
    OutputOption,
    SinceOption,
    UntilOption,
    WatchOption,
    lines,
    money,
    shown,
)
from cli.problems import CliError, Json, harmless
from cli.session import session
from cli.words import (
    FULFILLMENT_STATUS,
    ORDER_STATUS,
    PAYMENT_STATUS,
    HoldReason,
    OrderSort,
    several,
    some_of,
)

app = typer.Typer()


def _tax(of_rate: Json) -> str:
    """`1.20 EUR at 19 %`, or `0.36 USD NY at 4 %`."""
    bp, rate = of_rate["tax_bp"], of_rate["rate"]
    percent = rate if bp is None else f"{bp / 100:g}"
    words = [shown(of_rate["tax"]), of_rate["name"], percent and f"at {percent} %"]
    return " ".join(word for word in words if word)


LIST: tuple[Column, ...] = (
    ("number", field("number")),
    ("order", field("id")),
    ("status", field("status")),
    ("payment", field("payment_status")),
    ("goods", field("fulfillment_status")),
    ("total", lambda o: shown(o["totals"]["total"])),
    ("holds", lambda o: [hold["reason"] for hold in o["holds"]]),
    ("placed", moment("created_at")),
)
FACTS: tuple[Column, ...] = (
    ("order", lambda o: f"{o['number']}  {o['id']}"),
    ("customer", field("customer_id")),
    ("status", lambda o: " ".join(filter(None, (o["status"], o["reason"])))),
    ("payment", field("payment_status")),
    ("goods", field("fulfillment_status")),
    ("total", lambda o: shown(o["totals"]["total"])),
    ("wanted still", lambda o: shown(o["totals"]["wanted"])),
    ("left to pay", lambda o: shown(o["totals"]["to_pay"])),
    ("discount", lambda o: shown(o["totals"]["discount"])),
    ("tax", lambda o: [o["tax_treatment"], *map(_tax, o["totals"]["taxes"])]),
    ("captured", lambda o: shown(o["totals"]["captured"])),
    ("refunded", lambda o: shown(o["totals"]["refunded"])),
    ("placed", moment("created_at")),
)
LINES: tuple[Column, ...] = (
    ("line", field("line")),
    ("sku", field("sku")),
    ("units", field("quantity")),
    ("reserved", field("reserved")),
    ("shipped", field("shipped")),
    ("cancelled", field("cancelled")),
    ("returned", field("returned")),
    ("off", lambda line: [_discount(one) for one in line["discounts"]]),
    ("total", lambda line: shown(line["total"])),
    ("tax", lambda line: shown(line["tax"])),
)
HOLDS: tuple[Column, ...] = (
    ("hold", field("id")),
    ("reason", field("reason")),
    ("due", moment("due_at")),
)
SHIPMENTS: tuple[Column, ...] = (
    ("shipment", field("id")),
    ("status", field("status")),
    ("location", field("location")),
    ("carrier", field("carrier")),
    ("tracking", field("tracking")),
    ("last scan", field("tracking_status")),
)
RETURNS: tuple[Column, ...] = (("return", field("id")), ("status", field("status")))
REFUNDS: tuple[Column, ...] = (
    ("refund", field("id")),
    ("status", field("status")),
    ("reason", field("reason")),
    ("amount", lambda refund: shown(refund["amount"])),
    ("tax", lambda refund: refund["tax"] and shown(refund["tax"])),
)
EVENTS: tuple[Column, ...] = (
    ("seq", field("seq")),
    ("at", moment("at")),
    ("event", field("type")),
    ("by", field("actor")),
    ("", lambda event: brief(event["data"])),
)
FEED: tuple[Column, ...] = (
    ("id", field("id")),
    ("at", moment("at")),
    ("event", field("type")),
    ("about", field("subject")),
    ("", lambda event: brief(event["data"])),
)


def _discount(discount: Json) -> str:
    return f"{shown(discount['amount'])} {discount['code']}"


def order_id(order: str) -> str:
    """The order's id, also by its number. Raises `CliError`."""
    if order.startswith("ord_"):
        return order
    found = session().api.get("/v1/orders", q=order, limit=2)["data"]
    if not found:
        raise CliError(f"No order has the number or reference {order!r}.")
    if len(found) > 1:
        ids = ", ".join(one["id"] for one in found)
        raise CliError(
            f"One order has the number {order}, and another one has it as its"
            f" reference.\n→ Name the one you mean by its id: {ids}"
        )
    return str(found[0]["id"])


def only(ids: list[str], what: str) -> str:
    """The one id. Raises `CliError` if there is none, or several."""
    match ids:
        case [one]:
            return one
        case []:
            raise CliError(f"There is no {what}.")
    raise CliError(
        f"There is more than one {what}.\n→ Name the one you mean: {', '.join(ids)}"
    )


ListedOrderArgument = Annotated[
    str | None, typer.Argument(metavar="ORDER", help="Only those of this order.")
]
ListedOrderOption = Annotated[
    str | None, typer.Option("--order", help="The same, as an option.")
]


def listed_order(argument: str | None, option: str | None) -> str | None:
    """The id of the order that a list is of, whichever way it was named."""
    order = argument or option
    return order and order_id(order)


class RefundReason(StrEnum):
    lost = "lost"
    damaged = "damaged"
    goodwill = "goodwill"
    price = "price"


Several = Annotated[list[str] | None, typer.Option(help="Repeat for several.")]


@app.command("list")
def list_orders(
    status: Annotated[str | None, typer.Option(help=several(ORDER_STATUS))] = None,
    payment: Annotated[str | None, typer.Option(help=several(PAYMENT_STATUS))] = None,
    goods: Annotated[str | None, typer.Option(help=several(FULFILLMENT_STATUS))] = None,
    hold: Annotated[
        HoldReason | None, typer.Option(help="Only with an open hold for this reason.")
    ] = None,
    sku: Several = None,
    tracking: Several = None,
    location: Several = None,
    since: SinceOption = None,
    until: UntilOption = None,
    changed_since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what changed since then.")
    ] = None,
    customer: Annotated[str | None, typer.Option()] = None,
    query: Annotated[
        str | None, typer.Option("-q", help="The exact number, reference or id.")
    ] = None,
    sort: Annotated[OrderSort, typer.Option(help="Newest first.")] = OrderSort.placed,
    up: Annotated[bool, typer.Option("--up", help="Oldest first.")] = False,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List orders, newest first. By name or mail: `orders search`."""
    filters = {
        "status": some_of(status, ORDER_STATUS),
        "payment_status": some_of(payment, PAYMENT_STATUS),
        "fulfillment_status": some_of(goods, FULFILLMENT_STATUS),
        "hold": hold,
        "sku": sku or None,
        "tracking": tracking or None,
        "location": location or None,
        "created_from": words.since(since),
        "created_to": words.since(until),
        "updated_from": words.since(changed_since),
        "customer": customer,
        "q": query,
        "sort": sort.value if up else f"-{sort.value}",
    }
    show_list(
        lambda: session().api.rows("/v1/orders", limit, **filters),
        LIST,
        output,
        watch=watch,
    )


@app.command("search")
def search_orders(
    text: Annotated[
        str, typer.Argument(help="A name, mail, number, reference or tracking number.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 50,
    output: OutputOption = Output.table,
) -> None:
    """Find orders, also by customer. The search is logged with your name."""
    asked = {"q": text, "limit": limit}
    show_list(lambda: session().api.post("/v1/orders/search", asked), LIST, output)


@app.command("show")
def show_order(order: OrderArgument, output: OutputOption = Output.table) -> None:
    """Show an order with its lines, money and parcels."""
    answer = session().api.get(f"/v1/orders/{order_id(order)}")
    show_one(answer, FACTS, output)
    if output is not Output.table:
        return
    for title, columns in (
        ("lines", LINES),
        ("holds", HOLDS),
        ("shipments", SHIPMENTS),
        ("returns", RETURNS),
        ("refunds", REFUNDS),
    ):
        show_table(title, answer[title], columns)
    if answer["next_action"]:
        url = harmless(answer["next_action"]["url"])
        session().out.print(f"\nThe customer pays at {url}", markup=False)


@app.command("events")
def show_events(
    order: Annotated[
        str | None,
        typer.Argument(metavar="[ORDER]", help="ord_…, number or reference; else all"),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "-f", "--follow", help="Follow: show further events as they happen."
        ),
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(
            help="Follow until an event of this type, such as order.completed."
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            help="After this seq of the order, or after this id of the feed."
            " Without an order, -f begins with what comes from now on."
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type", help="Only events of this type: order.placed or refund.*"
        ),
    ] = None,
    limit: LimitOption = 50,
    output: OutputOption = Output.table,
) -> None:
    """Show what happened to an order, or to all of them."""
    if order is not None:
        events = _Events(f"/v1/orders/{order_id(order)}/events", EVENTS)
        first, limit = after or "0", 10_000
    else:
        events = _Events("/v1/events", FEED, types)
        first = after or ("latest" if follow or until else "0-0")
    if follow or until:
        events.follow(first, until, output)
    else:
        show_list(lambda: events.rows(first, limit), events.columns, output)


@dataclass(frozen=True)
class _Events:
    """The events at an address, and how they are shown."""

    path: str
    columns: tuple[Column, ...]
    types: list[str] | None = None

    def rows(self, after: str, limit: int) -> Json:
        return session().api.rows(self.path, limit, after=after, types=self.types)

    def follow(self, after: str, until: str | None, output: Output) -> None:
        api = session().api
        for event in api.events(self.path, after, types=self.types):
            if output is Output.json:
                print(json.dumps(event), flush=True)
            else:
                words = (cell(value(event)).plain for _, value in self.columns)
                session().out.print("  ".join(words), markup=False, soft_wrap=True)
            if event["type"] == until:
                return
        if until:
            raise CliError(f"The order has ended without {until}.")


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
    body: Json = {"method": method}
    if return_url:
        body["return_url"] = return_url
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
    body: Json = {"reason": reason, **_noted(note)}
    if line:
        body["lines"] = lines(line)
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
    body: Json = {"reason": reason, "note": note}
    if line:
        body["lines"] = lines(line)
    if shipping:
        body["shipping"] = True
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
    answer = session().api.command(path, {"lines": wanted, **_noted(note)}, key)
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


def _noted(note: str | None) -> Json:
    return {} if note is None else {"note": note}
