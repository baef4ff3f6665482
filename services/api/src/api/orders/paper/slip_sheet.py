"""Packing slips as pages, each parcel on pages of its own."""

from collections.abc import Sequence
from typing import Any

from api.orders.paper.packing_slips import Slip
from api.orders.paper.sheet import MARGIN_MM, WIDTH_MM, Sheet

_BARS_MM = 104.0


def slip_sheet(slips: Sequence[Slip]) -> bytes:
    """The PDF; every parcel has the bar code of its id."""
    sheet = Sheet("Packing slips")
    for slip in slips:
        sheet.begin(f"Order {slip.shipment.number}")
        _slip(sheet, slip)
    return sheet.finished()


def _slip(sheet: Sheet, slip: Slip) -> None:
    shipment = slip.shipment
    if slip.sender:
        sheet.write_line(", ".join(_lines(slip.sender)), 8)
        sheet.ln(4)
    top = sheet.get_y()
    for part in _lines(slip.recipient or {}):
        sheet.write_line(part, 12, 74)
    below = sheet.get_y()
    left = MARGIN_MM + WIDTH_MM - _BARS_MM
    sheet.bars(shipment.id, left, top, 12, _BARS_MM)
    sheet.set_xy(left + 2, top + 12.5)
    sheet.columns([(_BARS_MM, shipment.id)], 8)
    sheet.set_xy(MARGIN_MM, max(below, top + 26) + 6)
    sheet.heading("Packing slip")
    lines = shipment.lines or []
    units = sum(line.qty for line in lines)
    boxes = len(shipment.packages)
    boxed = f", {boxes} boxes" if boxes > 1 else ""
    sheet.write_line(f"Order {shipment.number}, {units} units{boxed}", 11)
    sheet.ln(4)
    for line in lines:
        sheet.rule()
        sheet.ln(1.5)
        sheet.columns(
            [(18.0, f"{line.qty} ×"), (52.0, line.sku), (110.0, line.name)], 10
        )
        sheet.ln(1.5)
    sheet.rule()


def _lines(address: dict[str, Any]) -> list[str]:
    """As it is written on an envelope."""
    town = " ".join(filter(None, (address.get("postal_code"), address.get("city"))))
    whole = (
        *(address.get(part) for part in ("name", "company", "street", "street2")),
        *(town, address.get("region"), address.get("country")),
    )
    return [line for line in whole if line]
