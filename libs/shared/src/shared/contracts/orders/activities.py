"""The activities of an order, by the bulkhead that runs them. Retrying any is safe.

Each is written as a whole transaction under a business key, or as begin → call →
settle around a provider, so a repeated run finds what is done and goes on from there.
"""

from abc import abstractmethod

from temporalio import activity

from shared.contracts.orders.payloads import (
    Cancel,
    CancelledOrder,
    CancelShipment,
    DecideReturn,
    Deliver,
    Exported,
    ExportRef,
    HoldRef,
    Move,
    OrderRef,
    OrderState,
    Pack,
    Pay,
    PaymentRef,
    PlaceHold,
    ReceiveReturn,
    Reconciled,
    RefundRef,
    RefundState,
    Relabel,
    ReleaseHold,
    RequestRefund,
    RequestReturn,
    ReturnRef,
    ReturnState,
    Served,
    Ship,
    ShipmentRef,
    StockRef,
    Swept,
    WaitingOrders,
    Window,
)
from shared.contracts.steps import Steps


class OrderSteps(Steps):
    """Steps of the order itself: PostgreSQL only, milliseconds long. All but `remind`
    and `expire_hold` of an ended subject answer with the order as it is then."""

    @activity.defn(name="look")
    @abstractmethod
    async def look(self, ref: OrderRef) -> OrderState: ...

    @activity.defn(name="confirm")
    @abstractmethod
    async def confirm(self, ref: OrderRef) -> OrderState:
        """Screen, then confirm and plan the shipments, or open an `approval` hold."""

    @activity.defn(name="plan_shipments")
    @abstractmethod
    async def plan_shipments(self, ref: OrderRef) -> OrderState:
        """One shipment per location for what is reserved and in no parcel yet."""

    @activity.defn(name="remind")
    @abstractmethod
    async def remind(self, ref: HoldRef) -> OrderState: ...

    @activity.defn(name="expire_hold")
    @abstractmethod
    async def expire_hold(self, ref: HoldRef) -> OrderState:
        """Nobody decided in time: take the default decision, or escalate."""

    @activity.defn(name="complete")
    @abstractmethod
    async def complete(self, ref: OrderRef) -> OrderState:
        """Complete it if nothing is left to do; otherwise this is a look."""

    @activity.defn(name="carry_out_cancel")
    @abstractmethod
    async def carry_out_cancel(self, ref: OrderRef) -> OrderState:
        """Carry out a cancellation that waited for a parcel's capture."""

    @activity.defn(name="cancel")
    @abstractmethod
    async def cancel(self, command: Cancel) -> CancelledOrder: ...

    @activity.defn(name="pay")
    @abstractmethod
    async def pay(self, command: Pay) -> OrderState: ...

    @activity.defn(name="place_hold")
    @abstractmethod
    async def place_hold(self, command: PlaceHold) -> OrderState: ...

    @activity.defn(name="release_hold")
    @abstractmethod
    async def release_hold(self, command: ReleaseHold) -> OrderState: ...


class ShipmentSteps(Steps):
    """Steps of one parcel: PostgreSQL only, milliseconds long."""

    @activity.defn(name="pick")
    @abstractmethod
    async def pick(self, command: Pack) -> OrderState:
        """Record what was picked and the parcel, and open its capture where nothing
        else of the order is being paid for. Short picks open a `stock` hold."""

    @activity.defn(name="move")
    @abstractmethod
    async def move(self, command: Move) -> OrderState: ...

    @activity.defn(name="ship")
    @abstractmethod
    async def ship(self, command: Ship) -> OrderState: ...

    @activity.defn(name="relabel")
    @abstractmethod
    async def relabel(self, command: Relabel) -> OrderState: ...

    @activity.defn(name="deliver")
    @abstractmethod
    async def deliver(self, command: Deliver) -> OrderState: ...

    @activity.defn(name="cancel_shipment")
    @abstractmethod
    async def cancel_shipment(self, command: CancelShipment) -> OrderState: ...

    @activity.defn(name="take_apart")
    @abstractmethod
    async def take_apart(self, ref: ShipmentRef) -> OrderState:
        """Carry out a parcel's cancellation that waited for its capture."""

    @activity.defn(name="miss_scan")
    @abstractmethod
    async def miss_scan(self, ref: ShipmentRef) -> OrderState:
        """No scan in time: open a `delivery` hold; after 14 days call it lost. A parcel
        that its carrier does not track is never missed."""


class RefundSteps(Steps):
    """Steps of one refund: PostgreSQL only, milliseconds long."""

    @activity.defn(name="look_at_refund")
    @abstractmethod
    async def look_at_refund(self, ref: RefundRef) -> RefundState | None:
        """`None` if there is no such refund: its request was refused."""

    @activity.defn(name="request_refund")
    @abstractmethod
    async def request_refund(self, command: RequestRefund) -> RefundState:
        """Set the money aside; above the clerk's limit, open a `refund` hold. Refused
        with `exceeds-refundable`."""


class ReturnSteps(Steps):
    """Steps of one return: PostgreSQL only, milliseconds long."""

    @activity.defn(name="look_at_return")
    @abstractmethod
    async def look_at_return(self, ref: ReturnRef) -> ReturnState | None:
        """`None` if there is no such return: its request was refused."""

    @activity.defn(name="request_return")
    @abstractmethod
    async def request_return(self, command: RequestReturn) -> ReturnState:
        """Approve by the rules, or open an `approval` hold. Refused with
        `quantity-exceeded`, `not-returnable`, `window-closed`."""

    @activity.defn(name="decide_return")
    @abstractmethod
    async def decide_return(self, command: DecideReturn) -> ReturnState: ...

    @activity.defn(name="receive_return")
    @abstractmethod
    async def receive_return(self, command: ReceiveReturn) -> ReturnState:
        """Put the goods where they belong and owe what was accepted."""

    @activity.defn(name="remind_of_return")
    @abstractmethod
    async def remind_of_return(self, ref: ReturnRef) -> ReturnState: ...

    @activity.defn(name="expire_return")
    @abstractmethod
    async def expire_return(self, ref: ReturnRef) -> ReturnState: ...

    @activity.defn(name="close_return")
    @abstractmethod
    async def close_return(self, ref: ReturnRef) -> ReturnState: ...


