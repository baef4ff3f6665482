"""The workflow of a return: approved, awaited, received, refunded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from shared.contracts.base import RefundId
from shared.contracts.orders.activities import OrderSteps, ReturnLabelSteps, ReturnSteps
from shared.contracts.orders.names import refund_workflow_id
from shared.contracts.orders.payloads import (
    DecideReturn,
    HoldRef,
    ReceiveReturn,
    RefundRef,
    ReleaseHold,
    RequestReturn,
    ReturnEnd,
    ReturnRef,
    ReturnState,
)
from shared.contracts.orders.workflows import Refund, Return
from shared.contracts.search_attributes import ORDER_ID
from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError

from worker.orders import options
from worker.orders.hold.policy import ExpireHold, Remind
from worker.orders.return_.policy import (
    ArrangeReturn,
    CloseReturn,
    ExpireReturn,
    RemindOfReturn,
    ReturnStep,
    StartRefund,
    next_return_step,
)
from worker.runtime.level_triggered import (
    End,
    LevelTriggered,
    Wait,
    handlers_finished,
)

T = TypeVar("T")
C = TypeVar("C")


@workflow.defn(name="Return")
class ReturnWorkflow(LevelTriggered[ReturnState, ReturnStep], Return):
    @workflow.init
    def __init__(self, ref: ReturnRef) -> None:
        super().__init__(ref)
        self._ref = ref
        self._refunding = False

    @workflow.run
    async def run(self, ref: ReturnRef) -> ReturnEnd:
        # The command that started this may still be writing the return down.
        await self.shielded(handlers_finished())
        last = await self.live(await self.look_again())
        return ReturnEnd(status=None if last is None else last.status)

    async def look(self) -> ReturnState | None:
        return await self._database(ReturnSteps.look_at_return, self._ref)

    def next_step(self, state: ReturnState) -> ReturnStep | Wait | End:
        return next_return_step(state, self._refunding, workflow.now())

    async def take(self, step: ReturnStep, state: ReturnState) -> ReturnState | None:
        match step:
            case ArrangeReturn():
                return await workflow.execute_activity_method(
                    ReturnLabelSteps.buy_return_label, self._ref, **options.CARRIER
                )
            case RemindOfReturn():
                return await self._database(ReturnSteps.remind_of_return, self._ref)
            case ExpireReturn():
                return await self._database(ReturnSteps.expire_return, self._ref)
            case StartRefund(refund_id):
                await self._start_refund(refund_id)
            case CloseReturn():
                return await self._database(ReturnSteps.close_return, self._ref)
            case Remind(hold_id):
                await self._database(OrderSteps.remind, self._hold(hold_id))
            case ExpireHold(hold_id):
                await self._database(OrderSteps.expire_hold, self._hold(hold_id))
        return await self.look_again()

    # ── commands ────────────────────────────────────────────────────────────────

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
        await self._command(OrderSteps.release_hold, command)

    async def _command(self, step: Callable[[Any, C], Awaitable[T]], command: C) -> T:
        facts = await self._database(step, command)
        self.nudge()
        return facts

    # ── steps ───────────────────────────────────────────────────────────────────

    async def _database(self, step: Callable[[Any, C], Awaitable[T]], argument: C) -> T:
        return await workflow.execute_local_activity_method(
            step, argument, **options.DATABASE
        )

    def _hold(self, hold_id: str) -> HoldRef:
        return HoldRef(order_id=self._ref.order_id, hold_id=hold_id)

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
            # For days, if somebody has to decide about it: in a sleep that begins a
            # new run where the history has become long.
            await self.sleep_until(workflow.now() + options.SETTLED_ELSEWHERE_IN)
            return

        def ended(task: asyncio.Future[Any]) -> None:
            if not task.cancelled() and task.exception():
                workflow.logger.warning("%s ended: %s", refund_id, task.exception())
            self._refunding = False
            self.nudge()

        self._refunding = True
        handle.add_done_callback(ended)
