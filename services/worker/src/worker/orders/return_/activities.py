"""The steps of one return, each one transaction under its business key."""

from functools import partial

from shared.contracts.orders.activities import ReturnSteps
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.payloads import (
    Command,
    DecideReturn,
    ReceiveReturn,
    ReleaseHold,
    RequestReturn,
    ReturnRef,
    ReturnState,
)
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.hold import changes as holds
from worker.orders.hold.screening import ReturnLimits
from worker.orders.return_ import changes as returns
from worker.orders.return_ import receive
from worker.orders.return_.state import return_state
from worker.orders.store import Apply, OrderStore


class ReturnActivities(ReturnSteps):
    def __init__(self, store: OrderStore, limits: ReturnLimits) -> None:
        self._store = store
        self._limits = limits

    async def look_at_return(self, ref: ReturnRef) -> ReturnState | None:
        order = await self._store.read(ref.order_id)
        known = any(return_.id == ref.return_id for return_ in order.returns)
        return return_state(order, ref.return_id) if known else None

    async def request_return(self, command: RequestReturn) -> ReturnState:
        apply = partial(returns.request, command=command, limits=self._limits)
        return await self._command(command, command.return_id, apply)

    async def decide_return(self, command: DecideReturn) -> ReturnState:
        apply = partial(_decide, command=command)
        return await self._command(command, command.return_id, apply)

    async def receive_return(self, command: ReceiveReturn) -> ReturnState:
        apply = partial(receive.receive, command=command)
        return await self._command(command, command.return_id, apply)

    async def remind_of_return(self, ref: ReturnRef) -> ReturnState:
        return await self._step(ref, partial(returns.remind, return_id=ref.return_id))

    async def expire_return(self, ref: ReturnRef) -> ReturnState:
        return await self._step(ref, partial(returns.expire, return_id=ref.return_id))

    async def close_return(self, ref: ReturnRef) -> ReturnState:
        return await self._step(ref, partial(returns.close, return_id=ref.return_id))

    async def _command(
        self, command: Command, return_id: str, apply: Apply
    ) -> ReturnState:
        await self._store.change(
            command.order_id, apply, Done, key=command.key, actor=command.actor
        )
        return return_state(await self._store.read(command.order_id), return_id)

    async def _step(self, ref: ReturnRef, apply: Apply) -> ReturnState:
        await self._store.change(ref.order_id, apply, Done)
        return return_state(await self._store.read(ref.order_id), ref.return_id)


async def _decide(
    change: UnitOfWork, order: OrderSnapshot, *, command: DecideReturn
) -> Done:
    """The same as releasing the return's hold. Raises `Refusal` wrong-state."""
    hold = order.hold(HoldReason.APPROVAL, command.return_id)
    if hold is None:
        raise returns.wrong_state(order.return_(command.return_id))
    release = ReleaseHold(
        order_id=command.order_id,
        key=command.key,
        actor=command.actor,
        hold_id=hold.id,
        decision=Decision.APPROVE if command.approved else Decision.REJECT,
    )
    return await holds.release(change, order, command=release)
