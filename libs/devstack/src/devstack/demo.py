"""An order from placement to delivery, through the HTTP API and nothing else.

The demo plays the shop and the warehouse; the carrier simulator delivers by itself.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
from shared.contracts.orders.names import order_workflow_id

from devstack.auth_headers import AuthHeaders, by_header
from devstack.products import CURRENCY, PRODUCTS
from devstack.services import Addresses
from devstack.temporal import NAMESPACE

Say = Callable[[str], None]
Json = dict[str, Any]

# Names that occur nowhere else: to find one is to find a leak.
CUSTOMER = {
    "name": "Wilhelmina Featherstonehaugh",
    "email": "wilhelmina.featherstonehaugh@example.com",
    "phone": "+4930555017744",
    "street": "Haselnussgasse 44",
}

_AUDIT_VIEWS = ("audit_money", "audit_stock", "audit_ledger")
_END = ("order.completed", "order.cancelled")


class DemoFailed(Exception):
    """The order did not get where it should; the message says where to look."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the demo runs, and what it prints to."""

    at: Addresses
    http: httpx2.AsyncClient
    say: Say
    logs: str
    auth_headers: AuthHeaders = by_header

    @property
    def shop(self) -> dict[str, str]:
        return self.auth_headers("web-shop", "orders:write", "orders:read")

    @property
    def warehouse(self) -> dict[str, str]:
        return self.auth_headers("warehouse", "fulfil")

    @property
    def clerk(self) -> dict[str, str]:
        return self.auth_headers("clerk", "orders:operate", "refunds:write")


async def short(stage: Stage) -> None:
    """One order with two lines, packed, shipped and delivered."""
    order = await _place(stage, {"TEA-ASSAM": 2, "MUG-BLUE": 1})
    await _follow(stage, order["id"])
    await _finish(stage, order["id"])


async def full(stage: Stage) -> None:
    """The same, and an order in two parcels of which a part comes back."""
    await short(stage)
    order = await _place(stage, {"TEA-ASSAM": 2, "GIFT-CARD-BOX": 1})
    seen = await _follow(stage, order["id"])
    await _finish(stage, order["id"])
    seen = await _send_back(stage, order["id"], seen)
    await _apologise(stage, order["id"], seen)
    await _finish(stage, order["id"])


STORIES: dict[str, Callable[[Stage], Awaitable[None]]] = {"short": short, "full": full}
"""By the name that follows `--demo`."""


async def play(
    name: str, at: Addresses, logs: str, say: Say, auth_headers: AuthHeaders = by_header
) -> None:
    """Play a story and check the books after it. Raises `DemoFailed`."""
    async with httpx2.AsyncClient(base_url=at.api, trust_env=False, timeout=15) as http:
        stage = Stage(at=at, http=http, say=say, logs=logs, auth_headers=auth_headers)
        try:
            await STORIES[name](stage)
        except httpx2.TransportError as lost:
            raise DemoFailed(
                f"The connection to the API broke ({lost!r}). Look at api.log in {logs}"
            ) from lost
    await _check_books(at, say)


async def _place(stage: Stage, quantities: dict[str, int]) -> Json:
    goods = sum(PRODUCTS[sku]["price"] * n for sku, n in quantities.items())
    shipping = 490
    address = {
        "name": CUSTOMER["name"],
        "street": CUSTOMER["street"],
        "city": "Berlin",
        "postal_code": "10115",
        "country": "DE",
    }
    body = {
        # Another customer each time, because many orders of one customer need an
        # approval.
        "customer_id": f"customer-{uuid.uuid4()}",
        "currency": CURRENCY,
        "lines": [{"sku": sku, "quantity": n} for sku, n in quantities.items()],
        "shipping": {"method": "standard", "amount": _money(shipping)},
        "expected_total": _money(goods + shipping),
        "contact": {
            **{name: CUSTOMER[name] for name in ("name", "email", "phone")},
            "locale": "en",
        },
        "ship_to": address,
        "payment": {"method": "pm_card_visa"},
    }
    async with _within(stage, 20, "the order is not answered", "api.log"):
        answer = await stage.http.post(
            "/v1/orders",
            json=body,
            headers=stage.shop | _new_key() | {"Prefer": "wait=10"},
        )
    order = _checked(answer)
    stage.say(f"Placed order {order['id']}: {_shown(order['totals']['total'])}.")
    return order


async def _follow(
    stage: Stage, order: str, *, until: tuple[str, ...] = _END, seen: int = 0
) -> int:
    """Print the order's events as they happen, and do the warehouse's part of it.
    Returns the seq of the event that it waited for."""
    placed: datetime | None = None
    waiting = f"the order has no event {' or '.join(until)}"
    async with _within(stage, 60, waiting, "worker.log, api.log, carrier.log"):
        async for event in _events(stage, order, seen):
            at = datetime.fromisoformat(event["at"])
            placed = placed or at
            after = (at - placed).total_seconds()
            stage.say(f"{after:6.2f} s  {event['type']:<20} {event['actor']}")
            await _work_in_warehouse(stage, order, event["type"])
            if event["type"] in until:
                return int(event["seq"])
    raise AssertionError("the timeline has no end")


async def _events(stage: Stage, order: str, seen: int) -> AsyncIterator[Json]:
    """The timeline after `seen`, by server-sent events. Reconnects if cut off."""
    while True:
        headers = stage.shop | {
            "Accept": "text/event-stream",
            "Last-Event-ID": str(seen),
        }
        url = f"/v1/orders/{order}/events"
        async with stage.http.stream("GET", url, headers=headers, timeout=60) as stream:
            if stream.is_error:
                await stream.aread()
                _checked(stream)
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    event: Json = json.loads(line.removeprefix("data:"))
                    seen = event["seq"]
                    yield event


