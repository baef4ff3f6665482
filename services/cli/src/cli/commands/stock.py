"""Stock: what lies where."""

from typing import Annotated
from urllib.parse import quote

import typer

from cli.display import Column, done, field, moment, show_list
from cli.options import (
    KeyOption,
    LimitOption,
    Output,
    OutputOption,
    WatchOption,
    units_of_sku,
)
from cli.problems import Json
from cli.session import session
from cli.words import StockReason

app = typer.Typer(
    help="Stock: levels, receipts, adjustments, transfers.", no_args_is_help=True
)

COLUMNS: tuple[Column, ...] = (
    ("sku", field("sku")),
    ("location", field("location")),
    ("on hand", field("on_hand")),
    ("reserved", field("reserved")),
    ("available", field("available")),
)
MOVEMENTS: tuple[Column, ...] = (
    ("at", moment("at")),
    ("location", field("location")),
    ("on hand", field("on_hand")),
    ("reserved", field("reserved")),
    ("reason", field("reason")),
    ("for", field("ref")),
    ("by", field("actor")),
)
UnitsArgument = Annotated[list[str], typer.Argument(metavar="SKU=UNITS...")]
AtOption = Annotated[str, typer.Option("--at", help="The location.")]
RefOption = Annotated[str, typer.Option("--ref", help="Delivery note, count sheet …")]


@app.command("show")
def show_stock(
    sku: Annotated[str | None, typer.Argument(help="Default: all of them.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Only this location.")] = None,
    below: Annotated[
        int | None, typer.Option(help="Only SKUs with fewer units available than this.")
    ] = None,
    movements: Annotated[
        bool,
        typer.Option("--movements", help="Show the movements behind it; needs a SKU."),
    ] = False,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Show the stock, or why it is what it is."""
    if movements and sku is None:
        raise typer.BadParameter("--movements needs a SKU")
    about = quote(sku or "", safe="")
    path = f"/v1/stock/{about}/movements" if movements else "/v1/stock"
    filters = {} if movements else {"sku": sku, "location": at, "below": below}
    show_list(
        lambda: session().api.rows(path, limit, **filters),
        MOVEMENTS if movements else COLUMNS,
        output,
        watch=watch,
    )


@app.command("receive")
def receive_stock(
    units: UnitsArgument,
    at: AtOption,
    ref: RefOption,
    again: Annotated[
        bool, typer.Option("--again", help="The same goods came again on this note.")
    ] = False,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record goods that arrived. Waiting orders get them, the oldest first."""
    lines = [{"sku": sku, "quantity": n} for sku, n in map(units_of_sku, units)]
    body: Json = {"location": at, "ref": ref, "lines": lines}
    if again:
        body["again"] = True
    _done(session().api.command("/v1/stock/receipts", body, key), output)


@app.command("adjust")
def adjust_stock(
    units: UnitsArgument,
    at: AtOption,
    ref: RefOption,
    reason: Annotated[StockReason, typer.Option()] = StockReason.adjust,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Correct the stock by so many units more, or fewer: MUG-BLUE=-2."""
    lines = [{"sku": sku, "delta": n} for sku, n in map(units_of_sku, units)]
    body = {"location": at, "ref": ref, "reason": reason, "lines": lines}
    _done(session().api.command("/v1/stock/adjustments", body, key), output)


@app.command("count")
def count_stock(
    units: UnitsArgument,
    at: AtOption,
    ref: RefOption,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Correct the stock to what was counted, reserved units included: MUG-BLUE=41."""
    lines = [{"sku": sku, "counted": n} for sku, n in map(units_of_sku, units)]
    body = {"location": at, "ref": ref, "lines": lines}
    _done(session().api.command("/v1/stock/adjustments", body, key), output)


@app.command("transfer")
def transfer_stock(
    units: UnitsArgument,
    origin: Annotated[str, typer.Option("--from", help="The location they leave.")],
    destination: Annotated[
        str, typer.Option("--to", help="The location they move to.")
    ],
    ref: RefOption,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Take stock from one location to another, in one booking: MUG-BLUE=5."""
    lines = [{"sku": sku, "quantity": n} for sku, n in map(units_of_sku, units)]
    places = {"origin": origin, "destination": destination}
    body = places | {"ref": ref, "lines": lines}
    _done(session().api.command("/v1/stock/transfers", body, key), output)


def _done(answer: Json, output: Output) -> None:
    now = "; ".join(
        f"{row['sku']} at {row['location']}: {row['on_hand']} on hand,"
        f" {row['available']} available"
        for row in answer["data"]
    )
    done(answer, output, now)
