"""A shop to tell stories about: customers, warehouse and operators in few words.

They act through the HTTP API, so that a test says what people see; `until` waits for
what the worker makes of it, woken by the database itself.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import httpx2
from shared.contracts.orders import payloads
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import (
    order_workflow_id,
    refund_workflow_id,
    return_workflow_id,
)
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.contracts.orders.workflows import Order, Refund, Return
from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.database.orders.snapshot import Hold, OrderSnapshot, read_order
from sqlalchemy import text
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from temporalio.service import RPCError, RPCStatusCode

from tests.support.peers import Peer

Json = dict[str, Any]
When = Callable[[OrderSnapshot], object]

SHIPPING = 490
RETURN_URL = "https://shop.example.com/back"
PRICES = {"TEA": 1290, "MUG": 990, "GONG": 60_000, "GIFT": 0, "PIN": 20}
PARCEL = {"weight_g": 900, "length_mm": 300, "width_mm": 200, "height_mm": 150}
PATIENCE_SECONDS = 40.0
"""A bound for what never happens, far above what anything takes."""

# Words that are in no source file but this: wherever one turns up, a person leaked.
PERSONAL = {
    "name": "Zebulina Quibblethwaite",
    "email": "zebulina.quibblethwaite@example.com",
    "phone": "+4930555019977",
    "street": "Quagmirestieg 77",
    "note": "Please ring twice, asks Mrs Quibblethwaite",
}
ADDRESS = {
    "name": PERSONAL["name"],
    "street": PERSONAL["street"],
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
UNKNOWN_TO_THE_CARRIER = ADDRESS | {"postal_code": "99999"}


class Refused(Exception):
    """The API answered with a problem."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.problem: Json = answer.json()
        self.code = str(self.problem["type"]).rpartition("/")[2]
        super().__init__(f"{answer.status_code} {self.problem}")


