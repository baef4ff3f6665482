"""The warehouse's paper: pick lists, packing slips, labels of many parcels."""

from typing import Annotated

import typer

from cli.commands.locations import path_of
from cli.commands.shipments import ShipmentsArgument, shipment_id
from cli.display import Column, done, field, save, show_table
from cli.options import FileOption, Output, OutputOption
from cli.session import session

app = typer.Typer()

ITEMS: tuple[Column, ...] = (
    ("units", field("quantity")),
    ("sku", field("sku")),
    ("name", field("name")),
)
PARCELS: tuple[Column, ...] = (
    ("shipment", field("id")),
    ("order", field("order_number")),
    ("lines", lambda s: [f"{line['quantity']} × {line['sku']}" for line in s["lines"]]),
)
PDF = "application/pdf"


@app.command("pick-list")
def show_pick_list(
    at: Annotated[str, typer.Option("--at", help="The location.")],
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=50, help="How many parcels at most.")
    ] = 20,
    file: FileOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show what is to be fetched at a location; with --file as PDF, to print."""
    path = f"{path_of(at)}/pick-list"
    if file is not None:
        save(session().api.download(f"{path}?limit={limit}", PDF), file.name, file)
        return
    answer = session().api.get(path, limit=limit)
    units = sum(item["quantity"] for item in answer["items"])
    more = ", and more wait" if answer["more"] else ""
    count = len(answer["shipments"])
    done(answer, output, f"{answer['name']}: {units} units, {count} parcels{more}.")
    if output is Output.table:
        show_table("to fetch", answer["items"], ITEMS)
        show_table("parcels", answer["shipments"], PARCELS)


@app.command("slips")
def save_packing_slips(shipment: ShipmentsArgument, file: FileOption = None) -> None:
    """Save the packing slips of parcels, as one PDF."""
    ids = [shipment_id(one, "ready", "packed") for one in shipment]
    _save("packing-slips", ids, file)


@app.command("labels")
def save_labels_together(shipment: ShipmentsArgument, file: FileOption = None) -> None:
    """Save the labels of parcels, as one PDF. `label` saves a file for each."""
    ids = [shipment_id(one, "packed", "shipped") for one in shipment]
    _save("labels", ids, file)


def _save(what: str, ids: list[str], file: FileOption) -> None:
    query = "&".join(f"shipment={one}" for one in ids)
    content = session().api.download(f"/v1/shipments/{what}?{query}", PDF)
    save(content, f"{what}.pdf", file)
