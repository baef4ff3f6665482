"""Mails to customers over HTTP."""

from datetime import datetime
from typing import Literal

from api.http.schemas import View


class Message(View):
    """A mail about the order's event `seq`. `skipped`: there was no addressee, or the
    news was out of date. `failed`: refused for good, or too late; `error` says why. An
    `open` mail is retried at `next_at`, after the ones before it."""

    seq: int
    type: str
    status: Literal["open", "sent", "skipped", "failed"]
    created_at: datetime
    attempts: int
    next_at: datetime | None
    sent_at: datetime | None
    error: str | None
    resends: int
    resent_at: datetime | None
