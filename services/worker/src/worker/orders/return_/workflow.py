"""What happens to goods that come back: approved, awaited, taken in, paid back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from shared.contracts.base import RefundId
from shared.contracts.orders.activities import OrderSteps, ReturnLabelSteps, ReturnSteps
from shared.contracts.orders.models import (
    DecideReturn,
    HoldRef,
    OrderState,
    ReceiveReturn,
    RefundRef,
    ReleaseHold,
    RequestReturn,
    ReturnEnd,
    ReturnRef,
    ReturnState,
)
from shared.contracts.orders.names import refund_workflow_id
from shared.contracts.orders.workflows import Refund, Return
from shared.contracts.search_attributes import ORDER_ID
from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError

from worker.orders import options
from worker.orders.hold.policy import ExpireHold, Remind
from worker.orders.refund.policy import StartRefunds
from worker.orders.return_.policy import (
    ArrangeReturn,
    CloseReturn,
    ExpireReturn,
    RemindOfReturn,
    ReturnStep,
    next_return_step,
)
from worker.runtime.level_triggered import (
    End,
    Wait,
    should_continue_as_new,
    uninterrupted,
)

T = TypeVar("T")
C = TypeVar("C")


@workflow.defn(name="Return")
class ReturnWorkflow(Return):
    @workflow.init
    def __init__(self, ref: ReturnRef) -> None:
        self._ref = ref
        self._nudged = False
        self._refunding = False

    @workflow.run
    async def run(self, ref: ReturnRef) -> ReturnEnd:
        # The command that started this may still be writing the return down.
        await self._shielded(self._handlers_finished())
        facts = await self._shielded(self._look())
        while facts is not None:
            step = next_return_step(facts, self._refunding, workflow.now())
            if not isinstance(step, End):
                facts = await self._shielded(self._take(step))
                continue
            await self._shielded(self._handlers_finished())
            if not self._nudged:
                return ReturnEnd(status=facts.status)
            facts = await self._shielded(self._look())
        return ReturnEnd(status=None)

    async def _take(self, step: ReturnStep) -> ReturnState | None:
        match step:
            case ArrangeReturn():
                return await workflow.execute_activity_method(
                    ReturnLabelSteps.buy_return_label, self._ref, **options.CARRIER
                )
            case RemindOfReturn():
                return await self._database(ReturnSteps.remind_of_return, self._ref)
            case ExpireReturn():
                return await self._database(ReturnSteps.expire_return, self._ref)
            case StartRefunds(refunds):
                for refund_id in refunds:
                    await self._start_refund(refund_id)
            case CloseReturn():
                return await self._database(ReturnSteps.close_return, self._ref)
            case Remind(hold_id):
                await self._on_hold(OrderSteps.remind, hold_id)
            case ExpireHold(hold_id):
                await self._on_hold(OrderSteps.expire_hold, hold_id)
            case Wait(until):
                await self._wait(until)
        return await self._look()

    # ── commands ────────────────────────────────────────────────────────────────

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True

    @workflow.update
    async def request(self, command: RequestReturn) -> ReturnState:
        return await self._command(ReturnSteps.request_return, command)

    @workflow.update
    async def decide(self, command: DecideReturn) -> ReturnState:
        return await self._command(ReturnSteps.decide_return, command)

    @workflow.update
    async def receive(self, command: ReceiveReturn) -> ReturnState:
        return await self._command(ReturnSteps.receive_return, command)

    @workflow.update
    async def release_hold(self, command: ReleaseHold) -> None:
        await workflow.execute_local_activity_method(
            OrderSteps.release_hold, command, **options.DATABASE
        )
        self._nudged = True

    async def _command(
        self, step: Callable[[ReturnSteps, C], Awaitable[ReturnState]], command: C
    ) -> ReturnState:
        facts = await self._database(step, command)
        self._nudged = True
        return facts

    # ── steps ───────────────────────────────────────────────────────────────────

    async def _wait(self, until: datetime | None) -> None:
        if await should_continue_as_new():
            workflow.continue_as_new(self._ref)
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._nudged,
                timeout=None if until is None else until - workflow.now(),
            )

    async def _look(self) -> ReturnState | None:
        self._nudged = False
        return await self._database(ReturnSteps.look_at_return, self._ref)

    async def _database(
        self, step: Callable[[ReturnSteps, C], Awaitable[T]], argument: C
    ) -> T:
        return await workflow.execute_local_activity_method(
            step, argument, **options.DATABASE
        )

    async def _on_hold(
        self, step: Callable[[OrderSteps, HoldRef], Awaitable[OrderState]], hold_id: str
    ) -> None:
        ref = HoldRef(order_id=self._ref.order_id, hold_id=hold_id)
        await workflow.execute_local_activity_method(step, ref, **options.DATABASE)

    async def _start_refund(self, refund_id: RefundId) -> None:
        """Start the refund as a child; its end is a nudge."""
        try:
            handle = await workflow.start_child_workflow(
                Refund.run,
                RefundRef(order_id=self._ref.order_id, refund_id=refund_id),
                id=refund_workflow_id(refund_id),
                retry_policy=options.CHILD_RETRY,
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(ORDER_ID, self._ref.order_id)]
                ),
            )
        except WorkflowAlreadyStartedError:
            # For days, if somebody has to decide about it: by `_wait`, which begins a
            # new run where the history has become long.
            await self._wait(workflow.now() + options.SETTLED_ELSEWHERE_IN)
            return

        def ended(task: asyncio.Future[Any]) -> None:
            if not task.cancelled() and task.exception():
                workflow.logger.warning("%s ended: %s", refund_id, task.exception())
            self._refunding = False
            self._nudged = True

        self._refunding = True
        handle.add_done_callback(ended)

    async def _handlers_finished(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _shielded(self, step: Awaitable[T]) -> T:
        # What was promised to a customer stays promised, whoever cancels this.
        return await uninterrupted(step, on_cancel=self.nudge)
