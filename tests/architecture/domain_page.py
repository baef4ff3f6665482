"""The tables of docs/domain.md that the code has: holds and clocks.

`python -m tests.architecture.domain_page` writes them anew.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from shared.contracts.holds import HoldRule
from shared.contracts.orders.holds import HOLDS
from worker.orders.hold.policy import APPROVAL_BEFORE_CAPTURE
from worker.orders.order.lost_starts import LOOK_EVERY_SECONDS
from worker.orders.payment.policy import RENEW_BEFORE
from worker.orders.return_.policy import (
    RETURN_DUE,
    RETURN_REMINDED_EVERY,
    RETURN_WINDOW,
)
from worker.orders.shipment.policy import PARCEL_LOST_AFTER, SCAN_DUE
from worker.orders.upkeep.retention import KEYS_LIVE, WEBHOOKS_LIVE
from worker.orders.upkeep.workflow import RECONCILE_EVERY, RETENTION_AT, SWEEP_EVERY
from worker.settings import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs/domain.md"


def with_tables(page: str) -> str:
    page = _with_table(page, "Holds", [_hold(r, rule) for r, rule in HOLDS.items()])
    return _with_table(page, "Clocks", _clocks())


def _with_table(page: str, section: str, rows: Iterable[str]) -> str:
    """The page with these rows in the first table of a section, under its head."""
    table = re.compile(rf"(\n## {section}\n[\s\S]*?\n\|[-|]+\|\n)(?:\|.*\n)+")
    body = "".join(f"{row}\n" for row in rows)
    return table.sub(lambda found: found[1] + body, page, count=1)


def _hold(reason: str, rule: HoldRule) -> str:
    decisions = ", ".join(f"`{decision}`" for decision in rule.decisions)
    due = ", ".join(filter(None, (said(rule.due) if rule.due else "", rule.also)))
    silence = f"`{rule.silence}`" if rule.silence else "escalated"
    return (
        f"| `{reason}` | {rule.opened_when} | {decisions} | `{rule.decider}` | {due} |"
        f" {silence} |"
    )


def _clocks() -> Iterable[str]:
    held = WorkerSettings.model_fields["stock_held_minutes"].default
    yield (
        "| stock that no authorisation covers goes back; whoever is to confirm or"
        " repeat a payment has been told so by mail. Paid later, the order takes what"
        " there is, and waits for the rest |"
        f" `STOCK_HELD_MINUTES` ({held}) after it was reserved |"
    )
    reminder = RETURN_REMINDED_EVERY.days
    yield f"| an authorisation is renewed | {said(RENEW_BEFORE)} before it ends |"
    yield (
        "| an approval is due at the latest |"
        f" {said(APPROVAL_BEFORE_CAPTURE)} before the authorisation ends |"
    )
    yield (
        "| goods may be sent back |"
        f" until {said(RETURN_WINDOW)} after their parcel was delivered |"
    )
    yield (
        "| the goods of an approved return are awaited |"
        f" {said(RETURN_DUE)}, with a reminder every {reminder} |"
    )
    yield (
        "| a parcel without a scan opens a hold, where its carrier tracks parcels |"
        f" after {said(SCAN_DUE)} |"
    )
    yield f"| it counts as lost | after {said(PARCEL_LOST_AFTER)} |"
    yield (
        "| an order is started whose start was lost |"
        f" looked for every {LOOK_EVERY_SECONDS:.0f} s; older ones by the sweep |"
    )
    yield (
        "| the sweep: starts, wakes and audits what was missed |"
        f" every {said(SWEEP_EVERY)} |"
    )
    yield (
        "| reconciliation: our ledger against the provider's books |"
        f" every {said(RECONCILE_EVERY)} |"
    )
    yield (
        f"| retention: forgets keys after {said(KEYS_LIVE)}, webhooks and messages"
        f" after {said(WEBHOOKS_LIVE)}, contacts after `CONTACTS_LIVE_DAYS` |"
        f" every night at {RETENTION_AT} UTC |"
    )


def said(time: timedelta) -> str:
    """As people say it: `15 minutes`, `72 h`, `7 days`."""
    minutes = int(time.total_seconds() // 60)
    if minutes % 60:
        return f"{minutes} minutes"
    return f"{minutes // 60} h" if minutes <= 72 * 60 else f"{time.days} days"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
