"""What happens to a refund: asked of the provider until it is settled."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from shared.contracts.orders.activities import OrderSteps, PaymentSteps, RefundSteps
from shared.contracts.orders.models import (
    RefundEnd,
    RefundFacts,
    RefundRef,
    ReleaseHold,
)
from shared.contracts.orders.states import MoneyStatus
from shared.contracts.orders.workflows import Refund
from temporalio import workflow

from worker.orders.workflows import options
from worker.orders.workflows.uninterrupted import uninterrupted

T = TypeVar("T")


@workflow.defn(name="Refund")
class RefundWorkflow(Refund):
    @workflow.init
    def __init__(self, ref: RefundRef) -> None:
        self._ref = ref
        self._nudged = False

    @workflow.run
    async def run(self, ref: RefundRef) -> RefundEnd:
        facts = await self._shielded(self._look())
        while facts.to_settle or facts.on_hold:
            facts = await self._shielded(self._take(facts))
        await self._shielded(workflow.wait_condition(workflow.all_handlers_finished))
        return RefundEnd(succeeded=facts.status is MoneyStatus.SUCCEEDED)

    async def _take(self, facts: RefundFacts) -> RefundFacts:
        if facts.to_settle and not facts.on_hold:
            facts = await workflow.execute_activity_method(
                PaymentSteps.refund, self._ref, **options.PAYMENT
            )
            if not facts.to_settle:
                return facts
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._nudged,
                timeout=None if facts.on_hold else options.ASK_PROVIDER_AGAIN,
            )
        return await self._look()

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True

    @workflow.update
    async def release_hold(self, command: ReleaseHold) -> None:
        await workflow.execute_local_activity_method(
            OrderSteps.release_hold, command, **options.DATABASE
        )
        self._nudged = True

    async def _look(self) -> RefundFacts:
        self._nudged = False
        return await workflow.execute_local_activity_method(
            RefundSteps.look_at_refund, self._ref, **options.DATABASE
        )

    async def _shielded(self, step: Awaitable[T]) -> T:
        # Money that is owed stays owed, whoever cancels the workflow.
        return await uninterrupted(step, on_cancel=self.nudge)
