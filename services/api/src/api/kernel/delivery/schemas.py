"""Deliveries over HTTP."""

from datetime import datetime
from typing import Literal

from api.http.paging import ListQuery
from api.http.schemas import View, Word
from api.kernel.feed.schemas import EventPattern

DeliveryStatus = Literal["pending", "succeeded", "failed"]


class DeliveryQuery(ListQuery):
    status: DeliveryStatus | None = None
    type: EventPattern | None = None
    subject: Word | None = None


class Delivery(View):
    """One event for one endpoint, with the last attempt. `id` is the event's id, which
    the receiver sees as `webhook-id`. `pending`: retried at `next_attempt_at`, or
    waiting for an earlier event of its subject. `failed`: given up after three days.
    `error` says why there was no answer; `response_head` is the beginning of the
    answer's body."""

    id: str
    type: str
    subject: str
    status: DeliveryStatus
    attempts: int
    first_attempt_at: datetime | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    response_status: int | None
    response_head: str | None
    latency_ms: int | None
    error: str | None