class PaymentSteps(Steps):
    """Money at the provider. Unknown outcomes are looked up before any repeat."""

    @activity.defn(name="authorize")
    @abstractmethod
    async def authorize(self, ref: OrderRef) -> OrderState:
        """Cover the amount still to be captured: reserve what is free, finish what is
        begun, or try the newest untried method, or the saved one. An order that is
        covered is screened and confirmed with it. Opens a `payment` hold when that
        fails or nothing is left to try, a `stock` hold for what is missing."""

    @activity.defn(name="capture")
    @abstractmethod
    async def capture(self, ref: ShipmentRef) -> OrderState:
        """Take the money for one shipment, once."""

    @activity.defn(name="release")
    @abstractmethod
    async def release(self, ref: PaymentRef) -> OrderState:
        """Release what an authorisation still holds and no order needs."""


class RefundPaymentSteps(Steps):
    @activity.defn(name="refund")
    @abstractmethod
    async def refund(self, ref: RefundRef) -> RefundState:
        """Ask the provider for the refund, or how far it is. If it refuses or fails, a
        `refund` hold is opened."""


class CarrierSteps(Steps):
    @activity.defn(name="buy_label")
    @abstractmethod
    async def buy_label(self, ref: ShipmentRef) -> OrderState:
        """Buy the label of each package, once; the shipment is `packed` with the last.
        A carrier that refuses the address opens an `address` hold."""

    @activity.defn(name="void_label")
    @abstractmethod
    async def void_label(self, ref: ShipmentRef) -> OrderState: ...


class ReturnLabelSteps(Steps):
    @activity.defn(name="buy_return_label")
    @abstractmethod
    async def buy_return_label(self, ref: ReturnRef) -> ReturnState:
        """Buy the label for the way back, if the carrier has one; from then on the
        goods are awaited."""


class StockSteps(Steps):
    """Serving back-orders: PostgreSQL, and a nudge for each order served."""

    @activity.defn(name="find_waiting_orders")
    @abstractmethod
    async def find_waiting_orders(self, ref: StockRef) -> WaitingOrders:
        """The next orders that wait, oldest first; none if no unit is free."""

    @activity.defn(name="serve_waiting_orders")
    @abstractmethod
    async def serve_waiting_orders(self, waiting: WaitingOrders) -> Served:
        """Reserve what is free for them, each in a transaction of its own."""


class SweepSteps(Steps):
    @activity.defn(name="start_missing_orders")
    @abstractmethod
    async def start_missing_orders(self) -> Swept:
        """Start the workflow of every order that has work left and none running, and
        wake those that run and have none left."""

    @activity.defn(name="start_missing_returns")
    @abstractmethod
    async def start_missing_returns(self) -> Swept:
        """The same for returns, for refunds that no other workflow runs, and for
        exports."""

    @activity.defn(name="nudge_overdue_orders")
    @abstractmethod
    async def nudge_overdue_orders(self) -> Swept:
        """Nudge orders with a payment answer or a hold overdue, and orders with work
        left that nobody does: no workflow saw their command."""

    @activity.defn(name="allocate_free_stock")
    @abstractmethod
    async def allocate_free_stock(self) -> Swept:
        """Start the allocation of free stock that orders wait for."""

    @activity.defn(name="audit")
    @abstractmethod
    async def audit(self) -> Swept:
        """Read the three audit views. Their rows become discrepancies."""


class ReconcileSteps(Steps):
    @activity.defn(name="reconcile")
    @abstractmethod
    async def reconcile(self, window: Window) -> Reconciled:
        """Compare the provider's books with the ledger wherever anything happened in
        `window`. Heartbeats; a repeat continues where the last one broke off."""


class RetentionSteps(Steps):
    """Deletes in batches. Each activity heartbeats and may break off anywhere."""

    @activity.defn(name="forget_keys")
    @abstractmethod
    async def forget_keys(self) -> Swept:
        """Delete the answers stored under API callers' idempotency keys that have
        expired."""

    @activity.defn(name="forget_webhooks")
    @abstractmethod
    async def forget_webhooks(self) -> Swept: ...

    @activity.defn(name="forget_steps")
    @abstractmethod
    async def forget_steps(self) -> Swept:
        """Delete the stored answers of steps of orders that ended long ago."""

    @activity.defn(name="erase_contacts")
    @abstractmethod
    async def erase_contacts(self) -> Swept:
        """Erase contacts of orders that ended long ago, and what was written about
        these people."""


class ExportSteps(Steps):
    @activity.defn(name="write_export")
    @abstractmethod
    async def write_export(self, ref: ExportRef) -> Exported:
        """Write the rows, a few thousand at a time. Heartbeats; a repeat continues
        after the last written row. Stops if the export is deleted."""

    @activity.defn(name="forget_export")
    @abstractmethod
    async def forget_export(self, ref: ExportRef) -> Swept:
        """Delete the file. An export that was not finished by then has failed."""


class ErasureSteps(Steps):
    @activity.defn(name="erase_at_provider")
    @abstractmethod
    async def erase_at_provider(self) -> Swept:
        """Delete the provider's customers, with their saved cards, whose orders here
        are all erased. Heartbeats and may break off anywhere."""
