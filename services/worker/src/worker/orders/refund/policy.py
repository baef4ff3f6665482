"""The next step of a refund."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.base import RefundId
from shared.contracts.orders.models import RefundState

from worker.orders.hold.policy import ExpireHold, Remind, overdue_hold, wait_for_people
from worker.runtime.level_triggered import End, Wait


@dataclass(frozen=True)
class AskProvider:
    """Have the money paid back, or hear how far it is."""


@dataclass(frozen=True)
class StartRefunds:
    refunds: tuple[RefundId, ...]


RefundStep = AskProvider | Remind | ExpireHold | Wait | End


def next_refund_step(facts: RefundState, now: datetime) -> RefundStep:
    overdue = overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    if facts.on_hold:
        return wait_for_people(facts.holds)
    return AskProvider() if facts.to_settle else End()
