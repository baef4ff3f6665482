"""The next step of a refund."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.orders.payloads import RefundState

from worker.orders.hold.policy import ExpireHold, Remind, overdue_hold, wait_for_people
from worker.runtime.level_triggered import End, Wait

ASK_AGAIN_AFTER = timedelta(hours=1)
"""When to ask again how a slow refund ended, in case the provider's webhook was
lost."""


@dataclass(frozen=True)
class AskProvider:
    """Have the money paid back, or hear how far it is."""


RefundStep = AskProvider | Remind | ExpireHold


def next_refund_step(facts: RefundState, now: datetime) -> RefundStep | Wait | End:
    overdue = overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    if facts.on_hold:
        return wait_for_people(facts.holds)
    return AskProvider() if facts.to_settle else End()
