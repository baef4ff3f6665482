"""A parcel has arrived: by the carrier's word, or by a person's."""

from datetime import datetime

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.payloads import Deliver
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import Hold, OrderSnapshot, Shipment
from shared.database.orders.tables import Shipment as ShipmentTable

from worker.orders.hold.effects import decides
from worker.orders.shipment import delivery_exceptions
from worker.orders.shipment.changes import expect
from worker.orders.store import utc_now

AWAY = (ShipmentStatus.SHIPPED, ShipmentStatus.LOST)


async def deliver(
    change: UnitOfWork, order: OrderSnapshot, *, command: Deliver
) -> Done:
    """Raises `Refusal` wrong-state, also for a time before the parcel left."""
    shipment = order.shipment(command.shipment_id)
    expect(shipment, *AWAY)
    at = command.at or utc_now()
    if shipment.shipped_at is not None and at < shipment.shipped_at:
        raise Refusal("wrong-state", "The shipment had not left by then.")
    await arrive(change, order, shipment, at)
    return Done()


@decides(HoldReason.DELIVERY, Decision.DELIVERED)
async def confirm_arrival(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """`delivered`: whatever the carrier says, the customer has it."""
    shipment = order.shipment(hold.subject)
    if shipment.status in AWAY:
        await _note(change, shipment, utc_now())


async def arrive(
    change: UnitOfWork, order: OrderSnapshot, shipment: Shipment, at: datetime
) -> bool:
    """Book the arrival, also of a parcel that counted as lost. If its goods were
    refunded or sent again meanwhile, a person has to speak with the customer. Returns
    whether there was, or is, something to decide."""
    await _note(change, shipment, at)
    settled = await delivery_exceptions.settled_units(change, shipment)
    if settled:
        return await delivery_exceptions.ask(
            change, order, shipment, delivery_exceptions.FOUND, settled=settled
        )
    hold = order.hold(HoldReason.DELIVERY, shipment.id)
    if hold is not None and "settled" not in hold.detail:
        await delivery_exceptions.settle(change, shipment)
    return hold is not None


async def _note(change: UnitOfWork, shipment: Shipment, at: datetime) -> None:
    await change.update(
        ShipmentTable, shipment.id, status=ShipmentStatus.DELIVERED, delivered_at=at
    )
    change.event("shipment.delivered", shipment_id=shipment.id)
