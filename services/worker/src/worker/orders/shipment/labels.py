"""Labels at the carrier."""

from functools import partial

from shared.contracts.errors import Refusal
from shared.contracts.orders.activities import CarrierSteps
from shared.contracts.orders.models import (
    Labelled,
    Parcel,
    ShipmentRef,
)
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.tables import Shipment as ShipmentTable
from temporalio import activity

from worker.orders.ports import AddressRefused, Carrier, Label
from worker.orders.shipment.address import (
    ask_for_address,
    ship_to,
)
from worker.orders.shipment.state import shipment_state
from worker.orders.store import Done, OrderStore


class CarrierActivities(CarrierSteps):
    def __init__(self, store: OrderStore, carrier: Carrier) -> None:
        self._store = store
        self._carrier = carrier

    @property
    def repeatable(self) -> bool:
        return self._carrier.repeatable

    @activity.defn(name="buy_label")
    async def buy_label(self, ref: ShipmentRef) -> Labelled:
        order = await self._store.read(ref.order_id)
        shipment = order.shipment(ref.shipment_id)
        if shipment.status is ShipmentStatus.PACKED:
            return await self._labelled(ref)
        if shipment.status is not ShipmentStatus.READY or shipment.parcel is None:
            raise Refusal("wrong-state", f"The shipment is {shipment.status}.")
        try:
            label = await self._carrier.buy_label(
                await ship_to(self._store, ref.order_id),
                Parcel.model_validate(shipment.parcel),
                ref.shipment_id,
            )
        except AddressRefused as refused:
            await self._store.change(
                ref.order_id,
                partial(_refuse, shipment_id=ref.shipment_id, refused=refused),
                Done,
            )
            return Labelled(outcome="refused")
        await self._store.change(
            ref.order_id, partial(_pack, shipment_id=ref.shipment_id, label=label), Done
        )
        return await self._labelled(ref)

    async def _labelled(self, ref: ShipmentRef) -> Labelled:
        order = await self._store.read(ref.order_id)
        return Labelled(
            outcome="labelled", shipment=shipment_state(order, ref.shipment_id)
        )

    @activity.defn(name="void_label")
    async def void_label(self, ref: ShipmentRef) -> None:
        order = await self._store.read(ref.order_id)
        label_ref = order.shipment(ref.shipment_id).label_ref
        if label_ref is not None:
            await self._carrier.void_label(label_ref)
            await self._store.change(
                ref.order_id, partial(_void, shipment_id=ref.shipment_id), Done
            )


async def _pack(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, label: Label
) -> Done:
    shipment = order.shipment(shipment_id)
    ready = shipment.status is ShipmentStatus.READY
    # Cancelled while the carrier was asked: the label is noted so that it is voided.
    await change.update(
        ShipmentTable,
        shipment_id,
        status=ShipmentStatus.PACKED if ready else shipment.status,
        carrier=label.carrier,
        tracking=label.tracking,
        label_ref=label.ref,
        label_url=label.url,
        eta=label.eta,
    )
    if ready:
        change.event("shipment.packed", shipment_id=shipment_id, carrier=label.carrier)
    return Done()


async def _refuse(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    refused: AddressRefused,
) -> Done:
    fields = {"fields": refused.fields} if refused.fields else {}
    await ask_for_address(change, refused.cause, shipment_id=shipment_id, **fields)
    return Done()


async def _void(change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str) -> Done:
    await change.update(ShipmentTable, shipment_id, label_ref=None)
    change.event("shipment.label_voided", shipment_id=shipment_id)
    return Done()
