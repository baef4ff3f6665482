"""Actions on an order. Each answers with the order's page and a message."""

from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from console.api import Json
from console.display import minor_units, money
from console.pages.forms import Key, act, lines, units
from console.person import SignedIn
from console.templating import flash

router = APIRouter(prefix="/orders/{order_id}")


async def _done(
    request: Request, order_id: str, work: Awaitable[Any], text: str
) -> Response:
    return await act(
        request, f"/orders/{order_id}", work, lambda it: text.format_map(_Quoted(it))
    )


class _Quoted(dict[str, Any]):
    """An answer for format strings: missing members are empty."""

    def __init__(self, result: Json) -> None:
        super().__init__(result)
        if isinstance(result.get("amount"), dict):
            self["amount"] = money(result["amount"])
        self["waits"] = " It waits for a second person." if result.get("hold") else ""

    def __missing__(self, name: str) -> str:
        return ""


@router.post("/notes")
async def note(
    request: Request, order_id: str, person: SignedIn, key: Key, text: str = Form("")
) -> Response:
    work = person.api.post(f"/v1/orders/{order_id}/notes", {"text": text}, key)
    return await _done(request, order_id, work, "Your note is kept.")


@router.post("/holds")
async def stop(
    request: Request, order_id: str, person: SignedIn, key: Key, note: str = Form("")
) -> Response:
    work = person.api.post(f"/v1/orders/{order_id}/holds", {"note": note}, key)
    return await _done(request, order_id, work, "Stopped. Nothing of it is packed now.")


@router.post("/cancellations")
async def cancel(
    request: Request,
    order_id: str,
    person: SignedIn,
    key: Key,
    reason: str = Form("customer-request"),
    note: str = Form(""),
) -> Response:
    body: Json = {"reason": reason}
    if chosen := units(await request.form(), "units-"):
        body["lines"] = lines(chosen)
    if note.strip():
        body["note"] = note
    work = person.api.post(f"/v1/orders/{order_id}/cancellations", body, key)
    return await _done(request, order_id, work, "Cancelled. What was paid goes back.")


@router.post("/refunds")
async def refund(
    request: Request,
    order_id: str,
    person: SignedIn,
    key: Key,
    reason: str = Form("goodwill"),
    note: str = Form(""),
    amount: str = Form(""),
    shipping: str = Form(""),
) -> Response:
    body: Json = {"reason": reason, "note": note}
    if chosen := units(await request.form(), "units-"):
        body["lines"] = lines(chosen)
    if shipping:
        body["shipping"] = True
    if amount.strip():
        order = await person.api.get(f"/v1/orders/{order_id}")
        try:
            minor = minor_units(amount, order["currency"])
        except ValueError as error:
            answer = RedirectResponse(f"/orders/{order_id}", 303)
            return flash(request, answer, f"{error}: write it as 12.90.", "bad")
        body["amount"] = {"amount": minor, "currency": order["currency"]}
    work = person.api.post(f"/v1/orders/{order_id}/refunds", body, key)
    return await _done(request, order_id, work, "Refund of {amount}.{waits}")


@router.post("/returns")
async def return_(
    request: Request,
    order_id: str,
    person: SignedIn,
    key: Key,
    reason: str = Form("not-wanted"),
) -> Response:
    chosen = units(await request.form(), "units-")
    body = {"lines": [line | {"reason": reason} for line in lines(chosen)]}
    work = person.api.post(f"/v1/orders/{order_id}/returns", body, key)
    return await _done(request, order_id, work, "The return is begun: {status}.")


@router.post("/messages/{seq}/resend")
async def resend(
    request: Request, order_id: str, seq: int, person: SignedIn, key: Key
) -> Response:
    path = f"/v1/orders/{order_id}/messages/{seq}/resend"
    work = person.api.post(path, None, key)
    return await _done(request, order_id, work, "The mail is sent once more.")


@router.post("/resume")
async def resume(
    request: Request, order_id: str, person: SignedIn, key: Key
) -> Response:
    work = person.api.post(f"/v1/orders/{order_id}/resume", None, key)
    return await _done(request, order_id, work, "Its workflow looks at it again.")
