"""The rules of holds, which each business process declares for its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from shared.contracts.errors import Refusal


@dataclass(frozen=True)
class HoldRule:
    """The rules for holds of one reason; `docs/domain.md` shows these rows."""

    opened_when: str
    decisions: tuple[str, ...]
    decider: str
    """The scope that a caller needs to decide."""
    due: timedelta | None = None
    """How long a person has to decide. `None`: whoever opens the hold sets the
    deadline, or there is none."""
    silence: str | None = None
    """The decision taken at the due time; `None` escalates instead."""
    customer_may: bool = False
    """Whether the customer can end it, and is therefore notified."""
    also: str = ""
    """A remark for docs/domain.md, beside `due` and `silence`."""


def decision_not_allowed(reason: str, allowed: Iterable[str], detail: str) -> Refusal:
    """The one shape of this refusal, in the API and in the worker."""
    return Refusal("decision-not-allowed", detail, reason=reason, decisions=[*allowed])
