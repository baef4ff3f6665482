"""Turns a stored hold into what callers see."""

from typing import Any

from shared.contracts.holds import HoldRule

from api.kernel.hold import schemas as shown
from api.kernel.hold.schemas import StoredHold
from api.kernel.process import Silence


def show_hold(
    hold: StoredHold, rule: HoldRule, silence: Silence | None = None
) -> shown.Hold:
    return shown.Hold(**_shown(hold, rule, silence))


def show_hold_to_decide(
    hold: StoredHold, rule: HoldRule, silence: Silence | None, barred: set[str]
) -> shown.HoldToDecide:
    return shown.HoldToDecide(**_shown(hold, rule, silence), barred=sorted(barred))


def _shown(hold: StoredHold, rule: HoldRule, silence: Silence | None) -> dict[str, Any]:
    meant = silence(hold.reason, hold.subject) if silence else rule.silence
    return {
        **hold.model_dump(),
        "order_id": hold.root,
        "decisions": list(rule.decisions) if hold.released_at is None else [],
        "decider": rule.decider,
        "silence": meant if hold.released_at is None else None,
    }
