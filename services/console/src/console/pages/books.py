"""Books: where ours and the provider's differ, and whether they balance."""

import asyncio

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from console.pages.forms import Key, act
from console.pages.now import orders_of
from console.person import SignedIn
from console.templating import page

router = APIRouter(prefix="/books")


@router.get("")
async def books(request: Request, person: SignedIn, closed: str = "") -> Response:
    api = person.api
    found, audit, disputes = await asyncio.gather(
        api.rows("/v1/discrepancies", open="false" if closed else "true", limit=100),
        api.rows("/v1/audit"),
        api.rows("/v1/disputes", limit=100),
    )
    about = [d["detail"] for d in found if "order_id" in d["detail"]]
    return page(
        request,
        "books.html",
        discrepancies=found,
        orders=await orders_of(person, about) if person.may("orders:read") else {},
        audit=audit,
        disputes=disputes,
        closed=closed,
    )


@router.post("/{discrepancy_id}/{what}")
async def settle(
    request: Request,
    discrepancy_id: str,
    what: str,
    person: SignedIn,
    key: Key,
    note: str = Form(""),
) -> Response:
    """`book` takes over the provider's amounts; `resolve` notes why they may differ."""
    if what not in ("book", "resolve"):
        return RedirectResponse("/books", 303)
    path = f"/v1/discrepancies/{discrepancy_id}/{what}"
    work = person.api.post(path, {"note": note}, key)
    return await act(request, "/books", work, "Booked." if what == "book" else "Noted.")
