"""Orders: found by anything, worked on many at once."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from console.api import ApiProblem, Json, Unreachable
from console.pages.forms import Key, why
from console.person import Person, SignedIn
from console.templating import page
from console.words import REASONS, reason_of, status_of

router = APIRouter(prefix="/orders")

PAGE = 50
TOGETHER = 4
"""How many commands of a bulk action are under way at a time."""
SEVERAL = {
    "status": ("placed", "confirmed", "completed", "cancelled"),
    "payment_status": (
        *("unpaid", "authorized", "partially_captured", "captured"),
        *("partially_refunded", "refunded", "voided"),
    ),
    "fulfillment_status": (
        *("unfulfilled", "partially_fulfilled", "fulfilled", "delivered"),
        *("partially_returned", "returned"),
    ),
    "hold": tuple(REASONS),
}
ONE = ("customer", "sku", "location", "tracking", "created_from", "created_to", "sort")
VIEWS = (
    ("All", ""),
    ("Open", "status=placed&status=confirmed"),
    ("Paid, not sent", "status=confirmed&fulfillment_status=unfulfilled"),
    ("On their way", "fulfillment_status=fulfilled"),
    ("Cancelled", "status=cancelled"),
)
ACTIONS = {
    "note": ("/v1/orders/{}/notes", "text"),
    "stop": ("/v1/orders/{}/holds", "note"),
    "cancel": ("/v1/orders/{}/cancellations", "note"),
}


@router.get("")
async def list_orders(request: Request, person: SignedIn, cursor: str = "") -> Response:
    """Filters are in the address, several values at once: it can be kept and sent."""
    chosen = _chosen(request)
    problem = None
    found: Json = {"data": [], "next_cursor": None}
    try:
        found = await person.api.get(
            "/v1/orders", limit=PAGE, cursor=cursor, **_asked(chosen)
        )
    except ApiProblem as refused:
        if refused.status != 422:
            raise
        problem = refused
    return _list(request, found, chosen, problem=problem)


@router.post("/search")
async def search(
    request: Request, person: SignedIn, q: Annotated[str, Form()] = ""
) -> Response:
    """By number, reference, mail, name or tracking: what people have typed here is in
    no address, and so in no log and no history."""
    problem = None
    found: Json = {"data": [], "next_cursor": None}
    try:
        found = await person.api.post("/v1/orders/search", {"q": q, "limit": PAGE})
    except ApiProblem as refused:
        if refused.status != 422:
            raise
        problem = refused
    return _list(request, found, {}, problem=problem, q=q)


@router.post("/bulk")
async def bulk(
    request: Request,
    person: SignedIn,
    key: Key,
    action: Annotated[str, Form()],
    order: Annotated[list[str] | None, Form()] = None,
    note: Annotated[str, Form()] = "",
) -> Response:
    """Do one command for each order, with one answer for each. Sent twice it acts once:
    each order has its own key, made from the form's."""
    chosen = list(dict.fromkeys(order or []))
    turns = asyncio.Semaphore(TOGETHER)

    async def one(order_id: str) -> Json:
        async with turns:
            return await _act(person, action, order_id, note, f"{key}:{order_id}")

    if action not in ACTIONS:
        chosen = []
    results = await asyncio.gather(*map(one, chosen))
    rows = await person.api.rows("/v1/orders", id=chosen, limit=200) if chosen else []
    return page(
        request,
        "bulk.html",
        results=results,
        orders={row["id"]: row for row in rows},
        failed=sum(not result["done"] for result in results),
    )


async def _act(person: Person, action: str, order_id: str, note: str, key: str) -> Json:
    path, field = ACTIONS[action]
    body: Json = {"reason": "customer-request"} if action == "cancel" else {}
    if note.strip() or action != "cancel":
        body[field] = note
    try:
        await person.api.post(path.format(order_id), body, key)
    except ApiProblem as problem:
        return {"id": order_id, "done": False, "told": why(problem)}
    except Unreachable:
        return {"id": order_id, "done": False, "told": "No answer: try it again."}
    return {"id": order_id, "done": True, "told": "Done"}


def _chosen(request: Request) -> dict[str, Any]:
    query = request.query_params
    several = {
        name: [value for value in query.getlist(name) if value in known]
        for name, known in SEVERAL.items()
    }
    one = {name: query.get(name, "").strip() for name in ONE}
    return {name: value for name, value in (several | one).items() if value}


def _asked(chosen: dict[str, Any]) -> dict[str, Any]:
    """Turn picked days into moments for the API."""
    days = {
        name: f"{chosen[name]}T00:00:00Z"
        for name in ("created_from", "created_to")
        if len(str(chosen.get(name, ""))) == len("2026-01-31")
    }
    return chosen | days


LABELS = {
    **{"customer": "customer", "sku": "goods", "location": "sent from"},
    **{"tracking": "tracking", "created_from": "from", "created_to": "before"},
}


def _chips(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each chosen filter in words, and the address that is left without it."""
    return [
        (_said(name, value), urlencode([p for p in pairs if p != (name, value)]))
        for name, value in pairs
        if name != "sort"
    ]


def _said(name: str, value: str) -> str:
    if name == "hold":
        return f"Waits for: {reason_of(value).title}"
    return f"{LABELS[name]} {value}" if name in LABELS else status_of(value)


def _list(
    request: Request,
    found: Json,
    chosen: dict[str, Any],
    *,
    problem: ApiProblem | None,
    q: str | None = None,
) -> Response:
    pairs = [
        (name, value)
        for name, values in chosen.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return page(
        request,
        "orders.html",
        status_code=problem.status if problem else 200,
        rows=found["data"],
        next_cursor=found["next_cursor"],
        chosen=chosen,
        pairs=pairs,
        chips=_chips(pairs),
        several=SEVERAL,
        views=VIEWS,
        problem=problem,
        q=q,
    )
