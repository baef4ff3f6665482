"""The workflows by their names and messages; the worker holds the implementations.

The API starts and steers through these classes alone, so that mypy checks both
sides and neither imports the other. Every workflow may be terminated and started
again at any moment: what is done is read from PostgreSQL.

Updates take `self: Any` because the decorator makes the class of `self` part of the
type, and no implementation could override them otherwise; the rest is checked.
"""

from abc import ABC, abstractmethod
from typing import Any

from temporalio import workflow

from shared.contracts.orders.payloads import (
    Cancel,
    Cancelled,
    CancelShipment,
    DecideReturn,
    Deliver,
    Exported,
    ExportRef,
    LookAgain,
    Move,
    OrderEnd,
    OrderRef,
    Pack,
    Pay,
    PlaceHold,
    ReceiveReturn,
    Reconciled,
    RefundEnd,
    RefundRef,
    RefundState,
    Relabel,
    ReleaseHold,
    RequestRefund,
    RequestReturn,
    ReturnEnd,
    ReturnRef,
    ReturnState,
    Ship,
    StockRef,
)


@workflow.defn(name="Order")
class Order(ABC):
    """One order from placement to its end, with its parcels and the refunds of its
    cancellations. Id: `order_workflow_id`.

    An Update writes the command down and returns: what follows at a provider is seen
    in the facts.
    """

    @workflow.run
    @abstractmethod
    async def run(self, ref: OrderRef) -> OrderEnd: ...

    @workflow.signal
    @abstractmethod
    def nudge(self) -> None:
        """Facts may have changed: look again."""

    @workflow.update
    @abstractmethod
    async def cancel(self: Any, command: Cancel) -> Cancelled: ...

    @workflow.update
    @abstractmethod
    async def pay(self: Any, command: Pay) -> None: ...

    @workflow.update
    @abstractmethod
    async def place_hold(self: Any, command: PlaceHold) -> None: ...

    @workflow.update
    @abstractmethod
    async def release_hold(self: Any, command: ReleaseHold) -> None: ...

    @workflow.update
    @abstractmethod
    async def pack(self: Any, command: Pack) -> None:
        """Picked: the parcel is paid for and labelled next. Refused with `on-hold`,
        `wrong-state`, `quantity-exceeded`."""

    @workflow.update
    @abstractmethod
    async def move(self: Any, command: Move) -> None:
        """Refused with `wrong-state` once it is picked and where it is there already,
        `quantity-exceeded`."""

    @workflow.update
    @abstractmethod
    async def ship(self: Any, command: Ship) -> None: ...

    @workflow.update
    @abstractmethod
    async def relabel(self: Any, command: Relabel) -> None:
        """Refused with `wrong-state` once it has left with a label of the carrier's,
        `not-found`, `duplicate-reference`."""

    @workflow.update
    @abstractmethod
    async def deliver(self: Any, command: Deliver) -> None:
        """A person reports that it has arrived. Refused with `wrong-state`."""

    @workflow.update
    @abstractmethod
    async def cancel_shipment(self: Any, command: CancelShipment) -> None:
        """At once, or as soon as the outcome of its capture is known."""


@workflow.defn(name="Refund")
class Refund(ABC):
    """One refund that stands alone, until the provider has settled it. Id:
    `refund_workflow_id`.

    A command starts it where it does not run: with an Update-with-Start.
    """

    @workflow.run
    @abstractmethod
    async def run(self, ref: RefundRef) -> RefundEnd: ...

    @workflow.signal
    @abstractmethod
    def nudge(self) -> None: ...

    @workflow.update
    @abstractmethod
    async def request(self: Any, command: RequestRefund) -> RefundState:
        """Refused with `exceeds-refundable`; `on_hold` is over the clerk's limit."""

    @workflow.update
    @abstractmethod
    async def release_hold(self: Any, command: ReleaseHold) -> None: ...


@workflow.defn(name="Return")
class Return(ABC):
    """Goods on their way back, until they are paid back. Id: `return_workflow_id`.

    A command starts it where it does not run: with an Update-with-Start.
    """

    @workflow.run
    @abstractmethod
    async def run(self, ref: ReturnRef) -> ReturnEnd: ...

    @workflow.signal
    @abstractmethod
    def nudge(self) -> None: ...

    @workflow.update
    @abstractmethod
    async def request(self: Any, command: RequestReturn) -> ReturnState:
        """Refused with `quantity-exceeded`, `not-returnable`, `window-closed`."""

    @workflow.update
    @abstractmethod
    async def decide(self: Any, command: DecideReturn) -> ReturnState: ...

    @workflow.update
    @abstractmethod
    async def receive(self: Any, command: ReceiveReturn) -> ReturnState:
        """Also for goods that come late: refused with `wrong-state` only if they are
        not expected at all, or were received before; with `deduction-exceeds-value`
        where more would be kept than is paid back."""

    @workflow.update
    @abstractmethod
    async def release_hold(self: Any, command: ReleaseHold) -> None: ...


@workflow.defn(name="AllocateStock")
class AllocateStock(ABC):
    """Serves the orders that wait for a SKU, oldest first. Started with the signal, so
    that no receipt is missed. Id: `allocation_workflow_id`."""

    @workflow.run
    @abstractmethod
    async def run(self, ref: StockRef) -> None: ...

    @workflow.signal
    @abstractmethod
    def received(self) -> None:
        """Stock of the SKU may have become free: look again."""


@workflow.defn(name="Export")
class Export(ABC):
    """Writes a file of rows, and deletes it after `EXPORT_LIVES`. Id:
    `export_workflow_id`."""

    @workflow.run
    @abstractmethod
    async def run(self, ref: ExportRef) -> Exported: ...

    @workflow.signal
    @abstractmethod
    def forget(self) -> None:
        """The export was deleted: stop."""


@workflow.defn(name="Sweep")
class Sweep(ABC):
    """Heals what was missed: orders without a workflow, lost nudges."""

    @workflow.run
    @abstractmethod
    async def run(self) -> None: ...


@workflow.defn(name="Reconcile")
class Reconcile(ABC):
    """Compares the provider's books with the ledger (docs/domain.md, M6)."""

    @workflow.run
    @abstractmethod
    async def run(self, again: LookAgain | None = None) -> Reconciled: ...


@workflow.defn(name="Retention")
class Retention(ABC):
    """Deletes what is no longer needed."""

    @workflow.run
    @abstractmethod
    async def run(self) -> None: ...
