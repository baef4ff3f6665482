"""Waking a workflow at a moment."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow


class Alarm:
    """Calls `ring` at the moment it is set to.

    A condition's own time-out would be a new timer for every wait, and one more event
    to cancel it. This one lasts until the moment changes, and ends with the workflow.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at: datetime | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: datetime | None) -> None:
        if at == self._at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at, self._timer = at, None
        if at is not None:
            seconds = max(0.0, (at - workflow.now()).total_seconds())
            self._timer = asyncio.get_running_loop().call_later(seconds, self._rang)

    def _rang(self) -> None:
        self._at = self._timer = None
        self._ring()
