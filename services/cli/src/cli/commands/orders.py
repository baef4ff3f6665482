"""Orders: find them, and look at them."""

import json
from dataclasses import dataclass
from typing import Annotated

import typer

from cli import words
from cli.commands.order_names import order_id
from cli.display import (
    Column,
    brief,
    cell,
    field,
    moment,
    show_list,
    show_one,
    show_table,
)
from cli.options import (
    LimitOption,
    OrderArgument,
    Output,
    OutputOption,
    SinceOption,
    UntilOption,
    WatchOption,
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
    """Show the events of an order, or of all of them."""
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
