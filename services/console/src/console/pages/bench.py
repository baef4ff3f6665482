"""The packing bench: scan, pack, label, next. A scanner is a keyboard."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from console.api import ApiProblem, Json, Unreachable, part
from console.pages.forms import act, why
from console.person import Person, SignedIn
from console.templating import flash, page

router = APIRouter(prefix="/bench")

WAITING = 100
NEAR = 10
PRESETS = (
    ("S", 250, (200, 150, 100)),
    ("M", 900, (300, 200, 150)),
    ("L", 2500, (400, 300, 200)),
    ("XL", 8000, (600, 400, 300)),
)
"""Grams and millimetres."""


@router.get("")
async def bench(request: Request, person: SignedIn, location: str = "") -> Response:
    parcels, places = await asyncio.gather(
        person.api.rows(
            "/v1/shipments",
            status=["ready", "packed"],
            location=location,
            limit=WAITING,
        ),
        person.api.rows("/v1/locations", active="true"),
    )
    oldest_first = sorted(parcels, key=lambda p: str(p["created_at"]))
    return page(
        request,
        "bench.html",
        ready=[p for p in oldest_first if p["status"] == "ready" and not p["on_hold"]],
        packed=[p for p in oldest_first if p["status"] == "packed"],
        held=[p for p in oldest_first if p["status"] == "ready" and p["on_hold"]],
        location=location,
        locations=[place["code"] for place in places],
    )


@router.post("/find")
async def find(
    request: Request,
    person: SignedIn,
    code: Annotated[str, Form()],
    location: Annotated[str, Form()] = "",
) -> Response:
    """Find what was scanned: a parcel, or an order with one parcel to pack."""
    code = code.strip().removeprefix("#")
    if code.startswith("shp_"):
        return RedirectResponse(f"/bench/{code}", 303)
    parcels = await person.api.rows(
        "/v1/shipments", order=code, status=["ready", "packed"], location=location
    )
    if parcels:
        return RedirectResponse(f"/bench/{parcels[0]['id']}", 303)
    answer = RedirectResponse(
        f"/bench?location={location}" if location else "/bench", 303
    )
    return flash(request, answer, f"Nothing to pack is called {code}.", "bad")


@router.get("/pick-list")
async def pick_list(person: SignedIn, location: str) -> Response:
    return await person.document(
        f"/v1/locations/{part(location)}/pick-list", accept="application/pdf"
    )


@router.get("/{shipment_id}/slip")
async def slip(shipment_id: str, person: SignedIn) -> Response:
    return await person.document(
        "/v1/shipments/packing-slips", accept="application/pdf", shipment=[shipment_id]
    )


@router.get("/{shipment_id}")
async def parcel(request: Request, shipment_id: str, person: SignedIn) -> Response:
    found = await person.api.get(f"/v1/shipments/{shipment_id}")
    return page(
        request,
        "parcel.html",
        parcel=found,
        presets=PRESETS,
        following=await _following(person, found),
    )


async def _following(person: Person, parcel: Json) -> Json | None:
    """The next parcel to pack at the same location, oldest first, as the API lists
    them. Holds seldom stop the first ten."""
    here: dict[str, Any] = {"status": ["ready"], "location": parcel["location"]}
    for most in (NEAR, WAITING):
        rows = await person.api.rows("/v1/shipments", limit=most, **here)
        waiting = [p for p in rows if not p["on_hold"] and p["id"] != parcel["id"]]
        if waiting or len(rows) < most:
            break
    return waiting[0] if waiting else None


class Packed(BaseModel):
    """Pack what was scanned. Sent again under the same key after a lost connection, it
    packs once."""

    model_config = ConfigDict(extra="forbid")
    key: Annotated[str, Field(min_length=1, max_length=100)]
    lines: list[dict[str, int]]
    parcels: Annotated[list[dict[str, int]], Field(min_length=1, max_length=50)]


@router.post("/{shipment_id}/pack")
async def pack(shipment_id: str, person: SignedIn, packed: Packed) -> Response:
    body = {"lines": packed.lines, "parcels": packed.parcels}
    try:
        shipment = await person.api.post(
            f"/v1/shipments/{shipment_id}/pack", body, packed.key
        )
    except ApiProblem as problem:
        # The page repeats requests after temporary errors; other errors are shown.
        told = {"told": why(problem), "code": problem.code}
        return JSONResponse(told, problem.status)
    except Unreachable:
        return JSONResponse({"told": "No answer yet."}, 503)
    return JSONResponse({"status": shipment["status"], "label": shipment["label"]})


@router.post("/{shipment_id}/ship")
async def ship(
    request: Request,
    shipment_id: str,
    person: SignedIn,
    key: Annotated[str, Form()],
    carrier: Annotated[str, Form()] = "",
    tracking: Annotated[str, Form()] = "",
) -> Response:
    body = {
        n: v for n, v in (("carrier", carrier), ("tracking", tracking)) if v.strip()
    }
    work = person.api.post(f"/v1/shipments/{shipment_id}/ship", body, key)
    return await act(request, f"/bench/{shipment_id}", work, "Handed over.")


@router.get("/{shipment_id}/label")
async def label(
    request: Request, shipment_id: str, person: SignedIn, package: int = 1
) -> Response:
    """Served from our own origin, so that the page's policy allows printing it."""
    path = f"/v1/shipments/{shipment_id}/label"
    return await person.document(path, package=package)
