"""Decides what an order's page shows and offers. The API may still refuse: it has the
rules."""

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from shared.platform.settings import only_https

from console.api import Json
from console.customer.visitor import Visitor

_OVER = ("cancelled", "completed")
_NOT_BACK = ("rejected", "expired")


def stage(order: Json) -> str:
    if order["status"] == "cancelled":
        return "cancelled"
    match order["fulfillment_status"]:
        case "delivered" | "partially_returned" | "returned":
            return "delivered"
        case "fulfilled":
            return "sent"
        case "partially_fulfilled":
            return "partly-sent"
    return "received" if order["status"] == "placed" else "preparing"


def waits_for(order: Json, reason: str) -> bool:
    return any(hold["reason"] == reason for hold in order["holds"])


def unsent(order: Json) -> dict[int, int]:
    """Units by line that could still be cancelled."""
    if order["status"] in _OVER:
        return {}
    return {
        line["line"]: left
        for line in order["lines"]
        if (left := line["quantity"] - line["cancelled"] - line["shipped"]) > 0
    }


def returnable(order: Json) -> dict[int, int]:
    """Units by line that have arrived and are in no return."""
    here = Counter[int]()
    for parcel in order["shipments"]:
        if parcel["status"] == "delivered":
            here.update({line["line"]: line["quantity"] for line in parcel["lines"]})
    for back in order["returns"]:
        if back["status"] not in _NOT_BACK:
            here.subtract({line["line"]: line["quantity"] for line in back["lines"]})
    return {line: units for line, units in here.items() if units > 0}


def offers(visitor: Visitor, order: Json) -> dict[str, Any]:
    """The actions that the page offers."""
    is_open = order["status"] not in _OVER
    unpacked = all(s["status"] in ("ready", "cancelled") for s in order["shipments"])
    return {
        "address": visitor.may("address") and is_open and unpacked,
        "pay": visitor.may("pay") and waits_for(order, "payment"),
        "cancel": visitor.may("cancel") and bool(unsent(order)),
        "return": visitor.may("return") and bool(returnable(order)),
    }


def banks_page(action: Json | None) -> str | None:
    """Where the bank asks the customer to confirm a payment, if it has such a page."""
    url = (action or {}).get("url")
    if not isinstance(url, str) or urlsplit(url).username:
        return None
    try:
        return only_https(url)
    except ValueError:
        return None
