"""`/v1/me`: who a token is, and what it may do here."""

from typing import Annotated

from fastapi import APIRouter

from api.http.auth import Principal, allowed
from api.http.openapi import problems
from api.http.schemas import View

router = APIRouter(prefix="/v1/me", tags=["me"])


class Me(View):
    """`scopes` contains the implied ones, too. Clients that show only what their user
    may do read it here instead of repeating the rules."""

    subject: str
    scopes: list[str]


@router.get("", responses=problems())
async def get_me(caller: Annotated[Principal, allowed()]) -> Me:
    """Show who calls, and with which scopes."""
    return Me(subject=caller.subject, scopes=sorted(caller.scopes))
