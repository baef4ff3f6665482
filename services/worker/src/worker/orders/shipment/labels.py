"""Labels at the carrier."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from shared.contracts.orders.activities import CarrierSteps
from shared.contracts.orders.payloads import OrderState, ShipmentRef
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.unit_of_work import Done, UnitOfWork
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
from worker.orders.ports import (
    AddressRefused,
    Carrier,
    Consignment,
    Label,
    Refused,
    Unavailable,
)
from worker.orders.shipment.address import ask_for_address
from worker.orders.shipment.consignment import consign, read_to_label
from worker.orders.shipment.packages import note, valid_labels
from worker.orders.store import Apply, OrderStore, Show, utc_now

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
        order, known = await read_to_label(self._store, ref.order_id)
        shipment = order.shipment(ref.shipment_id)
        wanted = shipment.status is ShipmentStatus.READY and shipment.parcel is not None
        if wanted and shipment.captured_at is not None:
            for package in shipment.packages:
                if package.label_ref is None:
                    box = partial(consign, order, shipment, package, known)
                    bought = await self._buy(ref, package.number, box)
                    change = partial(bought, shipment_id=ref.shipment_id)
                    order = await self._store.change_and_read(ref.order_id, change)
        return self._show(order)

    async def _buy(
        self, ref: ShipmentRef, number: int, box: Callable[[], Consignment]
    ) -> Apply:
        """Ask the carrier for a package's label. Returns the change that its answer
        calls for. Raises `Unavailable`."""
        try:
            wanted = box()
            # Not with a carrier that could sell a second label to the step that
            # follows.
            async with self._tries.limit(allowed=self._carrier.repeatable):
                label = await self._carrier.buy_label(wanted)
        except AddressRefused as refused:
            return partial(_refuse, refused=refused)
        except Refused as no:
            return partial(_hold_for_carrier, why=no.code)
        except Unavailable as silence:
            if not silence.understood and tries() >= TRIES_OF_THE_UNKNOWN:
                return partial(_hold_for_carrier, why=silence.why)
            await self._report_silence(ref, silence, "label")
            raise
        return partial(_pack, number=number, label=label)

    async def void_label(self, ref: ShipmentRef) -> OrderState:
        order = await self._store.read(ref.order_id)
        for label_ref in valid_labels(order.shipment(ref.shipment_id)):
            refused = await self._void(ref, label_ref)
            void = partial(_void, label_ref=label_ref, refused=refused)
            void = partial(void, shipment_id=ref.shipment_id)
            order = await self._store.change_and_read(ref.order_id, void)
        return self._show(order)

    async def _void(self, ref: ShipmentRef, label_ref: str) -> str | None:
        """Void a label. Returns why the carrier refuses that, if it does. Raises
        `Unavailable`."""
        try:
            async with self._tries.limit():
                await self._carrier.void_label(label_ref)
        except Refused as no:
            return no.code
        except Unavailable as silence:
            if not silence.understood and tries() >= TRIES_OF_THE_UNKNOWN:
                return silence.why
            await self._report_silence(ref, silence, "void")
            raise
        return None

    async def _report_silence(
        self, ref: ShipmentRef, silence: Unavailable, asked_for: str
    ) -> None:
        """Open a hold, so that a person finds out what is wrong. The step keeps
        trying."""
        if utc_now() - asked_at() > PATIENCE:
            report = partial(
                _hold_for_carrier,
                shipment_id=ref.shipment_id,
                why=silence.why,
                asked_for=asked_for,
            )
            await self._store.change(ref.order_id, report, Done)


async def _pack(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    number: int,
    label: Label,
) -> Done:
    """Store a label. The parcel is packed once it has all of them."""
    shipment = order.shipment(shipment_id)
    await settle_provider_hold(change, order, shipment_id)
    # Cancelled meanwhile: the label is stored so that it gets voided.
    await note(
        *(change, shipment, number),
        carrier=label.carrier,
        tracking=label.tracking,
        label_ref=label.ref,
        label_url=label.url,
        eta=label.eta,
    )
    await change.update(ShipmentTable, shipment_id, tracked=label.tracked)
    others = (p for p in shipment.packages if p.number != number)
    if shipment.status is ShipmentStatus.READY and all(p.label_ref for p in others):
        await change.update(ShipmentTable, shipment_id, status=ShipmentStatus.PACKED)
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


async def _hold_for_carrier(
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
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    label_ref: str,
    refused: str | None,
) -> Done:
    await settle_provider_hold(change, order, shipment_id)
    shipment = order.shipment(shipment_id)
    if refused is not None:
        await _give_up(change, shipment, [label_ref], refused)
        return Done()
    await _forget(change, shipment, [label_ref])
    change.event("shipment.label_voided", shipment_id=shipment_id)
    return Done()


async def give_label_up(
    change: UnitOfWork, order: OrderSnapshot, shipment_id: str, why: str
) -> None:
    """Stop asking the carrier to take back this parcel's unused labels."""
    shipment = order.shipment(shipment_id)
    await _give_up(change, shipment, valid_labels(shipment), why)


async def _give_up(
    change: UnitOfWork, shipment: Shipment, labels: Sequence[str], why: str
) -> None:
    """A label that the carrier does not take back is paid for: finance gets a
    discrepancy."""
    await _forget(change, shipment, labels)
    findings = [
        Finding(
            LABEL_NOT_VOIDED,
            shipment.id,
            {"order_id": change.subject, "label": label, "cause": why},
        )
        for label in labels
    ]
    await report(change.connection, "orders", findings)


async def _forget(
    change: UnitOfWork, shipment: Shipment, labels: Collection[str]
) -> None:
    for package in shipment.packages:
        if package.label_ref in labels:
            await note(change, shipment, package.number, label_ref=None)
    if shipment.spoilt_labels:
        spoilt = [
            {**label.model_dump(), "voided": label.voided or label.ref in labels}
            for label in shipment.spoilt_labels
        ]
        await change.update(ShipmentTable, shipment.id, spoilt_labels=spoilt)
