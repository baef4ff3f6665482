"""The workflow of a refund that stands alone: asks the provider until it is settled."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from shared.contracts.orders.activities import (
    OrderSteps,
    RefundPaymentSteps,
    RefundSteps,
)
from shared.contracts.orders.payloads import (
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
from worker.orders.refund.policy import (
    ASK_AGAIN_AFTER,
    AskProvider,
    RefundStep,
    next_refund_step,
)
from worker.runtime.level_triggered import (
    End,
    LevelTriggered,
    Wait,
    handlers_finished,
)

T = TypeVar("T")
C = TypeVar("C")


@workflow.defn(name="Refund")
class RefundWorkflow(LevelTriggered[RefundState, RefundStep], Refund):
    @workflow.init
    def __init__(self, ref: RefundRef) -> None:
        super().__init__(ref)
        self._ref = ref

    @workflow.run
    async def run(self, ref: RefundRef) -> RefundEnd:
        # The command that started this may still be writing the refund down.
        await self.shielded(handlers_finished())
        last = await self.live(await self.look_again())
        return RefundEnd(
            succeeded=last is not None and last.status is MoneyStatus.SUCCEEDED
        )

    async def look(self) -> RefundState | None:
        return await self._database(RefundSteps.look_at_refund, self._ref)

    def next_step(self, state: RefundState) -> RefundStep | Wait | End:
        return next_refund_step(state, workflow.now())

    async def take(self, step: RefundStep, state: RefundState) -> RefundState | None:
        match step:
            case AskProvider():
                asked = await workflow.execute_activity_method(
                    RefundPaymentSteps.refund, self._ref, **options.PAYMENT
                )
                if asked.to_settle and not asked.on_hold:
                    return await self.rest(workflow.now() + ASK_AGAIN_AFTER, asked)
                return asked
            case Remind(hold_id):
                await self._database(OrderSteps.remind, self._hold(hold_id))
            case ExpireHold(hold_id):
                await self._database(OrderSteps.expire_hold, self._hold(hold_id))
        return await self.look_again()

    def _hold(self, hold_id: str) -> HoldRef:
        return HoldRef(order_id=self._ref.order_id, hold_id=hold_id)

    async def _database(self, step: Callable[[Any, C], Awaitable[T]], argument: C) -> T:
        return await workflow.execute_local_activity_method(
            step, argument, **options.DATABASE
        )

    # ── commands ────────────────────────────────────────────────────────────────

    @workflow.update
    async def request(self, command: RequestRefund) -> RefundState:
        return await self._database(RefundSteps.request_refund, command)

    @workflow.update
    async def release_hold(self, command: ReleaseHold) -> None:
        await self._database(OrderSteps.release_hold, command)
        self.nudge()
