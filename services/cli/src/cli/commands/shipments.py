"""Shipments: the warehouse's work."""

from typing import Annotated

import typer

from cli import words
from cli.commands.contact import address
from cli.commands.order_names import (
    ListedOrderArgument,
    ListedOrderOption,
    listed_order,
    only,
)
from cli.display import Column, done, field, moment, save, show_list, show_one
from cli.options import (
    FileOption,
    KeyOption,
    LimitOption,
    LinesOption,
    NoteOption,
    Output,
    OutputOption,
    SinceOption,
    WatchOption,
    given,
    lines,
)
from cli.problems import Json
from cli.session import session
from cli.words import SHIPMENT_STATUS, several, some_of

app = typer.Typer(help="Parcels: pack and ship.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("shipment", field("id")),
    ("order", field("order_number")),
    ("status", field("status")),
    ("location", field("location")),
    ("lines", lambda s: [f"{line['quantity']} × {line['sku']}" for line in s["lines"]]),
    ("on hold", field("on_hold")),
    ("tracking", lambda s: [box["tracking"] for box in s["packages"]]),
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
PackageOption = Annotated[
    int, typer.Option(min=1, help="Which box, if there are several.")
]
ShipmentsArgument = Annotated[
    list[str],
    typer.Argument(metavar="SHIPMENT...", help="One parcel or several."),
]


def shipment_id(text: str, *statuses: str) -> str:
    """The parcel's id, also by its order's number: then only parcels in one of
    `statuses` count. Raises `CliError`."""
    if text.startswith("shp_"):
        return text
    found = session().api.get("/v1/shipments", order=text)["data"]
    ids = [s["id"] for s in found if not statuses or s["status"] in statuses]
    what = " or ".join((*statuses,)) or "known"
    return only(ids, f"{what} parcel of order {text}")


def _sentence(shipment: Json) -> str:
    numbers = [box["tracking"] for box in shipment["packages"] if box["tracking"]]
    told = f": {', '.join(numbers)}" if numbers else ""
    picked = shipment["status"] == "ready" and shipment["packages"]
    return f"{shipment['id']} is {'picked' if picked else shipment['status']}{told}."


@app.command("list")
def list_shipments(
    of: ListedOrderArgument = None,
    status: Annotated[str | None, typer.Option(help=several(SHIPMENT_STATUS))] = None,
    location: Annotated[str | None, typer.Option()] = None,
    order: ListedOrderOption = None,
    since: SinceOption = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List shipments, oldest first."""
    of_order = listed_order(of, order)
    created_from = words.since(since)
    show_list(
        lambda: session().api.rows(
            "/v1/shipments",
            limit,
            status=some_of(status, SHIPMENT_STATUS),
            location=location,
            order=of_order,
            created_from=created_from,
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


WeightOption = Annotated[
    list[int], typer.Option(min=1, help="Grams. Repeat for each box.")
]
SizeOption = Annotated[
    list[str],
    typer.Option(metavar="LxWxH", help="Millimetres. Repeat for each box."),
]


@app.command("pack")
def pack_shipment(
    shipment: ShipmentArgument,
    weight: WeightOption,
    size: SizeOption,
    line: LinesOption = None,
    later: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LINE=UNITS",
            help="Found, but packed later in a parcel of its own.",
        ),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Pack what was picked: everything, unless --line says what was found.

    The customer pays now, and the labels are bought."""
    api = session().api
    shipment = shipment_id(shipment, "ready")
    planned = api.get(f"/v1/shipments/{shipment}")["lines"]
    picked = lines(line) if line else [_units(item) for item in planned]
    body = {
        "lines": _left_for_later(picked, lines(later), whole=not line),
        "parcels": _parcels(weight, size),
    }
    answer = api.command(f"/v1/shipments/{shipment}/pack", body, key)
    _labelled(answer, output)


def _units(item: Json) -> Json:
    return {"line": item["line"], "quantity": item["quantity"]}


def _left_for_later(
    picked: list[Json], later: list[Json], *, whole: bool
) -> list[Json]:
    """Units that are left for later were not picked, unless --line says otherwise."""
    units = {item["line"]: item["quantity"] for item in picked}
    rest = {item["line"]: item["quantity"] for item in later}
    if whole:
        units = {line: n - rest.get(line, 0) for line, n in units.items()}
    if any(n < 0 for n in units.values()):
        raise typer.BadParameter("--later has more than belongs in this parcel")
    return [
        {"line": line, "quantity": units.get(line, 0), "later": rest.get(line, 0)}
        for line in sorted(units.keys() | rest.keys())
    ]


def _labelled(answer: Json, output: Output) -> None:
    """The parcel's outcome, once it is paid for and labelled."""
    answer = _settled(answer)
    done(answer, output, _sentence(answer) + _held(answer))


def _settled(answer: Json) -> Json:
    if answer["status"] != "ready" or answer["on_hold"]:
        return answer
    # The bank or the carrier takes its time, or a person has to decide.
    return session().api.until(
        f"/v1/shipments/{answer['id']}",
        lambda now: now["status"] != "ready" or bool(now["on_hold"]),
        "Paying and buying the label",
    )


def _held(answer: Json) -> str:
    if not answer["on_hold"]:
        return ""
    return (
        f" On hold: {', '.join(answer['on_hold'])}."
        f"\n→ `orders holds list --order {answer['order_number']}`"
    )


def _parcels(weights: list[int], sizes: list[str]) -> list[Json]:
    if len(weights) != len(sizes):
        raise typer.BadParameter("each box has one --weight and one --size")
    return [_parcel(weight, size) for weight, size in zip(weights, sizes, strict=True)]


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


@app.command("relabel")
def relabel_shipment(
    shipment: ShipmentArgument,
    carrier: Annotated[
        str | None, typer.Option(help="The carrier that takes it.")
    ] = None,
    tracking: Annotated[
        str | None, typer.Option(help="The correct tracking number.")
    ] = None,
    package: PackageOption = 1,
    weight: Annotated[
        list[int] | None, typer.Option(min=1, help="Grams, if they were wrong.")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="LxWxH", help="Millimetres, if they were wrong."),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Give up a wrong label before the parcel leaves, and buy it anew.

    With --carrier or --tracking it goes by hand instead; a number that was typed by
    hand can be corrected afterwards, too."""
    body = given(carrier=carrier, tracking=tracking)
    if body:
        body["package"] = package
    if weight or size:
        body["parcels"] = _parcels(weight or [], size or [])
    path = f"/v1/shipments/{shipment_id(shipment, 'packed', 'shipped')}/relabel"
    _labelled(session().api.command(path, body, key), output)


@app.command("move")
def move_shipment(
    shipment: ShipmentsArgument,
    to: Annotated[str, typer.Option(help="The location it is sent from instead.")],
    note: NoteOption = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Send parcels that are not picked yet from another location."""
    _several(shipment, key)
    body = given(location=to, note=note)
    for one in shipment:
        path = f"/v1/shipments/{shipment_id(one, 'ready')}/move"
        answer = session().api.command(path, body, key)
        done(answer, output, f"{answer['id']} is at {answer['location']}.")


@app.command("ship")
def ship_shipment(
    shipment: ShipmentsArgument,
    carrier: Annotated[
        str | None,
        typer.Option(help="Ship by hand: a bought label is voided."),
    ] = None,
    tracking: Annotated[str | None, typer.Option(help="The tracking number.")] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record that the carrier has taken parcels."""
    body = given(carrier=carrier, tracking=tracking)
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
        typer.Option(metavar="TIME", help="2h (ago), 2026-11-30T14:30. Default: now."),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Record that parcels have arrived, where no carrier tells."""
    _several(shipment, key)
    body = given(at=words.since(at))
    for one in shipment:
        path = f"/v1/shipments/{shipment_id(one, 'shipped', 'lost')}/deliver"
        answer = session().api.command(path, body, key)
        done(answer, output, _sentence(answer))


def _several(shipments: list[str], *for_one: str | None) -> None:
    if len(shipments) > 1 and any(for_one):
        raise typer.BadParameter("--key and --tracking are for one parcel")


@app.command("cancel")
def cancel_shipment(
    shipment: ShipmentsArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Cancel parcels: their units go into new ones."""
    _several(shipment, key)
    for one in shipment:
        path = f"/v1/shipments/{shipment_id(one, 'ready', 'packed')}/cancel"
        answer = session().api.command(path, None, key)
        done(answer, output, f"{answer['id']} is {answer['status']}.")


@app.command("pack-many")
def pack_shipments(
    shipment: ShipmentsArgument,
    weight: Annotated[int, typer.Option(min=1, help="Grams of each parcel.")],
    size: Annotated[
        str, typer.Option(metavar="LxWxH", help="Millimetres of each parcel.")
    ],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Pack parcels as they were planned, each into one box of this size.

    Each is packed by itself: what one of them waits for is said of it alone."""
    box = _parcel(weight, size)
    ids = [shipment_id(one, "ready") for one in shipment]
    body = {"shipments": [{"shipment_id": one, "parcel": box} for one in ids]}
    answer = session().api.command("/v1/shipments/pack", body, key)
    for one in answer["data"]:
        one["shipment"] = one["shipment"] and _settled(one["shipment"])
    done(answer, output, "\n".join(map(_became, answer["data"])))
    if any(one["problem"] for one in answer["data"]):
        raise typer.Exit(1)


def _became(one: Json) -> str:
    if one["problem"]:
        return f"{one['shipment_id']}: {one['problem']['detail']}"
    return _sentence(one["shipment"]) + _held(one["shipment"])


@app.command("label")
def save_labels(
    shipment: ShipmentsArgument,
    package: Annotated[
        int | None, typer.Option(min=1, help="Only this package. Default: all.")
    ] = None,
    file: FileOption = None,
) -> None:
    """Save the labels of parcels, as PDF: one file for each box."""
    api = session().api
    parcels = [api.get(f"/v1/shipments/{_labelled_id(one)}") for one in shipment]
    wanted = [
        (parcel["id"], number)
        for parcel in parcels
        for number in ([package] if package else _boxes(parcel))
    ]
    if file and len(wanted) > 1:
        raise typer.BadParameter("--file is for one label: name its --package")
    for parcel_id, number in wanted:
        label = api.download(f"/v1/shipments/{parcel_id}/label?package={number}")
        box = "" if number == 1 else f"-{number}"
        save(label, f"{parcel_id}{box}.pdf", file)


def _labelled_id(text: str) -> str:
    return shipment_id(text, "packed", "shipped")


def _boxes(parcel: Json) -> list[int]:
    """The package numbers. For a parcel without labels the API explains why."""
    return [box["number"] for box in parcel["packages"]] or [1]
