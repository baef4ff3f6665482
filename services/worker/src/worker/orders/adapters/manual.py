"""The carrier of a shop that has none connected: people write labels by hand."""

from worker.orders.ports import Consignment, Label, Tracking


class ManualCarrier:
    """The number is given when the parcel is shipped, and nothing is tracked."""

    name = "manual"
    repeatable = True

    async def buy_label(self, wanted: Consignment) -> Label:
        return Label(
            ref=wanted.reference, carrier=self.name, tracking=None, tracked=False
        )

    async def buy_return_label(self, wanted: Consignment) -> Label | None:
        return None

    async def void_label(self, label_ref: str) -> None:
        """A paper label is thrown away."""

    async def track(self, tracking: str) -> Tracking | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""
