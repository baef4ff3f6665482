"""The next step of a refund."""

from datetime import datetime

from shared.contracts.orders.models import RefundFacts

from worker.orders.policy.holds import overdue_hold, wait_for_people
from worker.orders.policy.steps import AskProvider, End, RefundStep


def next_refund_step(facts: RefundFacts, now: datetime) -> RefundStep:
    overdue = overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    if facts.holds:
        return wait_for_people(facts.holds)
    return AskProvider() if facts.to_settle else End()
