"""What happens to an order.

Level-triggered: look at the facts, take the next step, wait until something may have
changed. The rules are in `policy.py`; nothing that matters is kept here, so a
fresh run goes on where a terminated one stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from shared.contracts.base import Payload
from shared.contracts.orders.activities import OrderSteps, PaymentSteps
from shared.contracts.orders.models import (
    Cancel,
    Cancelled,
    HoldRef,
    OrderEnd,
    OrderRef,
    OrderState,
    Pay,
    PaymentRef,
    PlaceHold,
    RefundRef,
    ReleaseHold,
    ShipmentStart,
)
from shared.contracts.orders.names import (
    ORDERS,
    PAYMENTS,
    refund_workflow_id,
    shipment_workflow_id,
)
from shared.contracts.orders.workflows import Order, Refund, Shipment
from shared.contracts.search_attributes import ORDER_ID, WAITING
from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    WorkflowAlreadyStartedError,
)

from worker.orders import options
from worker.orders.hold.policy import ExpireHold, Remind
from worker.orders.order.policy import (
    Authorize,
    Complete,
    Confirm,
    OrderStep,
    PlanShipments,
    Release,
    Reserve,
    StartShipments,
    left_half_paid,
    next_step,
)
from worker.orders.refund.policy import StartRefunds
from worker.runtime.level_triggered import (
    Alarm,
    End,
    Wait,
    should_continue_as_new,
    uninterrupted,
)

T = TypeVar("T")
C = TypeVar("C")
ChildHandle = workflow.ChildWorkflowHandle[Any, Any]


@workflow.defn(name="Order")
class OrderWorkflow(Order):
    @workflow.init
    def __init__(self, ref: OrderRef) -> None:
        self._ref = ref
        self._nudged = False
        self._cancel_requested = False
        self._child_ended = False
        self._alarm = Alarm(self.nudge)
        self._children: dict[str, ChildHandle] = {}
        # A run that was continued has shown what it waits for.
        shown = workflow.info().typed_search_attributes.get(WAITING, ())
        self._waiting: list[str] = list(shown)

    @workflow.run
    async def run(self, ref: OrderRef) -> OrderEnd:
        # The first step of a new order, and a look at one that began before.
        facts = await self._shielded(self._database(OrderSteps.reserve))
        while True:
            if self._cancel_requested and not left_half_paid(facts, self._children):
                facts = await self._shielded(self._cancel_on_request())
            step = next_step(facts, self._children, workflow.now())
            if not isinstance(step, End):
                facts = await self._shielded(self._take(step, facts))
                continue
            await self._shielded(self._handlers_finished())
            if not self._nudged:
                return OrderEnd(status=facts.status)
            facts = await self._shielded(self._look())

    async def _take(self, step: OrderStep, facts: OrderState) -> OrderState:
        match step:
            case Reserve():
                return await self._database(OrderSteps.reserve)
            case Authorize():
                return await workflow.execute_activity_method(
                    PaymentSteps.authorize, self._ref, **options.PAYMENT
                )
            case Confirm():
                facts = await self._database(OrderSteps.confirm)
                # Of an order that is screened again, parcels may have waited for it.
                await self._nudge_children()
                return facts
            case PlanShipments():
                return await self._database(OrderSteps.plan_shipments)
            case StartShipments(shipments):
                begun = {s.shipment_id for s in facts.shipments if s.begun}
                for shipment_id in shipments:
                    await self._start_shipment(shipment_id, shipment_id in begun)
                return await self._unless_nudged(facts)
            case StartRefunds(refunds):
                for refund_id in refunds:
                    await self._start_refund(refund_id)
                return await self._unless_nudged(facts)
            case Release(payment_id):
                return await workflow.execute_activity_method(
                    PaymentSteps.release,
                    PaymentRef(order_id=self._ref.order_id, payment_id=payment_id),
                    **options.PAYMENT,
                )
            case Remind(hold_id):
                return await self._on_hold(OrderSteps.remind, hold_id)
            case ExpireHold(hold_id):
                facts = await self._on_hold(OrderSteps.expire_hold, hold_id)
                if not self._waiting:
                    # A fresh run has shown nothing yet that would be missed.
                    await self._nudge_children()
                return facts
            case Complete():
                return await self._database(OrderSteps.complete)
            case Wait(until):
                return await self._wait(facts, until)
        raise AssertionError(step)

    # ── commands ────────────────────────────────────────────────────────────────

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True

    @workflow.update
    async def cancel(self, command: Cancel) -> Cancelled:
        return await self._cancel(command)

    @workflow.update
    async def pay(self, command: Pay) -> None:
        await self._command(OrderSteps.pay, command)
        await self._nudge_children()

    @workflow.update
    async def place_hold(self, command: PlaceHold) -> None:
        await self._command(OrderSteps.place_hold, command)

    @workflow.update
    async def release_hold(self, command: ReleaseHold) -> None:
        await self._command(OrderSteps.release_hold, command)
        await self._nudge_children()

    async def _command(
        self, step: Callable[[OrderSteps, C], Awaitable[T]], command: C
    ) -> T:
        try:
            return await workflow.execute_local_activity_method(
                step, command, **options.DATABASE
            )
        finally:
            self._nudged = True

    async def _cancel(self, command: Cancel) -> Cancelled:
        # The main loop may be at the provider meanwhile: it reads the new facts
        # when it is back, and undoes what its own step has just done.
        cancelled = await self._command(OrderSteps.cancel, command)
        await self._nudge_children()
        return cancelled

    async def _nudge_children(self) -> None:
        for child in list(self._children.values()):
            # One that has just ended needs no nudge.
            with suppress(ApplicationError):
                await child.signal(Shipment.nudge)

    async def _cancel_on_request(self) -> OrderState:
        """Somebody cancelled the workflow itself: cancel the order like a customer
        would, then go on until all is undone."""
        self._cancel_requested = False
        command = Cancel(
            order_id=self._ref.order_id,
            key=f"workflow-cancel:{workflow.info().run_id}",
            actor="temporal",
            reason="workflow-cancelled",
        )
        try:
            await self._cancel(command)
        except (ActivityError, ApplicationError) as refused:
            # A local activity's refusal may come unwrapped.
            workflow.logger.warning("cannot be cancelled: %s", refused)
        return await self._look()

    # ── steps ───────────────────────────────────────────────────────────────────

    async def _look(self) -> OrderState:
        self._nudged = False
        if self._child_ended:
            # That was perhaps all that the order waited for.
            self._child_ended = False
            return await self._database(OrderSteps.complete)
        return await self._database(OrderSteps.look)

    async def _unless_nudged(self, facts: OrderState) -> OrderState:
        # One child may have ended while the next one was being started: by the old
        # facts it would be started over and over.
        return await self._look() if self._nudged else facts

    async def _database(
        self, step: Callable[[OrderSteps, OrderRef], Awaitable[T]]
    ) -> T:
        return await workflow.execute_local_activity_method(
            step, self._ref, **options.DATABASE
        )

    async def _on_hold(
        self, step: Callable[[OrderSteps, HoldRef], Awaitable[T]], hold_id: str
    ) -> T:
        ref = HoldRef(order_id=self._ref.order_id, hold_id=hold_id)
        return await workflow.execute_local_activity_method(
            step, ref, **options.DATABASE
        )

    async def _wait(self, facts: OrderState, until: datetime | None) -> OrderState:
        await self._show_what_it_waits_for(facts)
        await self._begin_anew_if_long()
        self._alarm.set(until)
        await workflow.wait_condition(lambda: self._nudged or self._cancel_requested)
        return await self._look()

    async def _begin_anew_if_long(self) -> None:
        if await should_continue_as_new() and not self._cancel_requested:
            workflow.continue_as_new(self._ref)

    async def _show_what_it_waits_for(self, facts: OrderState) -> None:
        waiting = sorted({hold.reason.value for hold in facts.holds})
        # Most orders never wait for a person; for them this costs no event.
        if waiting == self._waiting:
            return
        gone = set(self._waiting).difference(waiting)
        self._waiting = waiting
        workflow.upsert_search_attributes([WAITING.value_set(waiting)])
        if gone:
            # It may have been what a parcel waited for, too.
            await self._nudge_children()

    async def _handlers_finished(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _start_shipment(self, shipment_id: str, begun: bool) -> None:
        start = ShipmentStart(
            order_id=self._ref.order_id, shipment_id=shipment_id, begun=begun
        )
        # On the payments' queue: where a workflow and its activity share one, the
        # server hands the activity over in its answer to the workflow task.
        await self._start_child(
            *(shipment_id, Shipment.run, start, shipment_workflow_id(shipment_id)),
            queue=PAYMENTS,
        )

    async def _start_refund(self, refund_id: str) -> None:
        ref = RefundRef(order_id=self._ref.order_id, refund_id=refund_id)
        await self._start_child(
            refund_id, Refund.run, ref, refund_workflow_id(refund_id)
        )

    async def _start_child(
        self,
        name: str,
        run: Any,
        ref: Payload,
        workflow_id: str,
        queue: str = ORDERS,
    ) -> None:
        """Start a child that ends with us; its end is a nudge."""
        try:
            handle = await workflow.start_child_workflow(
                run,
                ref,
                id=workflow_id,
                task_queue=queue,
                retry_policy=options.CHILD_RETRY,
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(ORDER_ID, self._ref.order_id)]
                ),
            )
        except WorkflowAlreadyStartedError:
            # Once a second, for as long as that one lives: of a reset, it may be long.
            await self._begin_anew_if_long()
            await workflow.sleep(options.PREDECESSOR_GONE_IN)
            self._nudged = True
            return

        def ended(task: asyncio.Future[Any]) -> None:
            if not task.cancelled() and task.exception():
                workflow.logger.warning("%s ended: %s", workflow_id, task.exception())
            del self._children[name]
            self._child_ended = self._nudged = True

        self._children[name] = handle
        handle.add_done_callback(ended)
        if self._nudged:
            # A command came while the child was starting, and could not nudge it.
            await self._nudge_children()

    async def _shielded(self, step: Awaitable[T]) -> T:
        return await uninterrupted(step, self._note_cancel_request)

    def _note_cancel_request(self) -> None:
        self._cancel_requested = True
