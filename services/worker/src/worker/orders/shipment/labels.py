"""Labels at the carrier."""

from functools import partial

from shared.contracts.orders.activities import CarrierSteps
from shared.contracts.orders.models import OrderState, Parcel, ShipmentRef
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot, Shipment
from shared.database.orders.tables import Shipment as ShipmentTable

from worker.orders.hold.changes import ask_about_provider, settle_provider_hold
from worker.orders.local_try import LocalTries
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
from worker.orders.store import Apply, Done, OrderStore, Show, utc_now

LABEL_NOT_VOIDED = "label-not-voided"
"""The kind of a discrepancy."""


class CarrierActivities(CarrierSteps):
    def __init__(
        self, store: OrderStore, carrier: Carrier, tries: LocalTries, show: Show
    ) -> None:
        self._store = store
        self._carrier = carrier
        self._tries = tries
        self._show = show

    async def buy_label(self, ref: ShipmentRef) -> OrderState:
        order = await self._store.read(ref.order_id)
        shipment = order.shipment(ref.shipment_id)
        wanted = shipment.status is ShipmentStatus.READY and shipment.parcel is not None
        if wanted and shipment.captured_at is not None:
            bought = await self._buy(ref, shipment)
            change = partial(bought, shipment_id=ref.shipment_id)
            order = await self._store.change_and_read(ref.order_id, change)
        return self._show(order)

    async def _buy(self, ref: ShipmentRef, shipment: Shipment) -> Apply:
        """Returns what the carrier's answer changes. Raises `Unavailable`."""
        try:
            to = await ship_to(self._store, ref.order_id)
            # Not at a carrier that might sell a second one to the step that follows.
            async with self._tries.limit(allowed=self._carrier.repeatable):
                label = await self._carrier.buy_label(
                    to, Parcel.model_validate(shipment.parcel), ref.shipment_id
                )
        except AddressRefused as refused:
            return partial(_refuse, refused=refused)
        except Refused as no:
            return partial(_tell, why=no.code)
        except Unavailable as silence:
            if not silence.understood and tries() >= TRIES_OF_THE_UNKNOWN:
                return partial(_tell, why=silence.why)
            await self._tell_of_silence(ref, silence, "label")
            raise
        return partial(_pack, label=label)

    async def void_label(self, ref: ShipmentRef) -> OrderState:
        order = await self._store.read(ref.order_id)
        label_ref = order.shipment(ref.shipment_id).label_ref
        if label_ref is not None:
            refused = await self._void(ref, label_ref)
            void = partial(_void, shipment_id=ref.shipment_id, refused=refused)
            order = await self._store.change_and_read(ref.order_id, void)
        return self._show(order)

    async def _void(self, ref: ShipmentRef, label_ref: str) -> str | None:
        """Returns why the carrier does not take it back. Raises `Unavailable`."""
        try:
            async with self._tries.limit():
                await self._carrier.void_label(label_ref)
        except Refused as no:
            return no.code
        except Unavailable as silence:
            if not silence.understood and tries() >= TRIES_OF_THE_UNKNOWN:
                return silence.why
            await self._tell_of_silence(ref, silence, "void")
            raise
        return None

    async def _tell_of_silence(
        self, ref: ShipmentRef, silence: Unavailable, asked_for: str
    ) -> None:
        """The step goes on asking; a person looks what is wrong."""
        if utc_now() - asked_at() > PATIENCE:
            tell = partial(
                _tell,
                shipment_id=ref.shipment_id,
                why=silence.why,
                asked_for=asked_for,
            )
            await self._store.change(ref.order_id, tell, Done)


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
        tracked=label.tracked,
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
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    why: str,
    asked_for: str = "label",
) -> Done:
    await ask_about_provider(change, why, subject=shipment_id, asked_for=asked_for)
    return Done()


async def _void(
    change: UnitOfWork, order: OrderSnapshot, *, shipment_id: str, refused: str | None
) -> Done:
    await settle_provider_hold(change, order, shipment_id)
    if refused is not None:
        await give_label_up(change, order, shipment_id, refused)
        return Done()
    await change.update(ShipmentTable, shipment_id, label_ref=None)
    change.event("shipment.label_voided", shipment_id=shipment_id)
    return Done()


async def give_label_up(
    change: UnitOfWork, order: OrderSnapshot, shipment_id: str, why: str
) -> None:
    """One that the carrier does not take back is paid for: finance hears of it."""
    label = order.shipment(shipment_id).label_ref
    await change.update(ShipmentTable, shipment_id, label_ref=None)
    detail = {"order_id": order.id, "label": label, "cause": why}
    found = Finding(LABEL_NOT_VOIDED, shipment_id, detail)
    await report(change.connection, "orders", [found])
