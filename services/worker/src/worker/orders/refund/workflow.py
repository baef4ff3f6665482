"""What happens to a refund: asked of the provider until it is settled."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from shared.contracts.orders.activities import (
    OrderSteps,
    RefundPaymentSteps,
    RefundSteps,
)
from shared.contracts.orders.models import (
    HoldRef,
    RefundEnd,
    RefundRef,
    RefundState,
    ReleaseHold,
    RequestRefund,
)
from shared.contracts.orders.states import MoneyStatus
from shared.contracts.orders.workflows import Refund
from temporalio import workflow

from worker.orders import options
from worker.orders.hold.policy import ExpireHold, Remind
from worker.orders.refund.policy import AskProvider, RefundStep, next_refund_step
from worker.runtime.level_triggered import (
    End,
    Wait,
    should_continue_as_new,
    uninterrupted,
)

T = TypeVar("T")


@workflow.defn(name="Refund")
class RefundWorkflow(Refund):
    @workflow.init
    def __init__(self, ref: RefundRef) -> None:
        self._ref = ref
        self._nudged = False

    @workflow.run
    async def run(self, ref: RefundRef) -> RefundEnd:
        # The command that started this may still be writing the refund down.
        await self._shielded(self._handlers_finished())
        facts = await self._shielded(self._look())
        while facts is not None:
            step = next_refund_step(facts, workflow.now())
            if not isinstance(step, End):
                facts = await self._shielded(self._take(step))
                continue
            await self._shielded(self._handlers_finished())
            if not self._nudged:
                return RefundEnd(succeeded=facts.status is MoneyStatus.SUCCEEDED)
            facts = await self._shielded(self._look())
        return RefundEnd(succeeded=False)

    async def _take(self, step: RefundStep) -> RefundState | None:
        match step:
            case AskProvider():
                asked = await workflow.execute_activity_method(
                    RefundPaymentSteps.refund, self._ref, **options.PAYMENT
                )
                if asked.to_settle and not asked.on_hold:
                    return await self._wait(options.ASK_PROVIDER_AGAIN)
                return asked
            case Remind(hold_id):
                await workflow.execute_local_activity_method(
                    OrderSteps.remind, self._hold(hold_id), **options.DATABASE
                )
            case ExpireHold(hold_id):
                await workflow.execute_local_activity_method(
                    OrderSteps.expire_hold, self._hold(hold_id), **options.DATABASE
                )
            case Wait(until):
                return await self._wait(until - workflow.now() if until else None)
        return await self._look()

    # ── commands ────────────────────────────────────────────────────────────────

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True

    @workflow.update
    async def request(self, command: RequestRefund) -> RefundState:
        return await workflow.execute_local_activity_method(
            RefundSteps.request_refund, command, **options.DATABASE
        )

    @workflow.update
    async def release_hold(self, command: ReleaseHold) -> None:
        await workflow.execute_local_activity_method(
            OrderSteps.release_hold, command, **options.DATABASE
        )
        self._nudged = True

    # ── steps ───────────────────────────────────────────────────────────────────

    async def _wait(self, patience: timedelta | None) -> RefundState | None:
        if await should_continue_as_new():
            workflow.continue_as_new(self._ref)
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._nudged, timeout=patience)
        return await self._look()

    async def _look(self) -> RefundState | None:
        self._nudged = False
        return await workflow.execute_local_activity_method(
            RefundSteps.look_at_refund, self._ref, **options.DATABASE
        )

    async def _handlers_finished(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)

    def _hold(self, hold_id: str) -> HoldRef:
        return HoldRef(order_id=self._ref.order_id, hold_id=hold_id)

    async def _shielded(self, step: Awaitable[T]) -> T:
        # Money that is owed stays owed, whoever cancels the workflow.
        return await uninterrupted(step, on_cancel=self.nudge)
