"""Orders without Temporal: the activities themselves, taken one at a time.

What a workflow would do next is asked of the same policy; when it is done is up to the
test, so that anything may come in between.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.http.idempotency import StoredResponse
from api.orders.order.placement import new_order, place, read_known
from api.orders.order.schemas import NewOrder
from api.orders.stock.changes import StockChange, change_stock
from pydantic import SecretStr
from shared.contracts.base import LineQuantity, Payload
from shared.contracts.orders import payloads
from shared.contracts.orders.holds import Decision
from shared.contracts.orders.states import Disposition, MoneyStatus
from shared.database.engine import Engine, create_engine
from shared.database.ids import new_id
from shared.database.orders.snapshot import Hold, OrderSnapshot, Shipment, read_order
from sqlalchemy import text
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from worker.orders.hold.policy import ExpireHold, Remind
from worker.orders.order.policy import (
    AskRefund,
    AtProviders,
    Authorize,
    BuyLabel,
    Capture,
    CarryOutCancel,
    Complete,
    Confirm,
    LocalStep,
    MissScan,
    PlanShipments,
    ProviderStep,
    Release,
    TakeApart,
    VoidLabel,
    next_step,
)
from worker.orders.registration import orders_process
from worker.runtime.level_triggered import End, Wait
from worker.runtime.registry import InboxEvent, Process
from worker.settings import WorkerSettings

from tests.architecture.contracts import defined
from tests.support.audits import AUDIT_VIEWS
from tests.support.infrastructure import Services
from tests.support.peers import Host, Peer, parcels_simulator, payments_simulator
from tests.support.priced import FRANCS, an_order
from tests.support.shop import PARCEL, PRICES

AUDIT = " UNION ALL ".join(
    f"SELECT '{view}' AS view, to_jsonb(v)::text AS row FROM {view} v"
    for view in AUDIT_VIEWS
)


_RUN_LOCATION = text(
    "INSERT INTO locations (code, name, active, safety_stock)"
    " VALUES (:code, :code, :active, :safety_stock) ON CONFLICT (code) DO UPDATE"
    " SET active = excluded.active, safety_stock = excluded.safety_stock"
)
_SUPPLY = text(
    "SELECT sku, location, on_hand - reserved - safety_stock AS units"
    " FROM stock JOIN locations ON code = location"
    " WHERE active AND on_hand - reserved > safety_stock"
)
PARCEL_STEPS = {Capture: "capture", BuyLabel: "buy_label", VoidLabel: "void_label"}


@dataclass
class Actors:
    """Everybody who changes an order. Refusals and a missing provider are part of the
    game: then nothing happens, or it happens later."""

    engine: Engine
    process: Process
    payments: Peer
    carrier: Peer

    def __post_init__(self) -> None:
        self._activities = {
            defined(activity, "activity"): activity
            for queue in self.process.queues
            for activity in queue.activities
        }

    async def act(self, name: str, command: Payload) -> Any:
        with suppress(ApplicationError):
            return await self._activities[name](command)

    # ── customers and stock ─────────────────────────────────────────────────────

    async def receive(self, sku: str, location: str, units: int) -> None:
        change = StockChange(
            key=new_id("rcp"),
            location=location,
            deltas={sku: units},
            reason="receipt",
            ref="delivery",
            actor="warehouse",
        )
        with suppress(ApplicationError):  # nobody works there
            async with self.engine.begin() as connection:
                await change_stock(connection, change)

    async def run_location(self, code: str, active: bool, safety_stock: int) -> None:
        async with self.engine.begin() as connection:
            values = {"code": code, "active": active, "safety_stock": safety_stock}
            await connection.execute(_RUN_LOCATION, values)

    async def supply(self) -> dict[tuple[str, str], int]:
        """Units by SKU and location that may be reserved."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(_SUPPLY)
        return {(row.sku, row.location): row.units for row in rows}

    async def place(
        self, card: str, units: dict[str, int], priced: str = "plain"
    ) -> str:
        wanted = NewOrder.model_validate(an_order(priced, card, units))
        async with self.engine.connect() as connection:
            known = await read_known(connection, wanted, "somebody", "somebody")
            order = new_order(wanted, known, "somebody", sets_prices=True)
            placed = await place(
                *(connection, wanted, order, known, "somebody"),
                lambda order: StoredResponse(201, order),
                lambda answer: {
                    "principal": "somebody",
                    "key": new_id("key"),
                    "fingerprint": b"",
                    "answered": answer.status,
                    "headers": "{}",
                    "body": answer.body.model_dump_json(),
                },
            )
        assert placed is not None
        assert isinstance(placed.body, OrderSnapshot)
        return placed.body.id

    async def cancel(self, order_id: str, lines: dict[int, int]) -> None:
        command = payloads.Cancel(
            order_id=order_id,
            key=new_id("cmd"),
            actor="somebody",
            reason="test",
            lines=_quantities(lines),
        )
        await self.act("cancel", command)

    async def decide(self, hold: Hold, decision: Decision) -> None:
        command = payloads.ReleaseHold(
            order_id=hold.root,
            key=new_id("cmd"),
            actor="operator",
            hold_id=hold.id,
            decision=decision,
        )
        await self.act("release_hold", command)

    async def expire(self, hold: Hold) -> None:
        ref = payloads.HoldRef(order_id=hold.root, hold_id=hold.id)
        await self.act("expire_hold", ref)

    # ── the warehouse and the carrier ───────────────────────────────────────────

    async def pick(self, order_id: str, parcel: Shipment, missing: int) -> None:
        lines = {item.line: item.qty for item in parcel.lines if item.qty}
        first = min(lines)
        lines[first] = max(lines[first] - missing, 0)
        command = payloads.Pack(
            order_id=order_id,
            key=new_id("cmd"),
            actor="warehouse",
            shipment_id=parcel.id,
            lines=_quantities({line: n for line, n in lines.items() if n}),
            parcel=payloads.Parcel(**PARCEL),
        )
        await self.act("pick", command)

    async def ship(self, order_id: str, parcel: Shipment) -> None:
        command = payloads.Ship(
            order_id=order_id,
            key=new_id("cmd"),
            actor="warehouse",
            shipment_id=parcel.id,
        )
        await self.act("ship", command)

    async def move(self, order_id: str, parcel: Shipment, to: str) -> None:
        command = payloads.Move(
            order_id=order_id,
            key=new_id("cmd"),
            actor="warehouse",
            shipment_id=parcel.id,
            location=to,
        )
        await self.act("move", command)

    async def take_apart(self, order_id: str, parcel: Shipment) -> None:
        command = payloads.CancelShipment(
            order_id=order_id,
            key=new_id("cmd"),
            actor="warehouse",
            shipment_id=parcel.id,
        )
        await self.act("cancel_shipment", command)

    async def deliver(self, order_id: str, parcel: Shipment) -> None:
        await self.carrier.scan(parcel.tracking, "delivered")
        scan = InboxEvent(
            *("carrier", new_id("evt"), "tracker.updated"),
            payload={"tracking": parcel.tracking},
            context={"order_id": order_id, "id": parcel.id, "package": 1},
        )
        with suppress(ApplicationError):
            await self.process.inbox["carrier"](scan)

    async def take_back(self, order_id: str, line: int, units: int, kept: int) -> None:
        """Goods come back worn, and what is left of their price is refunded."""
        who = {"order_id": order_id, "return_id": new_id("ret")}
        sent = payloads.ReturnedLine(line=line, quantity=units, reason="does-not-fit")
        asked = payloads.RequestReturn(
            **who, key=new_id("cmd"), actor="somebody", lines=(sent,)
        )
        await self.act("request_return", asked)
        came = payloads.ReceivedLine(
            line=line, accepted=units, disposition=Disposition.RESTOCK, deduction=kept
        )
        received = payloads.ReceiveReturn(
            **who, key=new_id("cmd"), actor="warehouse", lines=(came,)
        )
        await self.act("receive_return", received)
        await self.pay_back(order_id)

    async def pay_back(self, order_id: str) -> None:
        """What returns owe, as their own workflows do."""
        for refund in (await self.order(order_id)).refunds:
            if refund.return_id and refund.status is MoneyStatus.PENDING:
                ref = payloads.RefundRef(order_id=order_id, refund_id=refund.id)
                await self.act("refund", ref)

    # ── the workflows' part ─────────────────────────────────────────────────────

    async def step(self, order_id: str) -> bool:
        """Take the order's next steps. False when it only waits, or has ended."""
        ref = payloads.OrderRef(order_id=order_id)
        state: payloads.OrderState = await self.act("look", ref)
        match next_step(state, (), {}, datetime.now(UTC)):
            case Wait() | End():
                return False
            case AtProviders(steps):
                for step in steps:
                    await self._at_provider(order_id, step)
            case step:
                await self._in_database(order_id, step)
        return True

    async def _in_database(self, order_id: str, step: LocalStep) -> None:
        ref = payloads.OrderRef(order_id=order_id)
        match step:
            case TakeApart(shipment) | MissScan(shipment):
                name = "take_apart" if isinstance(step, TakeApart) else "miss_scan"
                await self.act(
                    name, payloads.ShipmentRef(order_id=order_id, shipment_id=shipment)
                )
            case Remind(hold) | ExpireHold(hold):
                name = "remind" if isinstance(step, Remind) else "expire_hold"
                await self.act(name, payloads.HoldRef(order_id=order_id, hold_id=hold))
            case Confirm():
                await self.act("confirm", ref)
            case PlanShipments():
                await self.act("plan_shipments", ref)
            case CarryOutCancel():
                await self.act("carry_out_cancel", ref)
            case Complete():
                await self.act("complete", ref)

    async def _at_provider(self, order_id: str, step: ProviderStep) -> None:
        match step:
            case Authorize():
                await self.act("authorize", payloads.OrderRef(order_id=order_id))
            case Release(payment):
                ref = payloads.PaymentRef(order_id=order_id, payment_id=payment)
                await self.act("release", ref)
            case AskRefund(refund):
                owed = payloads.RefundRef(order_id=order_id, refund_id=refund)
                await self.act("refund", owed)
            case Capture(shipment) | BuyLabel(shipment) | VoidLabel(shipment):
                parcel = payloads.ShipmentRef(order_id=order_id, shipment_id=shipment)
                await self.act(PARCEL_STEPS[type(step)], parcel)

    # ── looking ─────────────────────────────────────────────────────────────────

    async def order(self, order_id: str) -> OrderSnapshot:
        async with self.engine.connect() as connection:
            return await read_order(connection, order_id)

    async def wrong(self) -> list[tuple[str, str]]:
        """What the auditors find."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(text(AUDIT))
            return [(row.view, row.row) for row in rows]


def _quantities(lines: dict[int, int]) -> tuple[LineQuantity, ...]:
    return tuple(LineQuantity(line=line, quantity=n) for line, n in lines.items())


@asynccontextmanager
async def open_actors(
    services: Services, host: Host, client: Client, files: Path
) -> AsyncIterator[Actors]:
    """On a database and with simulators of their own; no webhook arrives."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(services.database())
        nowhere = "http://127.0.0.1:1"
        payments = payments_simulator(files / "payments.sqlite", nowhere, "secret")
        carrier = parcels_simulator(files / "carrier.sqlite", nowhere, "c2VjcmV0")
        provider = await stack.enter_async_context(
            host.simulator(payments, f"{files.name}-payments")
        )
        courier = await stack.enter_async_context(
            host.simulator(carrier, f"{files.name}-carrier")
        )
        settings = WorkerSettings(
            database_url=SecretStr(database),
            stripe_api_key=SecretStr("sk_test_books"),
            stripe_api_base=provider.url,
            carrier="simulator",
            carrier_api_base=courier.url,
            approval_burst_orders=1000,
        )
        engine = create_engine(settings, application="test")
        stack.push_async_callback(engine.dispose)
        process = orders_process(settings, engine, lambda: client)
        if process.close is not None:
            stack.push_async_callback(process.close)
        await _sell(engine)
        yield Actors(engine, process, provider, courier)


async def _sell(engine: Engine) -> None:
    async with engine.begin() as connection:
        for sku, price in PRICES.items():
            await connection.execute(
                text(
                    "WITH sold AS (INSERT INTO products (sku, name, price, currency)"
                    " VALUES (:sku, :sku, :price, 'EUR') RETURNING sku)"
                    " INSERT INTO product_prices (sku, currency, price)"
                    " SELECT sku, 'CHF', :francs FROM sold"
                ),
                {"sku": sku, "price": price, "francs": FRANCS[sku]},
            )
