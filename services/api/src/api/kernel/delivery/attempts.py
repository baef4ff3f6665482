"""The retry policy of deliveries."""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)
"""5 s, 15 s, 45 s, 2 min, 7 min, 20 min, 1 h, 3 h, then every 6 h: 19 attempts."""
DOWN_AFTER = 5
"""After so many failures in a row, of any events, the endpoint counts as down: one
attempt at a time finds out when it is back."""


def pause(failures: int) -> timedelta:
    """The pause after so many failures, with 10 % jitter."""
    usual: timedelta = min(FIRST_PAUSE * 3 ** min(failures - 1, 12), LONGEST_PAUSE)
    return usual * random.uniform(0.9, 1.1)  # noqa: S311 - no secret


@dataclass(frozen=True)
class Health:
    """The health of an endpoint."""

    failures: int = 0
    """In a row."""
    failing_since: datetime | None = None
    rests_until: datetime | None = None

    @property
    def is_down(self) -> bool:
        return self.failures >= DOWN_AFTER

    def rests(self, now: datetime) -> bool:
        return self.rests_until is not None and now < self.rests_until

    def after_failure(self, now: datetime) -> "Health":
        failures = self.failures + 1
        down = failures >= DOWN_AFTER
        return replace(
            self,
            failures=failures,
            failing_since=self.failing_since or now,
            rests_until=now + pause(failures - DOWN_AFTER + 1) if down else None,
        )


HEALTHY = Health()
