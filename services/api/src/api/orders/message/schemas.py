"""What customers were told, and whether it reached them."""

from datetime import datetime
from typing import Literal

from api.http.schemas import View


class Message(View):
    """About the event `seq` of the order. `skipped`: nobody was there to tell, or it
    was no news any more. `failed`: it was refused for good, or too late; `error` says
    why. An `open` one is tried again at `next_at`, after those before it."""

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
