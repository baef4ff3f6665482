"""`/v1/me`: who a token is, and what it may do here."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from shared.platform.links import Link

from api.http.auth import Principal, allowed
from api.http.openapi import problems
from api.http.schemas import View

router = APIRouter(prefix="/v1/me", tags=["me"])


class LinkView(View):
    """The link in a mail that the caller followed: it is for one `subject`, and
    `language` is that of the mail."""

    subject: str
    language: str
    until: datetime


class Me(View):
    """`scopes` contains the implied ones, too. Clients that show only what their user
    may do read it here instead of repeating the rules. `link`: the caller has no token,
    and followed a link in a mail."""

    subject: str
    scopes: list[str]
    link: LinkView | None = None


@router.get("", responses=problems())
async def get_me(caller: Annotated[Principal, allowed()]) -> Me:
    """Show the caller and their scopes."""
    return Me(
        subject=caller.subject,
        scopes=sorted(caller.scopes),
        link=None if caller.link is None else _show(caller.link),
    )


def _show(link: Link) -> LinkView:
    return LinkView(
        subject=link.subject,
        language=link.language,
        until=datetime.fromtimestamp(link.until, UTC),
    )
