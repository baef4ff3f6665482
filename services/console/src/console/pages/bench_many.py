"""Packs many parcels at once, with an answer for each, and prints their documents
together."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response

from console.api import Json
from console.pages.bench import PRESETS
from console.pages.forms import Key
from console.person import SignedIn
from console.templating import page

router = APIRouter(prefix="/bench/many")

MOST = 50
"""The most that the API takes at once."""
EDGES = ("length_mm", "width_mm", "height_mm")


@router.get("")
async def choose(request: Request, person: SignedIn, location: str = "") -> Response:
    """Group parcels with the same goods, which go into the same boxes."""
    rows = await person.api.rows(
        "/v1/shipments", status=["ready"], location=location, limit=200
    )
    ready = [row for row in rows if not row["on_hold"]]
    return page(
        request,
        "bench_many.html",
        parcels=sorted(ready, key=lambda p: (_goods(p), str(p["created_at"])))[:MOST],
        more=len(ready) > MOST,
        location=location,
        presets=PRESETS,
    )


def _goods(parcel: Json) -> list[tuple[str, int]]:
    return sorted((line["sku"], line["quantity"]) for line in parcel["lines"])


@router.post("")
async def pack(
    request: Request,
    person: SignedIn,
    key: Key,
    size: Annotated[str, Form()],
    weight: Annotated[int, Form()],
    shipment: Annotated[list[str] | None, Form()] = None,
    location: Annotated[str, Form()] = "",
) -> Response:
    """Pack all. Sent again under the same key, each is packed once, and those without
    an answer are tried again."""
    chosen = list(dict.fromkeys(shipment or []))[:MOST]
    edges = next((e for name, _, e in PRESETS if name == size), PRESETS[0][2])
    parcel = {"weight_g": weight, **dict(zip(EDGES, edges, strict=True))}
    body = {"shipments": [{"shipment_id": id_, "parcel": parcel} for id_ in chosen]}
    data = []
    if chosen:
        data = (await person.api.post("/v1/shipments/pack", body, key))["data"]
    return page(
        request,
        "bench_packed.html",
        results=data,
        packed=[one["shipment_id"] for one in data if one["status"] == 200],
        unanswered=any(one["status"] >= 500 for one in data),
        again={"key": key, "size": size, "weight": weight, "location": location},
        chosen=chosen,
        location=location,
    )


@router.get("/{paper}")
async def paper(
    paper: Literal["labels", "packing-slips"],
    person: SignedIn,
    shipment: Annotated[list[str], Query(max_length=MOST)],
) -> Response:
    return await person.document(
        f"/v1/shipments/{paper}", accept="application/pdf", shipment=shipment
    )
