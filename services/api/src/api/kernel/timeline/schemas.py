"""A subject's timeline over HTTP."""

from datetime import datetime
from typing import Any

from api.http.schemas import View


class Event(View):
    """One event. `seq` counts the events of an order from 1, without a gap."""

    seq: int
    type: str
    at: datetime
    actor: str
    data: dict[str, Any]