@dataclass
class Shop:
    http: httpx2.AsyncClient
    client: Client
    engine: Engine
    listener: Listener
    payments: Peer
    carrier: Peer
    _known: set[str] = field(default_factory=set)
    _places: set[str] = field(default_factory=set)

    # ── goods ───────────────────────────────────────────────────────────────────

    async def stock(
        self, *, at: str = "berlin", backorder: bool = False, **units: int
    ) -> None:
        """Receive units of products, which are known from then on."""
        for sku in units:
            await self._know(sku, backorder)
        lines = [{"sku": sku, "quantity": n} for sku, n in units.items() if n]
        if lines:
            await self.open_location(at)
            body = {"location": at, "ref": str(uuid.uuid4()), "lines": lines}
            await self.post("/v1/stock/receipts", body)

    async def open_location(self, code: str, **known: Any) -> None:
        """Have a location, unless there is one and nothing else is said of it."""
        if known or code not in self._places:
            self._places.add(code)
            body = {"name": code.title()} | known
            _done(await self.http.put(f"/v1/locations/{code}", json=body))

    async def _know(self, sku: str, backorder: bool) -> None:
        if sku not in self._known:
            self._known.add(sku)
            price = {"amount": PRICES[sku], "currency": "EUR"}
            body = {"name": sku.title(), "price": price, "backorder": backorder}
            _done(await self.http.put(f"/v1/products/{sku}", json=body))

    async def stock_of(self, sku: str) -> tuple[int, int]:
        """Units on hand and reserved, over all locations."""
        rows = (await self.get("/v1/stock", sku=sku))["data"]
        return sum(r["on_hand"] for r in rows), sum(r["reserved"] for r in rows)

    # ── customers ───────────────────────────────────────────────────────────────

    async def place(
        self,
        card: str = "pm_card_visa",
        *,
        customer: str | None = None,
        ship_to: Mapping[str, str] = ADDRESS,
        bill_to: Mapping[str, str] | None = None,
        shipping: int = SHIPPING,
        copies: int = 1,
        headers: Mapping[str, str] = MappingProxyType({}),
        return_url: str | None = RETURN_URL,
        provider_customer: str | None = None,
        **units: int,
    ) -> str:
        """Place an order of `units` by SKU, each of them `copies` times on a line of
        its own, and return its id."""
        lines = [*(units or {"TEA": 1}).items()] * copies
        for sku, _ in lines:
            await self._know(sku, backorder=False)
        total = shipping + sum(PRICES[sku] * n for sku, n in lines)
        order = {
            "customer_id": customer or f"customer-{uuid.uuid4()}",
            "currency": "EUR",
            "lines": [{"sku": sku, "quantity": n} for sku, n in lines],
            "shipping": {"method": "standard", "amount": _eur(shipping)},
            "expected_total": _eur(total),
            "contact": {name: PERSONAL[name] for name in ("name", "email", "phone")},
            "ship_to": dict(ship_to),
            "payment": {
                "method": card,
                "return_url": return_url,
                "customer": provider_customer,
            },
        }
        if bill_to is not None:
            order["bill_to"] = dict(bill_to)
        placed = await self.post("/v1/orders", order, **headers)
        return str(placed["id"])

    async def confirmed(self, card: str = "pm_card_visa", **units: int) -> str:
        """An order that is in stock, paid for and promised."""
        wanted: dict[str, Any] = {**(units or {"TEA": 1})}
        await self.stock(**wanted)
        order_id = await self.place(card, **wanted)
        await self.until(order_id, has_status(OrderStatus.CONFIRMED))
        return order_id

    async def pay(self, order_id: str, card: str) -> Json:
        return await self.post(f"/v1/orders/{order_id}/payments", {"method": card})

    async def cancel(
        self,
        order_id: str,
        lines: Mapping[int, int] | None = None,
        *,
        reason: str = "customer-request",
        **headers: str,
    ) -> Json:
        body: Json = {"reason": reason, "note": PERSONAL["note"]}
        if lines is not None:
            body["lines"] = _lines(lines)
        return await self.post(f"/v1/orders/{order_id}/cancellations", body, **headers)

    async def begin_cancelling(
        self, order_id: str
    ) -> WorkflowUpdateHandle[payloads.Cancelled]:
        """A cancellation that the order has heard of, and may not be done with."""
        command = payloads.Cancel(
            order_id=order_id,
            key=str(uuid.uuid4()),
            actor="customer",
            reason="customer-request",
        )
        return await self.workflow(order_id).start_update(
            Order.cancel,
            command,
            id=command.key,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        )

    async def correct_address(self, order_id: str) -> None:
        order = await self.http.get(f"/v1/orders/{order_id}")
        headers = {"If-Match": order.headers["etag"]}
        _done(
            await self.http.patch(
                f"/v1/orders/{order_id}/contact",
                json={"ship_to": ADDRESS},
                headers=headers,
            )
        )

    # ── operators ───────────────────────────────────────────────────────────────

    async def held(self, order_id: str, reason: HoldReason) -> Hold:
        """The order's open hold of this reason, once there is one."""
        order = await self.until(order_id, has_hold(reason))
        return next(hold for hold in order.holds if hold.reason is reason)

    async def decide(
        self, order_id: str, reason: HoldReason, decision: str, by: str = "operator"
    ) -> None:
        hold = await self.held(order_id, reason)
        body = {"decision": decision, "note": PERSONAL["note"]}
        who = {"X-Dev-User": by}
        await self.post(f"/v1/holds/{hold.id}/release", body, **who)

    async def hold_up(self, order_id: str, by: str = "operator") -> None:
        who = {"X-Dev-User": by}
        body = {"note": PERSONAL["note"]}
        await self.post(f"/v1/orders/{order_id}/holds", body, **who)

    # ── the warehouse ───────────────────────────────────────────────────────────

    async def pack(
        self, order_id: str, lines: Mapping[int, int] | None = None, *, at: str = ""
    ) -> str:
        """Pack the parcel that is ready (`at` a location), wholly unless told
        otherwise; returns its id."""
        order = await self.until(order_id, has_parcel(ShipmentStatus.READY, at))
        parcel = next(s for s in order.shipments if has_parcel_here(s, at))
        whole = {item.line: item.qty for item in parcel.lines if item.qty}
        await self.pack_parcel(parcel.id, whole if lines is None else lines)
        return parcel.id

    async def pack_parcel(self, shipment_id: str, lines: Mapping[int, int]) -> None:
        body = {"lines": _lines(lines), "parcel": PARCEL}
        await self.post(f"/v1/shipments/{shipment_id}/pack", body)

    async def ship(self, shipment_id: str) -> None:
        await self.post(f"/v1/shipments/{shipment_id}/ship", {})

    async def deliver(self, shipment_id: str, **body: str) -> None:
        await self.post(f"/v1/shipments/{shipment_id}/deliver", body)

    async def shipped(self, order_id: str, *, at: str = "") -> str:
        shipment_id = await self.pack(order_id, at=at)
        await self.ship(shipment_id)
        return shipment_id

    async def scan(self, order_id: str, shipment_id: str, status: str) -> None:
        order = await self.order(order_id)
        await self.carrier.scan(order.shipment(shipment_id).tracking, status)

    async def delivered(self, order_id: str, *, at: str = "") -> None:
        shipment_id = await self.shipped(order_id, at=at)
        await self.scan(order_id, shipment_id, "delivered")

    # ── what is seen ────────────────────────────────────────────────────────────

    async def order(self, order_id: str) -> OrderSnapshot:
        async with self.engine.connect() as connection:
            return await read_order(connection, order_id)

    async def until(self, order_id: str, when: When) -> OrderSnapshot:
        """The order as it is once `when` holds."""
        with self.listener.subscribe(CHANNEL, order_id) as wake:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not when(order := await self.order(order_id)):
                        # Only a notification that got lost makes this time matter.
                        await wake.wait(1)
            except TimeoutError:
                events = await self.events(order_id)
                raise AssertionError(f"never came: {events}\n{order!r}") from None
        return order

    async def ended(self, order_id: str) -> OrderSnapshot:
        """The order once its workflow has nothing left to do, nor to undo."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.workflow(order_id).result()
        return await self.order(order_id)

    async def events(self, order_id: str) -> list[str]:
        rows = await self.fetch(
            "SELECT type FROM events WHERE subject = :id ORDER BY seq", id=order_id
        )
        return [row.type for row in rows]

    async def fetch(self, query: str, **parameters: object) -> list[Any]:
        async with self.engine.begin() as connection:
            return await connection.execute(text(query), parameters)

    def workflow(self, order_id: str) -> WorkflowHandle[Order, Any]:
        return self.client.get_workflow_handle_for(
            Order.run, order_workflow_id(order_id)
        )

    async def started(self, order_id: str) -> WorkflowHandle[Order, Any]:
        """The same once it is there: no answer of the API waits for its start, and
        Temporal tells nobody."""
        workflow = self.workflow(order_id)
        while not await _exists(workflow):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return workflow

    async def lose(self, workflow: WorkflowHandle[Any, Any]) -> None:
        """Terminate it. Temporal's list, by which the sweep knows what runs, is told
        later."""
        await workflow.terminate()
        lost = f"WorkflowId = '{workflow.id}' AND ExecutionStatus = 'Terminated'"
        while not (await self.client.count_workflows(lost)).count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def refund(self, refund_id: str) -> WorkflowHandle[Refund, Any]:
        return self.client.get_workflow_handle_for(
            Refund.run, refund_workflow_id(refund_id)
        )

    def return_(self, return_id: str) -> WorkflowHandle[Return, Any]:
        return self.client.get_workflow_handle_for(
            Return.run, return_workflow_id(return_id)
        )

    # ── HTTP ────────────────────────────────────────────────────────────────────

    async def get(self, path: str, **params: Any) -> Json:
        return _done(await self.http.get(path, params=params))

    async def post(self, path: str, body: Json, **headers: str) -> Json:
        """Raises `Refused`. Repeats with the same key when told to."""
        keyed = {"Idempotency-Key": str(uuid.uuid4())} | headers
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self.http.post(path, json=body, headers=keyed)
                if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
                    return _done(answer)
                # As `Retry-After` asks, though a person would wait longer.
                await asyncio.sleep(0.05)


# ── what to wait for ────────────────────────────────────────────────────────────────


def has_status(*statuses: OrderStatus) -> When:
    return lambda order: order.status in statuses


def has_hold(reason: HoldReason) -> When:
    return lambda order: any(hold.reason is reason for hold in order.holds)


def has_no_hold(order: OrderSnapshot) -> bool:
    return not order.holds


def has_parcel(status: ShipmentStatus, at: str = "") -> When:
    return lambda order: any(has_parcel_here(s, at, status) for s in order.shipments)


def has_parcel_here(
    shipment: Any, at: str, status: ShipmentStatus = ShipmentStatus.READY
) -> bool:
    return shipment.status is status and at in ("", shipment.location)


async def _exists(workflow: WorkflowHandle[Any, Any]) -> bool:
    try:
        await workflow.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


def _lines(units: Mapping[int, int]) -> list[Json]:
    return [{"line": line, "quantity": n} for line, n in units.items()]


def _eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


def _done(answer: httpx2.Response) -> Json:
    if not answer.is_success:
        raise Refused(answer)
    body: Json = answer.json()
    return body
