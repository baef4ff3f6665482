"""Makes up an event, to try a receiver with.

Only on a machine of one's own: other systems trust a real feed.
"""

from typing import Annotated

from fastapi import APIRouter
from shared.contracts.errors import NotFound
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import CHANNEL
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.schemas import Request, View
from api.kernel.feed.schemas import EventPattern
from api.kernel.webhook_endpoint.checks import check_types

router = APIRouter(prefix="/v1/events", include_in_schema=False)


class Trigger(Request):
    type: EventPattern


class Triggered(View):
    type: str
    subject: str


@router.post("", status_code=201)
async def trigger_event(
    caller: Annotated[Principal, allowed("admin")], wanted: Trigger, deps: Deps
) -> Triggered:
    """Its subject is made up; its data is that of the last real one of the type."""
    if deps.settings.api_auth != "disabled-loopback-only" or "*" in wanted.type:
        raise NotFound("such a type of event on a machine of one's own")
    check_types([wanted.type], deps.event_types)
    subject = new_id("dev")
    values = {"subject": subject, "type": wanted.type, "actor": caller.subject}
    async with deps.engine.begin() as connection:
        await connection.execute(_HAPPEN, values)
        await connection.execute(_WAKE, {"channel": CHANNEL, "subject": subject})
    return Triggered(type=wanted.type, subject=subject)


_HAPPEN = text(
    """
    INSERT INTO events (subject, seq, type, actor, data)
    SELECT :subject, 1, :type, :actor, coalesce(
      (SELECT data FROM events WHERE type = :type ORDER BY id DESC LIMIT 1), '{}')
    """
)
_WAKE = text("SELECT pg_notify(:channel, :subject)")
