"""The effects of decisions beyond closing the hold.

Holds know no subjects: each subject registers its own effects with `decides`, where
they are defined. `registration` imports them all and calls `check_silences`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from shared.contracts.orders.holds import (
    HOLDS,
    Decision,
    HoldReason,
    SubjectKind,
    kind_of,
)
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import Hold, OrderSnapshot

Effect = Callable[[UnitOfWork, OrderSnapshot, Hold], Awaitable[None]]
LinesEffect = Callable[
    [UnitOfWork, OrderSnapshot, Hold, Mapping[int, int]], Awaitable[None]
]
E = TypeVar("E", bound=Effect)
L = TypeVar("L", bound=LinesEffect)

_effects: dict[tuple[HoldReason, Decision, bool], Effect] = {}
_lines_effects: dict[tuple[HoldReason, Decision], LinesEffect] = {}


def decides(
    reason: HoldReason, *decisions: Decision, of_return: bool = False
) -> Callable[[E], E]:
    def register(effect: E) -> E:
        for decision in decisions:
            _effects[reason, decision, of_return] = effect
        return effect

    return register


def decides_lines(reason: HoldReason, decision: Decision) -> Callable[[L], L]:
    """Like `decides`, for a decision about some units only, by line."""

    def register(effect: L) -> L:
        _lines_effects[reason, decision] = effect
        return effect

    return register


def effect_of(hold: Hold, decision: Decision) -> Effect | None:
    return _effects.get(
        (hold.reason, decision, kind_of(hold.subject) is SubjectKind.RETURN)
    )


def lines_effect_of(hold: Hold, decision: Decision) -> LinesEffect | None:
    return _lines_effects.get((hold.reason, decision))


def check_silences() -> None:
    """Check at the start that every default decision has an effect. Raises
    `LookupError`: its hold would be retried for as long as the order lives."""
    for reason, rule in HOLDS.items():
        if rule.silence is not None:
            _effects[reason, Decision(rule.silence), False]
