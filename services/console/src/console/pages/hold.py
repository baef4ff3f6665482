"""A hold: the evidence beside the decisions, and what each of them leads to."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from console.api import ApiProblem, Json, part
from console.pages.contact import ADDRESS, wrong_fields
from console.pages.forms import Key, Note, refused
from console.person import Person, SignedIn
from console.templating import flash, page
from console.words import choice_of

router = APIRouter(prefix="/holds")

HISTORY = 11
"""The order itself and ten others; a link leads to the rest."""


@router.get("/{hold_id}")
async def show(request: Request, hold_id: str, person: SignedIn) -> Response:
    return await _page(request, hold_id, person)


@router.get("/{hold_id}/state")
async def state(request: Request, hold_id: str, person: SignedIn) -> Response:
    """Shows when a colleague decides while somebody looks at the hold."""
    hold = await person.api.get(f"/v1/holds/{hold_id}")
    return page(request, "hold_state.html", hold=hold)


@router.post("/{hold_id}/decide")
async def decide(
    request: Request,
    hold_id: str,
    person: SignedIn,
    key: Key,
    note: Note,
    decision: str = Form(""),
) -> Response:
    """Decide. If it is refused, the form comes back with what was typed."""
    typed = {"decision": decision, "note": note}
    if not decision or not note.strip():
        problem = refused("Choose what happens, and say why in a note.")
        return await _page(request, hold_id, person, problem, typed)
    body = {"decision": decision, "note": note}
    try:
        hold = await person.api.post(f"/v1/holds/{hold_id}/release", body, key)
    except ApiProblem as problem:
        return await _page(request, hold_id, person, problem, typed)
    answer = RedirectResponse(f"/holds/{hold_id}", 303)
    return flash(request, answer, f"{choice_of(hold['reason'], decision).title}: done.")


async def _page(
    request: Request,
    hold_id: str,
    person: Person,
    problem: ApiProblem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    hold = await person.api.get(f"/v1/holds/{hold_id}")
    evidence = await _evidence(person, hold)
    return page(
        request,
        "hold.html",
        status_code=problem.status if problem else 200,
        hold=hold,
        problem=problem,
        typed=typed or {},
        barred=person.name in hold["barred"],
        may=person.may(hold["decider"]),
        address_fields=ADDRESS,
        **evidence,
    )


async def _evidence(person: Person, hold: Json) -> dict[str, Any]:
    """Everything that the decision needs, fetched at once."""
    api, order_path = person.api, f"/v1/orders/{hold['order_id']}"
    asked: dict[str, Awaitable[Any]] = {
        "of_order": _of_order(person, hold, order_path),
        "events": api.rows(f"{order_path}/events", limit=200),
    }
    if person.may("contacts:read", "orders:operate", "approvals"):
        asked["contact"] = api.get(f"{order_path}/contact")
        asked["notes"] = api.rows(f"{order_path}/notes", limit=20)
    subject = hold["subject"]
    if subject.startswith("shp_"):
        asked["shipment"] = api.get(f"/v1/shipments/{subject}")
    if subject.startswith("ref_"):
        asked["refund"] = api.get(f"/v1/refunds/{subject}")
    if subject.startswith("ret_"):
        asked["return_"] = api.get(f"/v1/returns/{subject}")
    found: dict[str, Any] = dict.fromkeys(
        ("contact", "shipment", "refund", "return_"), None
    ) | {"notes": []}
    found |= dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    found |= found.pop("of_order")
    found["wrong"] = wrong_fields(hold)
    return found


async def _of_order(person: Person, hold: Json, order_path: str) -> dict[str, Any]:
    """The order, and what can only be asked once it is known."""
    order = await person.api.get(order_path)
    customer = order["customer_id"]
    history, stock = await asyncio.gather(
        person.api.rows("/v1/orders", customer=customer, limit=HISTORY),
        _stock(person, hold, order),
    )
    return {
        "order": order,
        "history": history,
        "more_history": len(history) == HISTORY,
        "stock": stock,
    }


async def _stock(person: Person, hold: Json, order: Json) -> dict[str, list[Json]]:
    """Locations that have units of what is missing."""
    if hold["reason"] != "stock" or not person.may("stock:read", "fulfil"):
        return {}
    missing = [line["sku"] for line in order["lines"] if missing_of(line)]
    rows = await asyncio.gather(
        *(person.api.rows(f"/v1/stock?sku={part(sku)}") for sku in missing[:10])
    )
    return dict(zip(missing, rows, strict=False))


def missing_of(line: Json) -> int:
    """Units that are wanted and not reserved."""
    taken: int = line["cancelled"] + line["reserved"] + line["shipped"]
    return int(line["quantity"]) - taken
