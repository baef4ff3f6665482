"""Locations: where goods lie, and what is sent from where."""

import re
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from console.api import ApiProblem, Json, part
from console.pages.contact import ADDRESS
from console.person import Person, SignedIn
from console.templating import flash, page

router = APIRouter(prefix="/locations")

SHOWN = 200
_NUMBER = re.compile("[0-9]{1,9}")
NEW: Json = {
    **{"code": "", "name": "", "address": None, "active": True},
    **{"priority": 100, "safety_stock": 0},
}


@router.get("")
async def locations(request: Request, person: SignedIn) -> Response:
    rows = await person.api.rows("/v1/locations", limit=SHOWN)
    return page(request, "locations.html", rows=rows)


@router.get("/new")
async def new(request: Request, person: SignedIn) -> Response:
    return _form(request, person, NEW)


@router.get("/{code:path}")
async def location(request: Request, code: str, person: SignedIn) -> Response:
    return _form(request, person, await person.api.get(f"/v1/locations/{part(code)}"))


@router.post("")
async def keep(request: Request, person: SignedIn) -> Response:
    """A location replaces the one of the same code; refused, it is shown again with
    what was typed."""
    form = await request.form()
    code, body = str(form.get("code", "")).strip(), _body(form)
    try:
        await person.api.put(f"/v1/locations/{part(code)}", body)
    except ApiProblem as problem:
        return _form(request, person, NEW | body | {"code": code}, problem)
    return flash(request, RedirectResponse("/locations", 303), f"{code} is kept.")


def _body(form: FormData) -> Json:
    """Empty fields are left out, which the API reads as unset."""
    given: dict[str, Any] = {"active": "active" in form}
    address: dict[str, str] = {}
    for name, value in form.multi_items():
        text = str(value).strip()
        group, _, field = name.partition(".")
        if text and group == "address":
            address[field] = text
        elif text and name in ("priority", "safety_stock"):
            given[name] = int(text) if _NUMBER.fullmatch(text) else text
        elif name == "name":
            given[name] = text
    return given | ({"address": address} if address else {})


def _form(
    request: Request, person: Person, it: Json, problem: ApiProblem | None = None
) -> Response:
    return page(
        request,
        "location.html",
        status_code=problem.status if problem else 200,
        it=it,
        address=it["address"] or {},
        address_fields=ADDRESS,
        is_new=request.url.path.endswith("/new") or not it["code"],
        problem=problem,
        may=person.may("locations:write"),
    )
