"""Labels for the way back."""

from functools import partial

from shared.contracts.orders.activities import ReturnLabelSteps
from shared.contracts.orders.payloads import Parcel, ReturnRef, ReturnState
from shared.database.kernel.unit_of_work import Done
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.rows import Row

from worker.orders.payment.requests import PATIENCE, asked_at
from worker.orders.ports import (
    AddressRefused,
    Carrier,
    Consignment,
    Label,
    Refused,
    Unavailable,
)
from worker.orders.return_ import changes
from worker.orders.return_.state import return_state
from worker.orders.shipment.address import address_of
from worker.orders.shipment.consignment import contents, read_to_label
from worker.orders.store import OrderStore, utc_now


class ReturnLabelActivities(ReturnLabelSteps):
    def __init__(self, store: OrderStore, carrier: Carrier) -> None:
        self._store = store
        self._carrier = carrier

    async def buy_return_label(self, ref: ReturnRef) -> ReturnState:
        order, known = await read_to_label(self._store, ref.order_id)
        label = await self._return_label(order, ref.return_id, known)
        await self._store.change(
            ref.order_id,
            partial(
                changes.expect,
                return_id=ref.return_id,
                label=label,
            ),
            Done,
        )
        return return_state(await self._store.read(ref.order_id), ref.return_id)

    async def _return_label(
        self, order: OrderSnapshot, return_id: str, known: Row
    ) -> Label | None:
        """Buy a label for the largest parcel that the customer got, as the size of the
        one to come is unknown. Without an address, or a carrier that sells return
        labels, the customer chooses how to send it."""
        sent = [shipment for shipment in order.shipments if shipment.parcel]
        largest = max(
            sent, key=lambda s: s.parcel["weight_g"] if s.parcel else 0, default=None
        )
        return_ = order.return_(return_id)
        if largest is None or return_.due_at is not None:
            return None
        units = {item.line: item.qty for item in return_.lines}
        try:
            wanted = Consignment(
                reference=return_id,
                address=address_of(known),
                parcel=Parcel.model_validate(largest.parcel),
                location=largest.location,
                contents=contents(order, units, known),
            )
            return await self._carrier.buy_return_label(wanted)
        except (AddressRefused, Refused):
            return None
        except Unavailable:
            if utc_now() - asked_at() > PATIENCE:
                return None
            raise
