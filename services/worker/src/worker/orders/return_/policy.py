"""The next step of a return, and its times."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.base import RefundId
from shared.contracts.orders.payloads import ReturnState
from shared.contracts.orders.states import ReturnStatus

from worker.orders.hold.policy import ExpireHold, Remind, overdue_hold, wait_for_people
from worker.runtime.level_triggered import End, Wait

RETURN_WINDOW = timedelta(days=30)
"""How long after its delivery a parcel's goods may be sent back."""
RETURN_DUE = timedelta(days=21)
"""How long the goods of an approved return are awaited."""
RETURN_REMINDED_EVERY = timedelta(days=7)


@dataclass(frozen=True)
class ArrangeReturn:
    """Buy the label for the way back; from then on the goods are awaited."""


@dataclass(frozen=True)
class RemindOfReturn:
    pass


@dataclass(frozen=True)
class ExpireReturn:
    """The goods did not come in time."""


@dataclass(frozen=True)
class StartRefund:
    refund: RefundId


@dataclass(frozen=True)
class CloseReturn:
    """The goods are here, and what they are worth is paid back."""


ReturnStep = (
    ArrangeReturn
    | RemindOfReturn
    | ExpireReturn
    | StartRefund
    | CloseReturn
    | Remind
    | ExpireHold
)


def next_return_step(
    facts: ReturnState, refunding: bool, now: datetime
) -> ReturnStep | Wait | End:
    """What a return needs next. `refunding`: its refund is under way."""
    overdue = overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    match facts.status:
        case ReturnStatus.REQUESTED:
            return wait_for_people(facts.holds)
        case ReturnStatus.APPROVED:
            return _await_goods(facts, now)
        case ReturnStatus.RECEIVED if refunding:
            return Wait()
        case ReturnStatus.RECEIVED:
            return StartRefund(facts.refund) if facts.refund else CloseReturn()
    return End()


def _await_goods(facts: ReturnState, now: datetime) -> ReturnStep | Wait | End:
    if facts.due_at is None:
        return ArrangeReturn()
    if facts.due_at <= now:
        return ExpireReturn()
    if facts.remind_at is not None and facts.remind_at <= now:
        return RemindOfReturn()
    return wait_for_people(facts.holds, facts.remind_at, facts.due_at)
