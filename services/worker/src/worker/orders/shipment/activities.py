"""The steps of one parcel in the warehouse and on its way."""

from functools import partial

from shared.contracts.orders.activities import ShipmentSteps
from shared.contracts.orders.models import (
    CancelShipment,
    Pack,
    Ship,
    ShipmentRef,
    ShipmentState,
)
from temporalio import activity

from worker.orders.shipment import changes
from worker.orders.shipment.state import shipment_state
from worker.orders.store import Apply, Done, OrderStore


class ShipmentActivities(ShipmentSteps):
    def __init__(self, store: OrderStore) -> None:
        self._store = store

    @activity.defn(name="look_at_shipment")
    async def look_at_shipment(self, ref: ShipmentRef) -> ShipmentState:
        return shipment_state(await self._store.read(ref.order_id), ref.shipment_id)

    @activity.defn(name="begin_packing")
    async def begin_packing(self, command: Pack) -> ShipmentState:
        return await self._command(command, partial(changes.pick, command=command))

    @activity.defn(name="ship")
    async def ship(self, command: Ship) -> ShipmentState:
        return await self._command(command, partial(changes.ship, command=command))

    @activity.defn(name="cancel_shipment")
    async def cancel_shipment(self, command: CancelShipment) -> ShipmentState:
        return await self._command(command, partial(changes.cancel, command=command))

    @activity.defn(name="miss_scan")
    async def miss_scan(self, ref: ShipmentRef) -> ShipmentState:
        await self._store.change(
            ref.order_id, partial(changes.miss_scan, shipment_id=ref.shipment_id), Done
        )
        return await self.look_at_shipment(ref)

    async def _command(
        self, command: Pack | Ship | CancelShipment, apply: Apply
    ) -> ShipmentState:
        await self._store.change(
            command.order_id, apply, Done, key=command.key, actor=command.actor
        )
        return await self.look_at_shipment(
            ShipmentRef(order_id=command.order_id, shipment_id=command.shipment_id)
        )
