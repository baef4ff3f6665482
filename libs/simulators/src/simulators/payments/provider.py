"""Everything an operation of the provider works with, and the events it leaves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from simulators.agenda import Agenda
from simulators.clock import Clock
from simulators.payments.answers import Json
from simulators.payments.objects import Objects, new_id, public
from simulators.webhooks import Webhooks

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True)
class Terms:
    """What can be chosen at the start.

    expiring_seconds: life of an authorisation on `pm_card_expiring`.
    refund_seconds: until a refund that settles later does.
    """

    expiring_seconds: float
    refund_seconds: float


@dataclass(frozen=True)
class Cause:
    """The request being run; empty where time alone brings something about.

    base_url: how its sender reaches the simulator, with a slash at the end.
    """

    request_id: str | None = None
    idempotency_key: str | None = None
    base_url: str = ""


@dataclass
class Provider:
    objects: Objects
    agenda: Agenda
    clock: Clock
    webhooks: Webhooks
    terms: Terms
    cause: Cause = Cause()

    def now(self) -> int:
        return int(self.clock.now())

    @contextmanager
    def running(self, cause: Cause) -> Iterator[None]:
        """Events of this block come from this request. The block must not await."""
        self.cause = cause
        try:
            yield
        finally:
            self.cause = Cause()

    def emit(self, topic: str, document: Json) -> None:
        """Record an event with the object as it is now, and send it."""
        event: Json = {
            "id": new_id("event"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": {"object": public(document)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {
                "id": self.cause.request_id,
                "idempotency_key": self.cause.idempotency_key,
            },
            "type": topic,
        }
        self.objects.add(event)
        lane = document.get("payment_intent") or document["id"]
        self.webhooks.send(event["id"], topic, lane, json.dumps(event))
