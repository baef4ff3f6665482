"""The carrier of a shop that has none connected: people write labels by hand."""

from shared.contracts.orders.models import Parcel

from worker.orders.ports import Address, Label, Tracking


class ManualCarrier:
    """The number is given when the parcel is shipped, and nothing is tracked."""

    name = "manual"
    repeatable = True

    async def buy_label(self, to: Address, parcel: Parcel, reference: str) -> Label:
        return Label(ref=reference, carrier=self.name, tracking=None, tracked=False)

    async def buy_return_label(
        self, sender: Address, parcel: Parcel, reference: str
    ) -> Label | None:
        return None

    async def void_label(self, label_ref: str) -> None:
        """A paper label is thrown away."""

    async def track(self, tracking: str) -> Tracking | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""
