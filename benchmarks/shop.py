"""Customers, warehouse and carrier: they act over HTTP, and see what they wait for in
the database, so that waiting costs the measured services nothing."""

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
from devstack.services import Addresses
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener

Json = dict[str, Any]

OURS = "benchmark"
"""How our connections call themselves."""
PRICE = 10
SHIPPING = 490
PATIENCE_SECONDS = 120.0
PARCEL = {"weight_g": 900, "length_mm": 300, "width_mm": 200, "height_mm": 150}
ADDRESS = {
    "name": "Ada Example",
    "street": "Example Street 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
_PLENTY = 1_000_000
_AT_ONCE = 200
"""Requests that are open at a time, over all."""


def sku(number: int) -> str:
    return f"SKU-{number}"


def order_of(skus: Sequence[str], quantity: int = 1) -> Json:
    customer = f"customer-{uuid.uuid4()}"
    return {
        "customer_id": customer,
        "currency": "EUR",
        "lines": [{"sku": name, "quantity": quantity} for name in skus],
        "shipping": {"method": "standard", "amount": _eur(SHIPPING)},
        "expected_total": _eur(SHIPPING + len(skus) * quantity * PRICE),
        "contact": {"name": "Ada Example", "email": f"{customer}@example.com"},
        "ship_to": ADDRESS,
        "payment": {"method": "pm_card_visa_multicapture"},
    }


@dataclass
class Shop:
    api: httpx2.AsyncClient
    carrier: httpx2.AsyncClient
    database: "asyncpg.Pool[Any]"
    listener: Listener
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long what took, in the order in which it ended."""
    thinking_seconds: float = 0.0
    """Between a parcel's planning and its packing."""

    # ── goods ───────────────────────────────────────────────────────────────────

    async def stock(self, *skus: str, at: str = "berlin") -> None:
        """Products of which there is always enough."""
        for name in skus:
            body = {"name": name, "price": _eur(PRICE), "returnable": True}
            _checked(await self.api.put(f"/v1/products/{name}", json=body))
        lines = [{"sku": name, "quantity": _PLENTY} for name in skus]
        known = {"name": at.title()}
        _checked(await self.api.put(f"/v1/locations/{at}", json=known))
        receipt = {"location": at, "ref": "benchmark", "lines": lines, "again": True}
        await self.post("stock", "/v1/stock/receipts", receipt)

    # ── customers ───────────────────────────────────────────────────────────────

    async def place(self, *skus: str, quantity: int = 1) -> str:
        """An order of one product a line, by somebody new; returns its id."""
        order = order_of(skus or (sku(1),), quantity)
        return str((await self.post("place", "/v1/orders", order))["id"])

    async def cancel(self, order_id: str) -> None:
        path = f"/v1/orders/{order_id}/cancellations"
        await self.post("cancel", path, {"reason": "customer-request"})

    async def send_back(self, order_id: str) -> str:
        line = {"line": 1, "quantity": 1, "reason": "does-not-fit"}
        path = f"/v1/orders/{order_id}/returns"
        return str((await self.post("return", path, {"lines": [line]}))["id"])

    async def receive(self, return_id: str) -> None:
        line = {"line": 1, "accepted": 1, "disposition": "restock"}
        path = f"/v1/returns/{return_id}/receive"
        await self.post("receive", path, {"lines": [line]})

    # ── the warehouse, and the carrier ──────────────────────────────────────────

    async def pack(self, order_id: str, shipment_id: str, lines: list[Json]) -> None:
        """Until it has its label: an answer may come before that (202)."""
        body = {"lines": lines, "parcel": PARCEL}
        packed = await self.post("pack", f"/v1/shipments/{shipment_id}/pack", body)
        if packed["status"] == "ready":
            await self.labelled(order_id, shipment_id)

    async def ship(self, shipment_id: str) -> None:
        await self.post("ship", f"/v1/shipments/{shipment_id}/ship", {})

    async def deliver(self, shipment_id: str) -> None:
        tracking = await self.database.fetchval(
            "SELECT tracking FROM shipments WHERE id = $1", shipment_id
        )
        path = f"/v1/trackers/{tracking}/scan"
        _checked(await self.carrier.post(path, json={"status": "delivered"}))

    async def parcels(self, order_id: str) -> list[tuple[str, list[Json]]]:
        """The order's parcels with what belongs into each."""
        rows = await self.database.fetch(
            "SELECT s.id, json_agg(json_build_object('line', i.line,"
            " 'quantity', i.qty) ORDER BY i.line)::text AS lines"
            " FROM shipments s JOIN shipment_lines i ON i.shipment_id = s.id"
            " WHERE s.order_id = $1 GROUP BY s.id ORDER BY s.id",
            order_id,
        )
        return [(row["id"], json.loads(row["lines"])) for row in rows]

    # ── whole lives ─────────────────────────────────────────────────────────────

    async def until(self, order_id: str, event: str) -> None:
        """Wait until the order's timeline has this event."""
        query = "SELECT EXISTS (SELECT FROM events WHERE subject = $1 AND type = $2)"
        await self._until(order_id, query, order_id, event)

    async def labelled(self, order_id: str, shipment_id: str) -> None:
        query = "SELECT status <> 'ready' FROM shipments WHERE id = $1"
        await self._until(order_id, query, shipment_id)

    async def _until(self, order_id: str, query: str, *values: str) -> None:
        with self.listener.subscribe(CHANNEL, order_id) as wake:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await self.database.fetchval(query, *values):
                    await wake.wait(1)

    async def confirmed(self, *skus: str, quantity: int = 1) -> str:
        """From POST until it is authorised, screened and planned."""
        with timed(self.seconds["confirmed"]):
            order_id = await self.place(*skus, quantity=quantity)
            await self.until(order_id, "order.confirmed")
        return order_id

    async def completed(self, *skus: str, quantity: int = 1) -> str:
        """From POST to completed, all parcels at once."""
        with timed(self.seconds["order"]):
            order_id = await self.confirmed(*skus, quantity=quantity)
            await asyncio.sleep(self.thinking_seconds)
            parcels = await self.parcels(order_id)
            await asyncio.gather(
                *(self._delivered(order_id, *parcel) for parcel in parcels)
            )
            await self.until(order_id, "order.completed")
        return order_id

    async def _delivered(
        self, order_id: str, shipment_id: str, lines: list[Json]
    ) -> None:
        await self.pack(order_id, shipment_id, lines)
        await self.ship(shipment_id)
        await self.deliver(shipment_id)

    # ── HTTP ────────────────────────────────────────────────────────────────────

    async def post(self, name: str, path: str, body: Json) -> Json:
        """Comes again with the same key while told to; timed from first to last."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        with timed(self.seconds[name]):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    answer = await self.api.post(path, json=body, headers=key)
                    if answer.status_code != 503:
                        return _checked(answer)
                    self.seconds["asked again"].append(0.0)
                    await asyncio.sleep(0.2)


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Adds how long the block took, if it ends well."""
    began = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - began)


@asynccontextmanager
async def open_shop(at: Addresses) -> AsyncIterator[Shop]:
    async def connect() -> "asyncpg.Connection[Any]":
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            at.database, **_named()
        )
        return connection

    limits = httpx2.Limits(max_connections=_AT_ONCE)
    listener = Listener(connect, CHANNEL)
    async with (
        asyncpg.create_pool(at.database, min_size=1, max_size=8, **_named()) as pool,
        httpx2.AsyncClient(
            base_url=at.api, trust_env=False, timeout=30, limits=limits
        ) as api,
        httpx2.AsyncClient(base_url=at.carrier, trust_env=False, timeout=30) as carrier,
    ):
        listener.start()
        try:
            yield Shop(api, carrier, pool, listener)
        finally:
            await listener.stop()


def _named() -> Mapping[str, Any]:
    return {"server_settings": {"application_name": OURS}}


def _eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


def _checked(answer: httpx2.Response) -> Json:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text}")
    found: Json = answer.json() if answer.content else {}
    return found
