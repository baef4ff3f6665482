"""What happens to an order, its parcels, and the refunds of its cancellations.

The rules are in `policy.py`. Commands write down what is wanted and return; this takes
the steps that follow: those in PostgreSQL at once, those at a provider first here, for
a moment, and then in the provider's queue, side by side (docs/adr/0009).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.contracts.orders.activities import (
    CarrierSteps,
    OrderSteps,
    PaymentSteps,
    RefundPaymentSteps,
    ShipmentSteps,
)
from shared.contracts.orders.holds import Decision
from shared.contracts.orders.payloads import (
    Cancel,
    Cancelled,
    CancelledOrder,
    CancelShipment,
    Deliver,
    HoldRef,
    Move,
    OrderEnd,
    OrderRef,
    OrderState,
    Pack,
    Pay,
    PaymentRef,
    PlaceHold,
    RefundRef,
    Relabel,
    ReleaseHold,
    Ship,
    ShipmentRef,
)
from shared.contracts.orders.workflows import Order
from shared.contracts.search_attributes import WAITING
from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from worker.orders import options
from worker.orders.hold.policy import ExpireHold, Remind
from worker.orders.order.policy import (
    AskRefund,
    AtProviders,
    Authorize,
    BuyLabel,
    CancelOnRequest,
    Capture,
    CarryOutCancel,
    Complete,
    Confirm,
    LocalStep,
    MissScan,
    OrderStep,
    PlanShipments,
    ProviderStep,
    Release,
    TakeApart,
    VoidLabel,
    next_step,
    subject_of,
)
from worker.runtime.level_triggered import End, LevelTriggered, Wait

T = TypeVar("T")
C = TypeVar("C")


@workflow.defn(name="Order")
class OrderWorkflow(LevelTriggered[OrderState, OrderStep], Order):
    @workflow.init
    def __init__(self, ref: OrderRef) -> None:
        super().__init__(ref)
        self._ref = ref
        self._cancel_requested = False
        # Steps in a provider's queue, by their subjects.
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[str, datetime] = {}
        # When a person last decided to ask the provider again.
        self._wanted = workflow.now()
        # The state that a command has just read while nothing else ran: spares a look.
        self._seen: OrderState | None = None
        self._resting = False
        self._commands = 0
        self._task: tuple[int, datetime] = (0, workflow.now())
        # A run that was continued has shown what it waits for.
        shown = workflow.info().typed_search_attributes.get(WAITING, ())
        self._waiting: list[str] = list(shown)

    @workflow.run
    async def run(self, ref: OrderRef) -> OrderEnd:
        # Most orders begin here. For others this serves as a look.
        state = await self.shielded(self._try(Authorize()))
        last = await self.live(state or await self.look_again())
        if last is None:
            raise AssertionError("an order is there before its workflow is")
        return OrderEnd(status=last.status)

    async def look(self) -> OrderState:
        self._seen = None
        return await self._in_database(OrderSteps.look, self._ref)

    def next_step(self, state: OrderState) -> OrderStep | Wait | End:
        if self._cancel_requested:
            return CancelOnRequest()
        for refund in state.refunds:
            if refund.on_hold:
                # Once somebody has decided, the provider is asked at once.
                self._asked.pop(refund.refund_id, None)
        return next_step(state, self._busy, self._asked, workflow.now())

    async def take(self, step: OrderStep, state: OrderState) -> OrderState:
        match step:
            case AtProviders(steps):
                return await self._at_providers(steps, state)
            case _:
                return await self._locally(step)

    # ── steps in PostgreSQL ─────────────────────────────────────────────────────

    async def _locally(self, step: LocalStep) -> OrderState:
        match step:
            case CancelOnRequest():
                return await self._cancel_on_request()
            case Confirm():
                return await self._in_database(OrderSteps.confirm, self._ref)
            case PlanShipments():
                return await self._in_database(OrderSteps.plan_shipments, self._ref)
            case CarryOutCancel():
                return await self._in_database(OrderSteps.carry_out_cancel, self._ref)
            case Complete():
                return await self._in_database(OrderSteps.complete, self._ref)
            case TakeApart(shipment):
                return await self._in_database(
                    ShipmentSteps.take_apart, self._parcel(shipment)
                )
            case MissScan(shipment):
                return await self._in_database(
                    ShipmentSteps.miss_scan, self._parcel(shipment)
                )
            case Remind(hold):
                return await self._in_database(OrderSteps.remind, self._hold(hold))
            case ExpireHold(hold):
                return await self._in_database(OrderSteps.expire_hold, self._hold(hold))
        raise AssertionError(step)

    async def _in_database(
        self, step: Callable[[Any, C], Awaitable[T]], argument: C
    ) -> T:
        return await workflow.execute_local_activity_method(
            step, argument, **options.DATABASE
        )

    # ── steps at a provider ─────────────────────────────────────────────────────

    async def _at_providers(
        self, steps: tuple[ProviderStep, ...], state: OrderState
    ) -> OrderState:
        """A single due step is tried here. A step without an answer goes into its
        provider's queue; its end nudges this workflow."""
        alone = len(steps) == 1 and not self._busy and not self._commands
        if alone:
            answered = await self._try(steps[0])
            if answered is not None:
                return answered
        for step in steps:
            self._busy[subject_of(step)] = asyncio.create_task(self._in_queue(step))
        return state

    async def _try(self, step: ProviderStep) -> OrderState | None:
        """Try a step. Returns `None` without an answer in the time that tries may hold
        this workflow task; commands wait as long."""
        left = options.TRY_FOR - self._held_for()
        if left < options.SHORTEST_TRY:
            return None
        method, argument, _ = self._activity(step)
        began = workflow.now()
        try:
            answer = await workflow.execute_local_activity_method(
                method, argument, **options.local_try(left)
            )
        except FailureError:
            # No narrower: what was an `ActivityError` of a local activity comes without
            # that around it when it is replayed.
            return None
        self._note_asked(step, began)
        return answer if isinstance(answer, OrderState) else await self.look()

    def _held_for(self) -> timedelta:
        """How long the current workflow task has lasted. Within one, time moves only
        with local activities that end in it."""
        events = workflow.info().get_current_history_length()
        if self._task[0] != events:
            self._task = (events, workflow.now())
        return workflow.now() - self._task[1]

    async def _in_queue(self, step: ProviderStep) -> None:
        method, argument, how = self._activity(step)
        began = workflow.now()
        try:
            await workflow.execute_activity_method(method, argument, **how)
            self._note_asked(step, began)
        except ActivityError as failure:
            # Steps at providers retry until they answer, so this failure is a bug of
            # ours.
            workflow.logger.error("%s failed: %s", step, failure)
            await workflow.sleep(options.LOOK_AGAIN_IN)
        del self._busy[subject_of(step)]
        self._nudged = True

    def _note_asked(self, step: ProviderStep, began: datetime) -> None:
        # A step that was already under way did not see the decision.
        if isinstance(step, AskRefund) and began >= self._wanted:
            self._asked[step.refund] = workflow.now()

    def _activity(
        self, step: ProviderStep
    ) -> tuple[Any, Any, options.HeartbeatOptions]:
        match step:
            case Authorize():
                return PaymentSteps.authorize, self._ref, options.PAYMENT
            case Release(payment):
                ref = PaymentRef(order_id=self._ref.order_id, payment_id=payment)
                return PaymentSteps.release, ref, options.PAYMENT
            case Capture(shipment):
                return PaymentSteps.capture, self._parcel(shipment), options.PAYMENT
            case BuyLabel(shipment):
                return CarrierSteps.buy_label, self._parcel(shipment), options.CARRIER
            case VoidLabel(shipment):
                return CarrierSteps.void_label, self._parcel(shipment), options.CARRIER
            case AskRefund(refund):
                owed = RefundRef(order_id=self._ref.order_id, refund_id=refund)
                return RefundPaymentSteps.refund, owed, options.PAYMENT
        raise AssertionError(step)

    def _parcel(self, shipment_id: str) -> ShipmentRef:
        return ShipmentRef(order_id=self._ref.order_id, shipment_id=shipment_id)

    def _hold(self, hold_id: str) -> HoldRef:
        return HoldRef(order_id=self._ref.order_id, hold_id=hold_id)

    # ── waiting ─────────────────────────────────────────────────────────────────

    def woken(self) -> bool:
        return self._nudged or self._cancel_requested or self._seen is not None

    async def rest(self, until: datetime | None, state: OrderState) -> OrderState:
        self._show_what_it_waits_for(state)
        self._resting = True
        await self.sleep_until(until)
        self._resting = False
        seen, self._seen = self._seen, None
        if seen is not None and not self._nudged:
            return seen
        return await self.look_again() or state

    def _show_what_it_waits_for(self, state: OrderState) -> None:
        waiting = sorted({hold.reason.value for hold in state.holds})
        # Most orders never wait for a person; for them this costs no event.
        if waiting != self._waiting:
            self._waiting = waiting
            workflow.upsert_search_attributes([WAITING.value_set(waiting)])

    # ── commands ────────────────────────────────────────────────────────────────

    @workflow.update
    async def cancel(self, command: Cancel) -> Cancelled:
        done = await self._command(OrderSteps.cancel, command)
        return done.cancelled

    @workflow.update
    async def pay(self, command: Pay) -> None:
        await self._command(OrderSteps.pay, command)

    @workflow.update
    async def place_hold(self, command: PlaceHold) -> None:
        await self._command(OrderSteps.place_hold, command)

    @workflow.update
    async def release_hold(self, command: ReleaseHold) -> None:
        await self._command(OrderSteps.release_hold, command)
        if command.decision is Decision.RETRY:
            # Ask again even if this workflow has not seen the hold.
            self._wanted = workflow.now()
            self._asked.clear()

    @workflow.update
    async def pack(self, command: Pack) -> None:
        await self._command(ShipmentSteps.pick, command)

    @workflow.update
    async def move(self, command: Move) -> None:
        await self._command(ShipmentSteps.move, command)

    @workflow.update
    async def ship(self, command: Ship) -> None:
        await self._command(ShipmentSteps.ship, command)

    @workflow.update
    async def relabel(self, command: Relabel) -> None:
        await self._command(ShipmentSteps.relabel, command)

    @workflow.update
    async def deliver(self, command: Deliver) -> None:
        await self._command(ShipmentSteps.deliver, command)

    @workflow.update
    async def cancel_shipment(self, command: CancelShipment) -> None:
        await self._command(ShipmentSteps.cancel_shipment, command)

    async def _command(self, step: Callable[[Any, C], Awaitable[T]], command: C) -> T:
        alone = self._resting and not self._commands
        self._commands += 1
        try:
            done = await workflow.execute_local_activity_method(
                step, command, **options.COMMAND
            )
        except BaseException:
            # The change may have been committed all the same.
            self._nudged = True
            raise
        finally:
            self._commands -= 1
        if alone and self._resting and not self._commands:
            seen: Any = done.state if isinstance(done, CancelledOrder) else done
            self._seen = seen
        else:
            self._nudged = True
        return done

    # ── somebody cancels the workflow itself ────────────────────────────────────

    def on_cancel(self) -> None:
        self._cancel_requested = True

    async def _cancel_on_request(self) -> OrderState:
        """Cancel the order as a customer would, then continue until everything is
        undone."""
        self._cancel_requested = False
        command = Cancel(
            order_id=self._ref.order_id,
            key=f"workflow-cancel:{workflow.info().run_id}",
            actor="temporal",
            reason="workflow-cancelled",
        )
        try:
            done = await self._in_database(OrderSteps.cancel, command)
        except FailureError as refused:
            # No narrower, as in `_try`.
            workflow.logger.warning("cannot be cancelled: %s", refused)
            return await self.look()
        return done.state
