"""A customer's page of an order. Each action is a plain form."""

import asyncio
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from console.api import ApiProblem, Json, part
from console.customer.language import flash, page
from console.customer.offers import (
    banks_page,
    offers,
    returnable,
    stage,
    unsent,
    waits_for,
)
from console.customer.visitor import Visiting, Visitor, follow, keep
from console.pages.forms import Key, Note, units

router = APIRouter()

FIELDS = ("name", "company", "street", "street2", "postal_code", "city", "region")
REASONS = ("does-not-fit", "not-as-expected", "damaged", "wrong-goods", "other")
_STALE = ("version-mismatch", "precondition-required")


@router.get("/o/{token}")
async def open_link(request: Request, token: str, label: str = "") -> Response:
    """Entry from the mail: the token leaves the address before anything is shown."""
    visitor = await follow(request, token)
    to = f"/yours/{visitor.order_id}"
    answer = RedirectResponse(f"{to}/returns/{part(label)}/label" if label else to, 303)
    answer.headers["Referrer-Policy"] = "no-referrer"
    keep(request, answer, visitor, token)
    return answer


@router.get("/yours/{order_id}")
async def show(
    request: Request, visitor: Visiting, redirect_status: str = ""
) -> Response:
    """Show the order. A bank sends somebody back with `redirect_status`."""
    order, contact = await asyncio.gather(_order(visitor), _contact(visitor))
    ids = [back["id"] for back in order["returns"]][-10:]
    returns = await asyncio.gather(
        *(visitor.api.get(f"/v1/returns/{id}") for id in reversed(ids))
    )
    return page(
        request,
        "order.html",
        order=order,
        contact=contact,
        returns=returns,
        names={line["line"]: line["name"] for line in order["lines"]},
        stage=stage(order),
        offers=offers(visitor, order),
        waits={reason: waits_for(order, reason) for reason in ("address", "stock")},
        confirmed=redirect_status == "succeeded",
    )


# ── the address ─────────────────────────────────────────────────────────────────


@router.get("/yours/{order_id}/address")
async def address(request: Request, visitor: Visiting) -> Response:
    return await _address(request, visitor)


@router.post("/yours/{order_id}/address")
async def correct(request: Request, visitor: Visiting) -> Response:
    """Correct the address. If it is refused or still wrong, the form comes back with
    what was typed."""
    form = await request.form()
    given = {n: str(form.get(n, "")).strip() for n in (*FIELDS, "country")}
    body = {"ship_to": {name: value or None for name, value in given.items()}}
    version = str(form.get("version", ""))
    try:
        await visitor.api.patch(f"{_path(visitor)}/contact", body, version)
    except ApiProblem as problem:
        return await _address(request, visitor, problem, given)
    contact = await _contact(visitor)
    if contact and contact["wrong"]:
        return await _address(request, visitor)
    return flash(request, _back(visitor), "address-corrected")


