"""Shipments: the warehouse's work."""

from typing import Annotated

import typer

from cli.commands.orders import order_id
from cli.display import Column, done, field, moment, save, show_list
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
ShipmentArgument = Annotated[str, typer.Argument(metavar="SHIPMENT", help="shp_…")]


@app.command("list")
def list_shipments(
    status: Annotated[str | None, typer.Option(help="ready, packed, …")] = None,
    location: Annotated[str | None, typer.Option()] = None,
    order: Annotated[str | None, typer.Option(help="Of this order.")] = None,
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
    done(answer, output, f"{shipment} is {answer['status']}: {answer['tracking']}.")


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
    shipment: ShipmentArgument,
    carrier: Annotated[str | None, typer.Option(help="If it goes by hand.")] = None,
    tracking: Annotated[str | None, typer.Option(help="If it goes by hand.")] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """The parcel has left."""
    given = {"carrier": carrier, "tracking": tracking}
    body = {name: value for name, value in given.items() if value is not None}
    answer = session().api.command(f"/v1/shipments/{shipment}/ship", body, key)
    done(answer, output, f"{shipment} is {answer['status']}: {answer['tracking']}.")


@app.command("cancel")
def cancel_shipment(
    shipment: ShipmentArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Do not send this parcel."""
    answer = session().api.command(f"/v1/shipments/{shipment}/cancel", None, key)
    done(answer, output, f"{shipment} is {answer['status']}.")


@app.command("label")
def save_label(shipment: ShipmentArgument, file: FileOption = None) -> None:
    """Save the label of a parcel, as PDF."""
    label = session().api.download(f"/v1/shipments/{shipment}/label")
    save(label, f"{shipment}.pdf", file)
