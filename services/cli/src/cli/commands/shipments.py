"""Shipments: the warehouse's work."""

from typing import Annotated

import typer

from cli.commands.contact import address
from cli.commands.orders import only, order_id
from cli.display import Column, done, field, moment, save, show_list, show_one
from cli.options import (
    FileOption,
    KeyOption,
    LimitOption,
    LinesOption,
    Output,
    OutputOption,
    WatchOption,
    lines,
)
from cli.problems import CliError, Json
from cli.session import session

app = typer.Typer(help="Parcels: pack and ship.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("shipment", field("id")),
    ("order", field("order_number")),
    ("status", field("status")),
    ("location", field("location")),
    ("lines", lambda s: [f"{line['quantity']} × {line['sku']}" for line in s["lines"]]),
    ("on hold", field("on_hold")),
    ("tracking", field("tracking")),
    ("since", moment("created_at")),
)
FACTS: tuple[Column, ...] = (
    *COLUMNS[:4],
    ("shipping", lambda s: s["shipping"]["method"]),
    ("ship to", lambda s: address((s["recipient"] or {}).get("ship_to"))),
    ("phone", lambda s: (s["recipient"] or {}).get("phone")),
    ("notes", lambda s: (s["recipient"] or {}).get("notes")),
    *COLUMNS[4:],
)
ShipmentArgument = Annotated[
    str,
    typer.Argument(metavar="SHIPMENT", help="shp_…, or an order with one such parcel"),
]
ShipmentsArgument = Annotated[
    list[str], typer.Argument(metavar="SHIPMENT...", help="As many as there are.")
]


def shipment_id(text: str, *statuses: str) -> str:
    """People know the order's number; only its parcels in one of `statuses` are meant.
    Raises `CliError`."""
    if text.startswith("shp_"):
        return text
    found = session().api.get("/v1/shipments", order=order_id(text))["data"]
    ids = [s["id"] for s in found if not statuses or s["status"] in statuses]
    what = " or ".join((*statuses,)) or "known"
    return only(ids, f"{what} parcel of order {text}")


def _sentence(shipment: Json) -> str:
    number = f": {shipment['tracking']}" if shipment["tracking"] else ""
    return f"{shipment['id']} is {shipment['status']}{number}."


@app.command("list")
def list_shipments(
    status: Annotated[str | None, typer.Option(help="ready, packed, …")] = None,
    location: Annotated[str | None, typer.Option()] = None,
    order: Annotated[str | None, typer.Option(help="Only this order.")] = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List shipments, oldest first."""
    of_order = order and order_id(order)
    show_list(
        lambda: session().api.rows(
            "/v1/shipments", limit, status=status, location=location, order=of_order
        ),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("show")
def show_shipment(
    shipment: ShipmentArgument, output: OutputOption = Output.table
) -> None:
    """Show a parcel: what is in it, and where it goes."""
    path = f"/v1/shipments/{shipment_id(shipment)}"
    show_one(session().api.get(path), FACTS, output)


@app.command("pack")
def pack_shipment(
    shipment: ShipmentArgument,
    weight: Annotated[int, typer.Option(min=1, help="Grams.")],
    size: Annotated[str, typer.Option(metavar="LxWxH", help="Millimetres.")],
    line: LinesOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Pack what was picked: everything, unless --line says what was found.

    The customer pays now, and the label is bought."""
    api = session().api
    shipment = shipment_id(shipment, "ready")
    planned = api.get(f"/v1/shipments/{shipment}")["lines"]
    picked = lines(line) if line else [_units(item) for item in planned]
    body = {"lines": picked, "parcel": _parcel(weight, size)}
    answer = api.command(f"/v1/shipments/{shipment}/pack", body, key)
    if answer["status"] == "ready":
        # The bank or the carrier takes its time, or somebody has to decide now.
        answer = api.until(
            f"/v1/shipments/{shipment}",
            lambda now: now["status"] != "ready" or bool(now["on_hold"]),
            "Paying and buying the label",
        )
    if answer["on_hold"]:
        raise CliError(
            f"On hold: {', '.join(answer['on_hold'])}."
            f"\n→ `orders holds list --order {answer['order_number']}`"
        )
    done(answer, output, _sentence(answer))


def _units(item: Json) -> Json:
    return {"line": item["line"], "quantity": item["quantity"]}


def _parcel(weight: int, size: str) -> Json:
    try:
        length, width, height = (int(edge) for edge in size.split("x"))
    except ValueError:
        raise typer.BadParameter(f"{size!r} is not like 300x200x150") from None
    return {
        "weight_g": weight,
        "length_mm": length,
        "width_mm": width,
        "height_mm": height,
    }


@app.command("ship")
def ship_shipment(
    shipment: ShipmentsArgument,
    carrier: Annotated[
        str | None, typer.Option(help="Only for a parcel without a bought label.")
    ] = None,
    tracking: Annotated[
        str | None, typer.Option(help="Only for a parcel without a bought label.")
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record that the carrier has taken parcels."""
    given = {"carrier": carrier, "tracking": tracking}
    body = {name: value for name, value in given.items() if value is not None}
    _several(shipment, key, tracking)
    for one in shipment:
        path = f"/v1/shipments/{shipment_id(one, 'packed')}/ship"
        answer = session().api.command(path, body, key)
        done(answer, output, _sentence(answer))


@app.command("deliver")
def deliver_shipment(
    shipment: ShipmentsArgument,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="2026-03-02T14:30:00Z; now if not set."),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record that parcels have arrived, where no carrier tells."""
    _several(shipment, key)
    for one in shipment:
        path = f"/v1/shipments/{shipment_id(one, 'shipped', 'lost')}/deliver"
        answer = session().api.command(path, {} if at is None else {"at": at}, key)
        done(answer, output, _sentence(answer))


def _several(shipments: list[str], *for_one: str | None) -> None:
    if len(shipments) > 1 and any(for_one):
        raise typer.BadParameter("--key and --tracking are for one parcel")


@app.command("cancel")
def cancel_shipment(
    shipment: ShipmentArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Cancel a parcel: its units go into a new one."""
    shipment = shipment_id(shipment, "ready", "packed")
    answer = session().api.command(f"/v1/shipments/{shipment}/cancel", None, key)
    done(answer, output, f"{shipment} is {answer['status']}.")


@app.command("label")
def save_label(shipment: ShipmentArgument, file: FileOption = None) -> None:
    """Save the label of a parcel, as PDF."""
    shipment = shipment_id(shipment, "packed", "shipped")
    label = session().api.download(f"/v1/shipments/{shipment}/label")
    save(label, f"{shipment}.pdf", file)
