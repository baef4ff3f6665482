"""An event as other systems see it: thin, and without personal data."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.http.forms import written_as
from api.http.schemas import View

EVENT_TYPE = r"^(\*|[a-z_]+\.(\*|[a-z_]+))$"
"""`order.placed`, `order.*` or `*`."""
LATEST = "latest"
EventPattern = Annotated[
    str,
    written_as(EVENT_TYPE, "the type of an event, order.* or *", max_length=100),
]


class FeedEvent(View):
    """One event. `id` is its permanent position in the feed, which `after` and
    `Last-Event-ID` take. `seq` counts the events of its subject from 1 without a gap.
    `href` leads to the subject; `null` where the API has no address for it."""

    id: str
    type: str
    subject: str
    seq: int
    at: datetime
    data: dict[str, Any]
    href: str | None = None


class FeedQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[str, Field(max_length=50)] = "0-0"
    """The `id` of the last event that was read, or `latest`: only events from here
    on."""
    cursor: Annotated[str, Field(max_length=50)] | None = None
    """The same as `after`, by the name that every list has for it."""
    types: Annotated[list[EventPattern], Field(max_length=50)] = []
    """`order.placed`, `refund.*`; repeat it for several. Left out: all."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
