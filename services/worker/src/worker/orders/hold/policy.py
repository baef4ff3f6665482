"""The deadlines of holds, and the step that follows when nobody decides."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.base import HoldId
from shared.contracts.orders.holds import HoldReason, due_of
from shared.contracts.orders.payloads import OpenHold

from worker.runtime.level_triggered import Wait

APPROVAL_BEFORE_CAPTURE = timedelta(hours=24)
"""An approval has to come this long before the authorisation ends."""


@dataclass(frozen=True)
class Remind:
    hold: HoldId


@dataclass(frozen=True)
class ExpireHold:
    hold: HoldId


def approval_due(now: datetime, capture_before: datetime | None) -> datetime:
    """The earlier of 72 h and 24 h before the authorisation ends."""
    due = now + due_of(HoldReason.APPROVAL)
    if capture_before is None:
        return due
    return min(due, capture_before - APPROVAL_BEFORE_CAPTURE)


def overdue_hold(
    holds: Collection[OpenHold], now: datetime
) -> Remind | ExpireHold | None:
    for hold in holds:
        if hold.due_at is not None and hold.due_at <= now and not hold.escalated:
            return ExpireHold(hold.hold_id)
        if hold.remind_at is not None and hold.remind_at <= now and not hold.reminded:
            return Remind(hold.hold_id)
    return None


def wait_for_people(holds: Collection[OpenHold], *others: datetime | None) -> Wait:
    moments = list(others)
    for hold in holds:
        moments.append(None if hold.reminded else hold.remind_at)
        moments.append(None if hold.escalated else hold.due_at)
    return Wait(min((moment for moment in moments if moment), default=None))
