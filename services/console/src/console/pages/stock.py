"""Stock: what is where, how it got there, and changing it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from console.api import Json, part
from console.pages.forms import Key, act
from console.person import SignedIn
from console.picture import movements_chart
from console.templating import page

router = APIRouter(prefix="/stock")

PAGE = 100
MOVEMENTS = 200
PLACES = 200
LOW = 10


@router.get("")
async def levels(
    request: Request,
    person: SignedIn,
    sku: str = "",
    location: str = "",
    low: str = "",
    cursor: str = "",
) -> Response:
    found = await person.api.get(
        "/v1/stock",
        sku=sku.strip(),
        location=location.strip(),
        below=LOW if low else None,
        limit=PAGE,
        cursor=cursor,
    )
    return page(
        request,
        "stock.html",
        rows=found["data"],
        next_cursor=found["next_cursor"],
        sku=sku,
        location=location,
        low=low,
        least=LOW,
        most=max([row["on_hand"] for row in found["data"]], default=1) or 1,
    )


@router.get("/{sku:path}")
async def product(request: Request, sku: str, person: SignedIn) -> Response:
    api = person.api
    rows, movements, places = await asyncio.gather(
        api.rows("/v1/stock", sku=sku),
        api.rows(f"/v1/stock/{part(sku)}/movements", limit=MOVEMENTS),
        api.rows("/v1/locations", active="true", limit=PLACES),
    )
    return page(
        request,
        "product.html",
        sku=sku,
        rows=rows,
        movements=movements,
        points=movements_chart(movements),
        places=places,
    )


@router.post("/receive")
async def receive(
    request: Request,
    person: SignedIn,
    key: Key,
    sku: Annotated[str, Form()],
    location: Annotated[str, Form()],
    ref: Annotated[str, Form()],
    quantity: Annotated[int, Form()],
    again: Annotated[str, Form()] = "",
) -> Response:
    lines = [{"sku": sku, "quantity": quantity}]
    body: Json = {
        "location": location,
        "ref": ref,
        "lines": lines,
        "again": bool(again),
    }
    return await _booked(request, person, "/v1/stock/receipts", body, key, sku)


@router.post("/adjust")
async def adjust(
    request: Request,
    person: SignedIn,
    key: Key,
    sku: Annotated[str, Form()],
    location: Annotated[str, Form()],
    ref: Annotated[str, Form()],
    delta: Annotated[int, Form()],
    reason: Annotated[str, Form()] = "adjust",
) -> Response:
    lines = [{"sku": sku, "delta": delta}]
    body = {"location": location, "ref": ref, "lines": lines, "reason": reason}
    return await _booked(request, person, "/v1/stock/adjustments", body, key, sku)


@router.post("/count")
async def count(
    request: Request,
    person: SignedIn,
    key: Key,
    sku: Annotated[str, Form()],
    location: Annotated[str, Form()],
    ref: Annotated[str, Form()],
    counted: Annotated[int, Form()],
) -> Response:
    lines = [{"sku": sku, "counted": counted}]
    body = {"location": location, "ref": ref, "lines": lines}
    return await _booked(request, person, "/v1/stock/adjustments", body, key, sku)


@router.post("/transfer")
async def transfer(
    request: Request,
    person: SignedIn,
    key: Key,
    sku: Annotated[str, Form()],
    origin: Annotated[str, Form()],
    destination: Annotated[str, Form()],
    ref: Annotated[str, Form()],
    quantity: Annotated[int, Form()],
) -> Response:
    lines = [{"sku": sku, "quantity": quantity}]
    body = {"origin": origin, "destination": destination, "ref": ref, "lines": lines}
    return await _booked(request, person, "/v1/stock/transfers", body, key, sku)


async def _booked(
    request: Request, person: SignedIn, path: str, body: Json, key: str, sku: str
) -> Response:
    work = person.api.post(path, body, key)
    return await act(request, f"/stock/{part(sku)}", work, _there)


def _there(changed: Json) -> str:
    there = ", ".join(
        f"{row['available']} free of {row['on_hand']} at {row['location']}"
        for row in changed["data"]
    )
    return f"Booked: {there}."
