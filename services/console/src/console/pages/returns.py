"""Returns: what comes back, and what is paid for it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from console.api import ApiProblem, Json
from console.display import minor_units, sum_of
from console.pages.forms import Key, act
from console.person import Person, SignedIn
from console.templating import flash, page

router = APIRouter(prefix="/returns")

PAGE = 50
TO_COME = ("requested", "approved", "expired")
STATUSES = ("requested", "approved", "received", "closed", "rejected", "expired")


@router.get("")
async def list_returns(
    request: Request, person: SignedIn, status: str = "", cursor: str = ""
) -> Response:
    chosen = status if status in STATUSES else ""
    found = await person.api.get(
        "/v1/returns", status=chosen, limit=PAGE, cursor=cursor
    )
    return page(
        request,
        "returns.html",
        rows=found["data"],
        next_cursor=found["next_cursor"],
        statuses=STATUSES,
        chosen=chosen,
    )


@router.post("/find")
async def find(request: Request, person: SignedIn, code: str = Form("")) -> Response:
    """Find by what is on the box: the return's id, or the order's number."""
    code = code.strip().removeprefix("#")
    if code.startswith("ret_"):
        return RedirectResponse(f"/returns/{code}", 303)
    rows = await person.api.rows("/v1/returns", order=code)
    awaited = [row for row in rows if row["status"] == "approved"] or rows
    if awaited:
        return RedirectResponse(f"/returns/{awaited[0]['id']}", 303)
    answer = RedirectResponse("/returns", 303)
    return flash(request, answer, f"No return is called {code}.", "bad")


@router.get("/{return_id}")
async def show(request: Request, return_id: str, person: SignedIn) -> Response:
    found = await person.api.get(f"/v1/returns/{return_id}")
    asked: dict[str, Awaitable[Json]] = {}
    if person.may("orders:read"):
        asked["order"] = person.api.get(f"/v1/orders/{found['order_id']}")
        if found["refund_id"]:
            asked["refund"] = person.api.get(f"/v1/refunds/{found['refund_id']}")
    if found["status"] in TO_COME:
        # By default everything is accepted.
        whole = {f"accepted-{x['line']}": str(x["quantity"]) for x in found["lines"]}
        asked["preview"] = _preview(person, return_id, FormData(whole))
    answers = await asyncio.gather(*asked.values())
    known: dict[str, Any] = dict.fromkeys(("order", "refund", "preview"))
    known |= dict(zip(asked, answers, strict=True))
    names = _names(found)
    return page(request, "return.html", it=found, names=names, problem="", **known)


async def _preview(person: Person, return_id: str, form: FormData) -> Json:
    """Raises `ApiProblem`, and `ValueError` for what is no amount."""
    path = f"/v1/returns/{return_id}/refund-preview"
    return await person.api.post(path, _receipt(form))


def _names(found: Json) -> dict[int, str]:
    return {line["line"]: line["name"] for line in found["lines"]}


@router.post("/{return_id}/preview")
async def preview(request: Request, return_id: str, person: SignedIn) -> Response:
    """Preview the refund for the chosen units and deductions, to the cent, from the
    API; or say why it refuses them."""
    form = await request.form()
    due, problem = None, ""
    found = await person.api.get(f"/v1/returns/{return_id}")
    try:
        due = await _preview(person, return_id, form)
    except (ApiProblem, ValueError) as error:
        problem = _why(error, found["currency"])
    return page(
        request,
        "return_preview.html",
        preview=due,
        names=_names(found),
        problem=problem,
    )


def _why(error: ApiProblem | ValueError, currency: str) -> str:
    if isinstance(error, ValueError):
        return f"{error}: write it as 12.90."
    if "most" in error.document:
        return f"{error.title}: at most {sum_of(error.document['most'], currency)}."
    return "; ".join(error.errors.values()) or error.detail


@router.post("/{return_id}/receive")
async def receive(
    request: Request, return_id: str, person: SignedIn, key: Key
) -> Response:
    try:
        body = _receipt(await request.form())
    except ValueError as error:
        answer = RedirectResponse(f"/returns/{return_id}", 303)
        return flash(request, answer, f"{error}: write it as 12.90.", "bad")
    return await _act(request, return_id, person, "receive", body, key)


def _receipt(form: FormData) -> Json:
    """Accepted units, where they go and what is kept of their price, by line: fields
    such as `accepted-1`. Raises `ValueError`."""
    lines = [
        _line(number, int(str(value) or 0), form)
        for name, value in form.multi_items()
        if (number := name.removeprefix("accepted-")) != name
    ]
    place = str(form.get("location", "")).strip()
    return {"lines": lines} | ({"location": place} if place else {})


def _line(number: str, accepted: int, form: FormData) -> Json:
    where = str(form.get(f"disposition-{number}", "restock"))
    line: Json = {"line": int(number), "accepted": accepted, "disposition": where}
    if kept := str(form.get(f"deduction-{number}", "")).strip():
        currency = str(form.get("currency", ""))
        amount = minor_units(kept, currency)
        line["deduction"] = {"amount": amount, "currency": currency}
    return line


@router.post("/{return_id}/{decision}")
async def decide(
    request: Request,
    return_id: str,
    decision: str,
    person: SignedIn,
    key: Key,
    note: str = Form(""),
) -> Response:
    if decision not in ("approve", "reject"):
        return RedirectResponse(f"/returns/{return_id}", 303)
    body = {"note": note} if note.strip() else {}
    return await _act(request, return_id, person, decision, body, key)


async def _act(
    request: Request, return_id: str, person: SignedIn, what: str, body: Json, key: str
) -> Response:
    work = person.api.post(f"/v1/returns/{return_id}/{what}", body, key)
    return await act(request, f"/returns/{return_id}", work, "Done.")


@router.get("/{return_id}/label")
async def label(request: Request, return_id: str, person: SignedIn) -> Response:
    return await person.document(f"/v1/returns/{return_id}/label")
