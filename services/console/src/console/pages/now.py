"""Now: what needs a person, the most urgent first."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from console.api import Json
from console.pages.forms import Key
from console.person import Person, SignedIn
from console.templating import flash, page

router = APIRouter()

SHOWN = 200
AT_FIRST = 40
"""Rows of the queue at first; after deciding these, people find the next ones here."""
MINE, NOBODY = "me", "nobody"
DECIDERS = ("orders:operate", "approvals", "refunds:any")


@router.get("/")
async def now(
    request: Request,
    person: SignedIn,
    reason: str = "",
    who: str = "",
    overdue: str = "",
    rows: Annotated[int, Query(ge=1, le=SHOWN)] = AT_FIRST,
) -> Response:
    """Filters are in the address: it can be kept, and sent to a colleague."""
    if not person.may(*DECIDERS):
        return RedirectResponse("/bench" if person.may("fulfil") else "/orders", 303)
    holds = await person.api.rows("/v1/holds", limit=SHOWN)
    shown = [
        hold
        for hold in holds
        if (not reason or hold["reason"] == reason)
        and _is_theirs(hold, who, person)
        and (not overdue or hold["escalated_at"])
    ]
    return page(
        request,
        "now.html",
        holds=shown[:rows],
        orders=await orders_of(person, shown[:rows]),
        further=len(shown[rows:]),
        total=len(holds),
        is_more=len(holds) == SHOWN,
        reasons=Counter(hold["reason"] for hold in holds).most_common(),
        mine=sum(hold["assignee"] == person.name for hold in holds),
        nobodys=sum(hold["assignee"] is None for hold in holds),
        late=sum(hold["escalated_at"] is not None for hold in holds),
        filters={"reason": reason, "who": who, "overdue": overdue},
    )


def _is_theirs(hold: Json, who: str, person: Person) -> bool:
    if who == MINE:
        return bool(hold["assignee"] == person.name)
    return who != NOBODY or hold["assignee"] is None


async def orders_of(person: Person, holds: list[Json]) -> Mapping[str, Json]:
    """The orders that holds are about, by id, in one request."""
    ids = list(dict.fromkeys(hold["order_id"] for hold in holds))
    if not ids:
        return {}
    rows = await person.api.rows("/v1/orders", id=ids, limit=len(ids))
    return {order["id"]: order for order in rows}


@router.post("/holds/{hold_id}/assign")
async def assign(
    request: Request,
    hold_id: str,
    person: SignedIn,
    key: Key,
    assignee: str = Form(""),
    back: str = Form("/"),
) -> Response:
    """Assign to oneself, to somebody else, or (empty) to nobody."""
    body = {"assignee": assignee.strip() or None}
    hold = await person.api.post(f"/v1/holds/{hold_id}/assign", body, key)
    if "hx-request" in request.headers:
        return page(request, "assignee.html", hold=hold, back=back)
    answer = RedirectResponse(back if back.startswith("/holds/") else "/", 303)
    whom = "you" if hold["assignee"] == person.name else hold["assignee"] or "nobody"
    return flash(request, answer, f"Assigned to {whom}.")
