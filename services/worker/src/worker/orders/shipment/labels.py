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
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.tables import Shipment as ShipmentTable
from temporalio import activity

from worker.orders.hold.changes import ask_about_provider, settle_provider_hold
from worker.orders.payment.requests import (
    PATIENCE,
    TRIES_OF_THE_UNKNOWN,
    asked_at,
    tries,
)
from worker.orders.ports import AddressRefused, Carrier, Label, Refused, Unavailable
from worker.orders.shipment.address import (
    ask_for_address,
    ship_to,
)
from worker.orders.shipment.state import shipment_state
from worker.orders.store import Done, OrderStore, utc_now


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
        except Refused as no:
            await self._ask_person(ref, no.code)
            return Labelled(outcome="refused")
        except Unavailable as silence:
            if not silence.understood and tries() >= TRIES_OF_THE_UNKNOWN:
                await self._ask_person(ref, silence.why)
                return Labelled(outcome="refused")
            if utc_now() - asked_at() > PATIENCE:
                await self._ask_person(ref, silence.why)
            raise
        await self._store.change(
            ref.order_id, partial(_pack, shipment_id=ref.shipment_id, label=label), Done
        )
        return await self._labelled(ref)

    async def _ask_person(self, ref: ShipmentRef, why: str) -> None:
        await self._store.change(
            ref.order_id, partial(_tell, shipment_id=ref.shipment_id, why=why), Done
        )

    async def _labelled(self, ref: ShipmentRef) -> Labelled:
        order = await self._store.read(ref.order_id)
        return Labelled(
            outcome="labelled", shipment=shipment_state(order, ref.shipment_id)
        )

    @activity.defn(name="void_label")
    async def void_label(self, ref: ShipmentRef) -> None:
        order = await self._store.read(ref.order_id)
        label_ref = order.shipment(ref.shipment_id).label_ref
        if label_ref is None:
            return
        refused = None
        try:
            await self._carrier.void_label(label_ref)
        except Refused as no:
            refused = no.code
        await self._store.change(
            ref.order_id,
            partial(_void, shipment_id=ref.shipment_id, refused=refused),
            Done,
        )


async def _pack(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, label: Label
) -> Done:
    shipment = order.shipment(shipment_id)
    ready = shipment.status is ShipmentStatus.READY
    await settle_provider_hold(change, order, shipment_id)
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


async def _tell(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, why: str
) -> Done:
    await ask_about_provider(change, why, subject=shipment_id, asked_for="label")
    return Done()


async def _void(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, refused: str | None
) -> Done:
    """One that the carrier does not take back is paid for: finance hears of it."""
    await change.update(ShipmentTable, shipment_id, label_ref=None)
    if refused is not None:
        label = order.shipment(shipment_id).label_ref
        detail = {"order_id": order.id, "label": label, "cause": refused}
        found = Finding("label-not-voided", shipment_id, detail)
        await report(change.connection, [found])
        return Done()
    change.event("shipment.label_voided", shipment_id=shipment_id)
    return Done()
