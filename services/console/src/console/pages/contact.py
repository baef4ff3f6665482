"""An order's contact, and its correction."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from console.api import ApiProblem, Json
from console.pages.forms import why
from console.person import Person, SignedIn
from console.templating import flash

router = APIRouter()

ADDRESS = (
    ("name", "Name"),
    ("company", "Company"),
    ("street", "Street"),
    ("street2", "More"),
    ("postal_code", "Postal code"),
    ("city", "City"),
    ("region", "Region"),
    ("country", "Country"),
)
PERSON = ("name", "email", "phone", "locale")


def wrong_fields(hold: Json) -> dict[str, str]:
    """The fields that an address hold names, with what is wrong with each."""
    named = hold["detail"].get("wrong") or hold["detail"].get("fields") or []
    if hold["reason"] != "address" or not isinstance(named, list):
        return {}
    pairs = (str(entry).partition(": ") for entry in named)
    return {field: why or "cannot be right" for field, _, why in pairs}


@router.post("/orders/{order_id}/contact")
async def correct(request: Request, order_id: str, person: SignedIn) -> Response:
    """Only what has changed is sent, so that two people may correct two fields."""
    form = {n: str(value) for n, value in (await request.form()).multi_items()}
    back = form.get("back", f"/orders/{order_id}")
    patch = _changes(form)
    to = back if back.startswith(("/holds/", "/orders/")) else f"/orders/{order_id}"
    answer = RedirectResponse(to, 303)
    if not patch:
        return flash(request, answer, "Nothing was changed.", "quiet")
    try:
        await _patch(person, order_id, patch, form)
    except ApiProblem as problem:
        return flash(request, answer, why(problem), "bad")
    return flash(request, answer, "Corrected. It is checked once more right now.")


async def _patch(
    person: Person, order_id: str, patch: Json, form: dict[str, str]
) -> None:
    """Send the changed fields. Orders change while somebody types, which matters only
    if a corrected field has changed as well. Raises `ApiProblem`."""
    path = f"/v1/orders/{order_id}"
    try:
        await person.api.patch(f"{path}/contact", patch, form.get("version", ""))
    except ApiProblem as problem:
        if problem.code != "version-mismatch":
            raise
        order, contact = await asyncio.gather(
            person.api.get(path), person.api.get(f"{path}/contact")
        )
        now = _as_fields(contact)
        if any(now[f"was-{name}"] != form[f"was-{name}"] for name in _changed(form)):
            raise
        await person.api.patch(f"{path}/contact", patch, order["version"])


def _as_fields(contact: Json) -> dict[str, str]:
    """The current values of the form's `was-` fields."""
    person = {f"was-{name}": contact.get(name) for name in PERSON}
    address = contact.get("ship_to") or {}
    to = {f"was-ship_to.{name}": address.get(name) for name, _ in ADDRESS}
    return {name: value or "" for name, value in (person | to).items()}


def _changed(form: dict[str, str]) -> list[str]:
    """Each field has its old value beside it, as `was-…`."""
    return [
        name
        for name, value in form.items()
        if value.strip() != form.get(f"was-{name}", value).strip()
    ]


def _changes(form: dict[str, str]) -> Json:
    patch: dict[str, Any] = {}
    for name in _changed(form):
        value = form[name].strip() or None
        group, dot, field = name.partition(".")
        if dot:
            patch.setdefault(group, {})[field] = value
        else:
            patch[name] = value
    return patch
