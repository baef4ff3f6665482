"""Idempotency keys, as Stripe documents them.

The same key and parameters replay the first result, a 500 included; other parameters
are refused; a key whose request is still running is in use. A key belongs to an account
and is forgotten after a day, after which it makes a new request.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from simulators.clock import Clock
from simulators.database import Database
from simulators.payments.answers import Answer, StripeError

SCHEMA = """
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    path TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created REAL NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, key)
)
"""

REMEMBERED_SECONDS = 24 * 3600
LONGEST_KEY = 255


@dataclass(frozen=True)
class KeyedRequest:
    """fingerprint: the parameters, equal for equal requests."""

    account: str
    key: str
    path: str
    fingerprint: str
    request_id: str


@dataclass(frozen=True)
class Replay:
    """A stored result, and the request that it was first the answer to."""

    answer: Answer
    original_request: str


class IdempotencyKeys:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._in_use: set[tuple[str, str]] = set()
        database.define(SCHEMA)

    @contextmanager
    def in_use(self, request: KeyedRequest) -> Iterator[None]:
        """Hold the key until the answer is out. Raises StripeError if it is held."""
        held = (request.account, request.key)
        if held in self._in_use:
            raise StripeError(
                409,
                kept=False,
                type="invalid_request_error",
                code="idempotency_key_in_use",
                message="Another request with this idempotency key is in progress"
                f" ({request.key}). Try again later.",
            )
        self._in_use.add(held)
        try:
            yield
        finally:
            self._in_use.discard(held)

    def replay(self, request: KeyedRequest) -> Replay | None:
        """The stored result. Raises StripeError if it is of another request."""
        row = self._database.row(
            "SELECT * FROM idempotency WHERE account = ? AND key = ? AND created > ?",
            *(request.account, request.key, self._clock.now() - REMEMBERED_SECONDS),
        )
        if row is None:
            return None
        if row["path"] != request.path:
            raise _misused(
                request, f"the endpoint it was first used for, {row['path']}"
            )
        if row["fingerprint"] != request.fingerprint:
            raise _misused(request, "the parameters it was first used with")
        return Replay(Answer(row["status"], json.loads(row["body"])), row["request_id"])

    def store(self, request: KeyedRequest, answer: Answer) -> None:
        """Keep the result; in the transaction of its effect."""
        self._database.run(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(request.account, request.key, request.path, request.fingerprint),
            *(request.request_id, self._clock.now()),
            *(answer.status, json.dumps(answer.body)),
        )


def checked_key(key: str) -> str:
    if not 1 <= len(key) <= LONGEST_KEY:
        raise StripeError(
            400,
            kept=False,
            type="idempotency_error",
            message=f"Idempotency keys have from 1 to {LONGEST_KEY} characters.",
        )
    return key


def _misused(request: KeyedRequest, proper: str) -> StripeError:
    return StripeError(
        400,
        kept=False,
        type="idempotency_error",
        message=f"Keys for idempotent requests can only be used with {proper}. Use"
        f" another key than '{request.key}' for a different request.",
    )
