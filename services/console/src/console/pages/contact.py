"""Whom an order is for, and correcting it."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from console.api import ApiProblem, Json
from console.person import SignedIn
from console.templating import tell

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
    form = await request.form()
    back = str(form.get("back", f"/orders/{order_id}"))
    patch = _changes({name: str(value) for name, value in form.multi_items()})
    to = back if back.startswith(("/holds/", "/orders/")) else f"/orders/{order_id}"
    answer = RedirectResponse(to, 303)
    if not patch:
        return tell(request, answer, "Nothing was changed.", "quiet")
    version = form.get("version", "")
    try:
        await person.api.patch(f"/v1/orders/{order_id}/contact", patch, version)
    except ApiProblem as problem:
        said = "; ".join(f"{name}: {why}" for name, why in problem.errors.items())
        return tell(
            request, answer, said or f"{problem.title}. {problem.detail}", "bad"
        )
    return tell(request, answer, "Corrected. It is checked once more right now.")


def _changes(form: dict[str, str]) -> Json:
    """Each field stands beside `was-` it."""
    patch: dict[str, Any] = {}
    for name, value in form.items():
        was = form.get(f"was-{name}")
        if was is None or was.strip() == value.strip():
            continue
        group, dot, field = name.partition(".")
        if dot:
            patch.setdefault(group, {})[field] = value.strip() or None
        else:
            patch[name] = value.strip() or None
    return patch
