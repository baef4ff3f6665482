"""The steps of one parcel in the warehouse and on its way."""

from functools import partial

from shared.contracts.orders.activities import ShipmentSteps
from shared.contracts.orders.payloads import (
    CancelShipment,
    Command,
    Deliver,
    Move,
    OrderState,
    Pack,
    Relabel,
    Ship,
    ShipmentRef,
)

from worker.orders.shipment import arrival, changes, packages
from worker.orders.store import Apply, OrderStore, Show


class ShipmentActivities(ShipmentSteps):
    def __init__(self, store: OrderStore, show: Show) -> None:
        self._store = store
        self._show = show

    async def pick(self, command: Pack) -> OrderState:
        return await self._command(command, partial(changes.pick, command=command))

    async def move(self, command: Move) -> OrderState:
        return await self._command(command, partial(changes.move, command=command))

    async def ship(self, command: Ship) -> OrderState:
        return await self._command(command, partial(changes.ship, command=command))

    async def relabel(self, command: Relabel) -> OrderState:
        return await self._command(command, partial(packages.relabel, command=command))

    async def deliver(self, command: Deliver) -> OrderState:
        return await self._command(command, partial(arrival.deliver, command=command))

    async def cancel_shipment(self, command: CancelShipment) -> OrderState:
        return await self._command(command, partial(changes.cancel, command=command))

    async def take_apart(self, ref: ShipmentRef) -> OrderState:
        return await self._step(ref, changes.take_apart)

    async def miss_scan(self, ref: ShipmentRef) -> OrderState:
        return await self._step(ref, changes.miss_scan)

    async def _step(self, ref: ShipmentRef, apply: Apply) -> OrderState:
        return self._show(
            await self._store.change_and_read(
                ref.order_id, partial(apply, shipment_id=ref.shipment_id)
            )
        )

    async def _command(self, command: Command, apply: Apply) -> OrderState:
        return self._show(
            await self._store.change_and_read(
                command.order_id, apply, key=command.key, actor=command.actor
            )
        )