async def _work_in_warehouse(stage: Stage, order: str, event: str) -> None:
    if event not in _WORK:
        return
    status, work = _WORK[event]
    query = {"order": order, "status": status}
    answer = await stage.http.get(
        "/v1/shipments", params=query, headers=stage.warehouse
    )
    for shipment in _checked(answer)["data"]:
        await work(stage, shipment)


async def _pack(stage: Stage, shipment: Json) -> None:
    lines = [
        {"line": line["line"], "quantity": line["quantity"]}
        for line in shipment["lines"]
    ]
    parcel = {"weight_g": 900, "length_mm": 300, "width_mm": 200, "height_mm": 150}
    await _command(stage, shipment, "pack", {"lines": lines, "parcel": parcel})
    stage.say(f"          the warehouse packs {shipment['id']}")


async def _ship(stage: Stage, shipment: Json) -> None:
    await _command(stage, shipment, "ship", {})
    stage.say(f"          the warehouse hands {shipment['id']} to the carrier")


async def _command(stage: Stage, shipment: Json, verb: str, body: Json) -> None:
    url = f"/v1/shipments/{shipment['id']}/{verb}"
    # The same key for each attempt, because the event that wakes us may come twice.
    headers = stage.warehouse | {"Idempotency-Key": f"demo-{shipment['id']}-{verb}"}
    _checked(await stage.http.post(url, json=body, headers=headers))


_WORK = {"shipment.ready": ("ready", _pack), "shipment.packed": ("packed", _ship)}
"""The warehouse's reactions: for an event, which shipments it handles, and how."""


async def _send_back(stage: Stage, order: str, seen: int) -> int:
    """One unit of the first line comes back, is accepted and paid back."""
    body = {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    asked = await _post(stage, f"/v1/orders/{order}/returns", body, stage.clerk)
    stage.say(f"          the customer sends back one unit: {asked['id']}")
    seen = await _follow(stage, order, until=("return.approved",), seen=seen)
    accepted = {"lines": [{"line": 1, "accepted": 1, "disposition": "restock"}]}
    await _post(stage, f"/v1/returns/{asked['id']}/receive", accepted, stage.warehouse)
    stage.say(f"          the warehouse receives {asked['id']}")
    return await _follow(stage, order, until=("refund.succeeded",), seen=seen)


async def _apologise(stage: Stage, order: str, seen: int) -> None:
    body = {"reason": "goodwill", "amount": _money(250), "note": "The box was dented."}
    refund = await _post(stage, f"/v1/orders/{order}/refunds", body, stage.clerk)
    stage.say(f"          a clerk pays back {_shown(refund['amount'])} for goodwill")
    await _follow(stage, order, until=("refund.succeeded",), seen=seen)


async def _post(stage: Stage, path: str, body: Json, who: dict[str, str]) -> Json:
    return _checked(await stage.http.post(path, json=body, headers=who | _new_key()))


async def _order(stage: Stage, order: str) -> Json:
    return _checked(await stage.http.get(f"/v1/orders/{order}", headers=stage.shop))


async def _finish(stage: Stage, order_id: str) -> None:
    order = await _order(stage, order_id)
    totals = order["totals"]
    stage.say(
        f"Order {order['number']} is {order['status']}"
        f" ({order['payment_status']}, {order['fulfillment_status']}):"
        f" {_shown(totals['captured'])} captured of {_shown(totals['total'])},"
        f" {_shown(totals['refunded'])} refunded."
    )
    stage.say(f"Its workflow: {_workflow_url(stage, order_id)}")
    if order["status"] != "completed":
        raise DemoFailed(f"The order ended {order['status']}: {order.get('reason')}")


def _workflow_url(stage: Stage, order: str) -> str:
    workflow = quote(order_workflow_id(order), safe="")
    return f"{stage.at.temporal_ui}/namespaces/{NAMESPACE}/workflows/{workflow}"


async def _check_books(at: Addresses, say: Say) -> None:
    connection = await asyncpg.connect(at.database, ssl=False)
    try:
        for view in _AUDIT_VIEWS:
            if wrong := await connection.fetch(f"SELECT * FROM {view}"):
                rows = "\n".join(f"    {dict(row)}" for row in wrong)
                raise DemoFailed(f"The books do not balance. {view} shows:\n{rows}")
    finally:
        await connection.close()
    say("The books balance: " + ", ".join(_AUDIT_VIEWS) + " are empty.")


@asynccontextmanager
async def _within(
    stage: Stage, seconds: float, otherwise: str, look_at: str
) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, httpx2.TimeoutException):
        raise DemoFailed(
            f"After {seconds:g} s {otherwise}. Look at {look_at} in {stage.logs},"
            f" and at {stage.at.temporal_ui}"
        ) from None


def _checked(response: httpx2.Response) -> Json:
    if response.is_error:
        request = response.request
        raise DemoFailed(
            f"{request.method} {request.url} answered {response.status_code}:"
            f" {response.text}"
        )
    body: Json = response.json()
    return body


def _money(amount: int) -> Json:
    return {"amount": amount, "currency": CURRENCY}


def _shown(money: Json) -> str:
    return f"{money['amount'] / 100:.2f} {money['currency']}"


def _new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
