"""An order: where it is, what it waits for, what comes next, and what one can do."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request, Response

from console.api import Json
from console.pages.contact import ADDRESS
from console.person import Person, SignedIn
from console.picture import money_chart, stations
from console.templating import page

router = APIRouter(prefix="/orders")

EVENTS = 500
REFUND_REASONS = ("goodwill", "damaged", "lost", "price")


@router.get("/{order_id}")
async def show(request: Request, order_id: str, person: SignedIn) -> Response:
    return page(request, "order.html", **await _known(order_id, person))


async def _known(order_id: str, person: Person) -> dict[str, Any]:
    api, path = person.api, f"/v1/orders/{order_id}"
    asked: dict[str, Awaitable[Any]] = {
        "order": api.get(path),
        "events": api.every(f"{path}/events", EVENTS),
    }
    if person.may("fulfil", "orders:read"):
        asked["parcels"] = api.rows("/v1/shipments", order=order_id, limit=100)
    if person.may("orders:operate"):
        asked["process"] = api.get(f"{path}/process")
    if person.may("contacts:read"):
        asked["contact"] = api.get(f"{path}/contact")
    if person.may("contacts:read", "fulfil"):
        asked["notes"] = api.rows(f"{path}/notes", limit=100)
    if person.may("orders:read"):
        asked["messages"] = api.rows(f"{path}/messages", limit=50)
    found: dict[str, Any] = {"process": None, "contact": None}
    found |= {"parcels": [], "notes": [], "messages": []}
    found |= dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    order, events = found["order"], found["events"]
    return found | {
        "stations": stations(order, found["parcels"]),
        "chart": money_chart(order, events),
        "story": _story(events, found["notes"]),
        "address_fields": ADDRESS,
        "refund_reasons": REFUND_REASONS,
    }


def _story(events: list[Json], notes: list[Json]) -> list[Json]:
    """Events and what people wrote, the newest first."""
    told = [
        {"kind": "event", **event} for event in events if event["type"] != "note.added"
    ]
    told += [{"kind": "note", **note} for note in notes]
    return sorted(told, key=lambda one: str(one["at"]), reverse=True)
