"""Misbehaviour on demand: what a peer may do to us on a bad day.

A fault is switched on by `POST /_sim/faults` and stays on, over restarts too, until it
has struck `count` times or is deleted.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from simulators.connections import hang_up
from simulators.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    remaining INTEGER,
    body TEXT NOT NULL
)
"""


class Kind(StrEnum):
    # The request is not carried out.
    DOWN = "down"  # the connection closes without an answer
    ERROR = "error"  # 500; nothing is stored under the idempotency key
    RATE_LIMIT = "rate_limit"  # 429
    REFUSE = "refuse"  # `status` and `code`, whatever they are
    # The request is carried out.
    SLOW = "slow"  # the answer comes `delay_ms` late, its key is in use until then
    DROP_ANSWER = "drop_answer"  # the connection closes instead of the answer
    # Payments only: 500 is stored under the key, without or with the effect.
    STORED_ERROR = "stored_error"
    STORED_ERROR_AFTER_EFFECT = "stored_error_after_effect"
    # Webhooks; `path` is matched against the type of the event.
    WEBHOOK_THRICE = "webhook_thrice"
    WEBHOOK_REVERSED = "webhook_reversed"  # within windows of `delay_ms`
    WEBHOOK_LATE = "webhook_late"  # by `delay_ms`
    WEBHOOK_OFF = "webhook_off"  # lost for good


REFUSING = {Kind.DOWN, Kind.ERROR, Kind.RATE_LIMIT, Kind.REFUSE}
STATUSES = {Kind.ERROR: 500, Kind.RATE_LIMIT: 429}
ANSWERING = {Kind.SLOW, Kind.DROP_ANSWER}
STORING = {Kind.STORED_ERROR, Kind.STORED_ERROR_AFTER_EFFECT}
WEBHOOK = {kind for kind in Kind if kind.startswith("webhook_")}


class Fault(BaseModel):
    """A fault to switch on.

    path: regular expression searched in `METHOD /path` (webhooks: in the event's type).
    count: how often it strikes; None is until deleted.
    probability: of striking where it could; `seed` makes the draws repeatable.
    delay_ms: milliseconds, for the kinds that wait.
    status, code: what `refuse` answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    path: re.Pattern[str] = re.compile("")
    count: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = None
    delay_ms: int = Field(default=1000, ge=1)
    status: int = Field(default=400, ge=300, le=599)
    code: str | None = None

    @property
    def delay_seconds(self) -> float:
        return self.delay_ms / 1000


class SwitchedFault(Fault):
    id: int
    remaining: int | None


class Faults:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._dice: dict[int, random.Random] = {}
        database.define(SCHEMA)

    def add(self, fault: Fault) -> SwitchedFault:
        number = self._database.insert(
            "INSERT INTO faults (remaining, body) VALUES (?, ?)",
            *(fault.count, fault.model_dump_json()),
        )
        # After a reset the numbers begin anew, and so must the draws.
        self._dice.pop(number, None)
        return SwitchedFault(**fault.model_dump(), id=number, remaining=fault.count)

    def active(self) -> list[SwitchedFault]:
        rows = self._database.rows("SELECT * FROM faults ORDER BY id")
        return [
            SwitchedFault(
                **Fault.model_validate_json(row["body"]).model_dump(),
                id=row["id"],
                remaining=row["remaining"],
            )
            for row in rows
        ]

    def clear(self) -> None:
        self._database.run("DELETE FROM faults")

    def strike(self, subject: str, kinds: set[Kind]) -> list[SwitchedFault]:
        """The faults of these kinds that hit this subject; each uses up one count."""
        return [
            fault
            for fault in self.active()
            if fault.kind in kinds and fault.path.search(subject) and self._draw(fault)
        ]

    def _draw(self, fault: SwitchedFault) -> bool:
        dice = self._dice.setdefault(fault.id, random.Random(fault.seed))  # noqa: S311
        if dice.random() >= fault.probability:
            return False
        if fault.remaining is not None:
            self._use_up(fault)
        return True

    def _use_up(self, fault: SwitchedFault) -> None:
        self._database.run(
            "UPDATE faults SET remaining = remaining - 1 WHERE id = ?", fault.id
        )
        self._database.run(
            "DELETE FROM faults WHERE id = ? AND remaining = 0", fault.id
        )


async def answer_under_faults(
    faults: Faults,
    request: Request,
    answer: Callable[[], Awaitable[Response]],
    refuse: Callable[[int, str | None], Response],
) -> Response:
    """The answer to the request, or what the faults that are on make of it."""
    subject = f"{request.method} {request.url.path}"
    for fault in faults.strike(subject, REFUSING):
        if fault.kind is Kind.DOWN:
            return await hang_up(request)
        return refuse(STATUSES.get(fault.kind, fault.status), fault.code)
    response = await answer()
    for fault in faults.strike(subject, ANSWERING):
        if fault.kind is Kind.DROP_ANSWER:
            return await hang_up(request)
        await asyncio.sleep(fault.delay_seconds)
    return response