async def _address(
    request: Request,
    visitor: Visitor,
    problem: ApiProblem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    order, contact = await asyncio.gather(_order(visitor), _contact(visitor))
    known = (contact or {}).get("ship_to") or {}
    wrong = problem.errors if problem else _wrong(contact)
    status = problem.status if problem else 200
    return page(
        request,
        "address.html",
        status_code=status if status not in (401, 428) else 422,
        order=order,
        fields=FIELDS,
        given=typed or {n: known.get(n) or "" for n in (*FIELDS, "country")},
        wrong=wrong,
        problem=problem.code if problem else "",
    )


def _wrong(contact: Json | None) -> dict[str, str]:
    """`postal_code: invalid`, by field."""
    named = (entry.partition(": ") for entry in (contact or {}).get("wrong", ()))
    return {field: why for field, _, why in named}


# ── the payment ─────────────────────────────────────────────────────────────────


@router.get("/yours/{order_id}/payment")
async def payment(
    request: Request,
    visitor: Visiting,
    payment_method: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Take a payment method, which the shop's card page sends back as
    `payment_method`."""
    return await _payment(request, visitor, method=payment_method)


@router.post("/yours/{order_id}/payment")
async def pay(
    request: Request, visitor: Visiting, key: Key, method: Annotated[str, Form()]
) -> Response:
    body = {"method": method, "return_url": f"{_url(request)}/yours/{visitor.order_id}"}
    try:
        tried = await visitor.api.post(f"{_path(visitor)}/payments", body, key)
    except ApiProblem as problem:
        return await _payment(request, visitor, problem)
    if tried["status"] == "requires_action":
        return await _payment(request, visitor, bank=banks_page(tried["next_action"]))
    if tried["status"] == "failed":
        answer = RedirectResponse(f"/yours/{visitor.order_id}/payment", 303)
        return flash(request, answer, "payment-failed")
    code = "paid" if tried["status"] == "succeeded" else "payment-pending"
    return flash(request, _back(visitor), code)


async def _payment(
    request: Request,
    visitor: Visitor,
    problem: ApiProblem | None = None,
    *,
    method: str = "",
    bank: str | None = None,
) -> Response:
    order = await _order(visitor)
    here = f"{_url(request)}/yours/{visitor.order_id}/payment"
    card_url: str | None = request.app.state.settings.console_card_url
    return page(
        request,
        "payment.html",
        status_code=problem.status if problem else 200,
        order=order,
        method=method,
        bank=bank or banks_page(order["next_action"]),
        card_page=card_url
        and card_url.replace("{back}", quote(here, safe="")).replace(
            "{order_id}", visitor.order_id
        ),
        open=waits_for(order, "payment"),
        problem=problem.code if problem else "",
    )


# ── the end of it ───────────────────────────────────────────────────────────────


@router.get("/yours/{order_id}/cancel")
async def ask_to_cancel(request: Request, visitor: Visiting) -> Response:
    return await _cancel(request, visitor)


@router.post("/yours/{order_id}/cancel")
async def cancel(request: Request, visitor: Visiting, key: Key) -> Response:
    body = {"reason": "customer-request"}
    try:
        await visitor.api.post(f"{_path(visitor)}/cancellations", body, key)
    except ApiProblem as problem:
        return await _cancel(request, visitor, problem)
    return flash(request, _back(visitor), "cancelled")


async def _cancel(
    request: Request, visitor: Visitor, problem: ApiProblem | None = None
) -> Response:
    order = await _order(visitor)
    return page(
        request,
        "cancel.html",
        status_code=problem.status if problem else 200,
        order=order,
        unsent=unsent(order),
        problem=problem.code if problem else "",
    )


# ── the way back ────────────────────────────────────────────────────────────────


@router.get("/yours/{order_id}/return")
async def ask_to_return(request: Request, visitor: Visiting) -> Response:
    return await _return(request, visitor)


@router.post("/yours/{order_id}/return")
async def send_back(
    request: Request,
    visitor: Visiting,
    key: Key,
    note: Note = "",
    reason: Annotated[str, Form()] = "other",
) -> Response:
    form = await request.form()
    try:
        wanted = units(form, "units-")
    except ApiProblem:
        wanted = {}
    if not wanted:
        return await _return(request, visitor, "nothing-chosen", status_code=422)
    reason = reason if reason in REASONS else "other"
    body: Json = {
        "lines": [
            {"line": line, "quantity": n, "reason": reason}
            for line, n in sorted(wanted.items())
        ]
    }
    if note.strip():
        body["note"] = note.strip()
    try:
        asked = await visitor.api.post(f"{_path(visitor)}/returns", body, key)
    except ApiProblem as problem:
        return await _return(request, visitor, problem.code, status_code=problem.status)
    return flash(request, _back(visitor), f"return-{asked['status']}")


async def _return(
    request: Request, visitor: Visitor, problem: str = "", *, status_code: int = 200
) -> Response:
    order = await _order(visitor)
    return page(
        request,
        "return.html",
        status_code=status_code,
        order=order,
        returnable=returnable(order),
        reasons=REASONS,
        problem=problem,
    )


@router.get("/yours/{order_id}/returns/{return_id}/label")
async def label(visitor: Visiting, return_id: str) -> Response:
    path = f"/v1/returns/{part(return_id)}/label"
    content, _ = await visitor.api.download(path)
    answer = Response(content, media_type="application/pdf")
    answer.headers["Content-Disposition"] = 'inline; filename="label.pdf"'
    return answer


# ── what they share ─────────────────────────────────────────────────────────────


def _path(visitor: Visitor) -> str:
    return f"/v1/orders/{visitor.order_id}"


def _url(request: Request) -> str:
    return str(request.app.state.settings.console_url)


def _back(visitor: Visitor) -> Response:
    return RedirectResponse(f"/yours/{visitor.order_id}", 303)


async def _order(visitor: Visitor) -> Json:
    return await visitor.api.get(_path(visitor))


async def _contact(visitor: Visitor) -> Json | None:
    """The address; nothing if the link does not allow that."""
    if not visitor.may("address"):
        return None
    return await visitor.api.get(f"{_path(visitor)}/contact")
