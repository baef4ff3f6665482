"""How much is tried: always the same few examples, or by `poe fuzz` many new ones."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, seed, settings

T = TypeVar("T", bound=Callable[..., object])

SEED = 2026
LONG_FORM = 10
"""How many times as many examples the long form tries."""


def is_long() -> bool:
    return settings.get_current_profile_name() == "fuzz"


def explored(few: int) -> Callable[[T], T]:
    """Decorates a test that Hypothesis gives its arguments. The short form's seed is
    `SEED`; the long form's is `--hypothesis-seed`, which `poe fuzz` prints."""

    def decorate(test: T) -> T:
        limited: T = amount(few)(test)
        if is_long():
            return limited
        seeded: T = seed(SEED)(limited)
        return seeded

    return decorate


def amount(few: int, steps: int = 1) -> settings:
    """`few` examples, or many, each of at most `steps` steps."""
    return settings(
        max_examples=few * LONG_FORM if is_long() else few,
        stateful_step_count=steps,
        derandomize=not is_long(),
        deadline=None,
        database=None,
        # A failure is reported as it was found: requests have effects, so a smaller one
        # that is tried later meets another world.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
