"""A pick list as pages: what to fetch, then which parcel it goes into."""

from datetime import datetime

from api.orders.paper.schemas import PickList
from api.orders.paper.sheet import MARGIN_MM, WIDTH_MM, Sheet

_BARS_MM = 80.0
_ROW_MM = 14.0
_PARCEL_MM = 104.0


def pick_sheet(wanted: PickList, now: datetime) -> bytes:
    """The PDF. Every SKU that Code 128 can write has a bar code, and every parcel."""
    moment = f"{now:%Y-%m-%d %H:%M} UTC"
    sheet = Sheet("Pick list")
    sheet.begin(f"{wanted.location}, {moment}")
    sheet.heading("Pick list")
    units = sum(item.quantity for item in wanted.items)
    more = "; more parcels wait" if wanted.more else ""
    sheet.write_line(f"{wanted.name} ({wanted.location}), {moment}", 11)
    sheet.write_line(f"{units} units for {len(wanted.shipments)} parcels{more}")
    sheet.ln(3)
    for item in wanted.items:
        _item(sheet, item.sku, item.name, item.quantity)
    sheet.ln(6)
    for number, parcel in enumerate(wanted.shipments, 1):
        sheet.keep_together(_ROW_MM + 5 * min(len(parcel.lines), 20) + 6)
        sheet.rule()
        sheet.ln(2)
        top = sheet.get_y()
        sheet.bars(parcel.id, MARGIN_MM + WIDTH_MM - _PARCEL_MM, top, 9, _PARCEL_MM)
        sheet.bold(12)
        sheet.cell(70, 6, f"{number}. Order {parcel.order_number}", new_x="LMARGIN")
        sheet.ln(6)
        sheet.write_line(f"{parcel.shipping.method}, {parcel.id}", 8, 74)
        sheet.set_y(max(sheet.get_y(), top + 11))
        for line in parcel.lines:
            cells = [(16.0, f"{line.quantity} ×"), (50.0, line.sku), (114.0, line.name)]
            sheet.columns(cells)
        sheet.ln(2)
    return sheet.finished()


def _item(sheet: Sheet, sku: str, name: str, quantity: int) -> None:
    sheet.keep_together(_ROW_MM)
    sheet.rule()
    top = sheet.get_y() + 2
    sheet.bars(sku, MARGIN_MM + WIDTH_MM - _BARS_MM, top, 9, _BARS_MM)
    sheet.rect(MARGIN_MM, top + 1, 6, 6)  # to be ticked
    sheet.set_xy(MARGIN_MM + 8, top)
    sheet.bold(14)
    sheet.cell(20, 8, str(quantity))
    sheet.set_xy(MARGIN_MM + 28, top - 1)
    sheet.columns([(WIDTH_MM - _BARS_MM - 30, sku)], 10)
    sheet.set_xy(MARGIN_MM + 28, top + 4.5)
    sheet.columns([(WIDTH_MM - _BARS_MM - 30, name)], 8)
    sheet.set_y(top - 2 + _ROW_MM)
