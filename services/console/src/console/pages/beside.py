"""The panels beside the queue: what else may need somebody, for those who may see
it."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from console.api import ApiProblem, Json, Unreachable
from console.display import moment, now
from console.person import Person, SignedIn
from console.templating import page

router = APIRouter(prefix="/now")

T = TypeVar("T")
SHOWN = 100
PACKED_WITHIN = timedelta(days=1)
"""A parcel that nothing stops leaves the warehouse a day after it was planned."""
ARRIVES_WITHIN = timedelta(days=7)
"""Used if the carrier names no day."""
AUDIT_SECONDS = 300.0
"""The audit reads all books, so its answer is shared for a while."""
WAREHOUSE = ("fulfil", "orders:read")
BOOKS = ("money:read",)
WEBHOOKS = ("webhooks:read", "webhooks:write")


@router.get("/beside")
async def beside(request: Request, person: SignedIn) -> Response:
    api = person.api
    asked: tuple[tuple[str, tuple[str, ...], str, dict[str, Any]], ...] = (
        ("house", WAREHOUSE, "/v1/shipments", {"status": ["ready", "packed"]}),
        ("under_way", WAREHOUSE, "/v1/shipments", {"status": ["shipped"]}),
        ("returns", WAREHOUSE, "/v1/returns", {"status": ["approved"]}),
        ("discrepancies", BOOKS, "/v1/discrepancies", {}),
        ("disputes", ("money:read", "refunds:any"), "/v1/disputes", {"open": "true"}),
        ("webhooks", WEBHOOKS, "/v1/webhook-endpoints", {}),
    )
    seen = [one for one in asked if person.may(*one[1])]
    answers = await asyncio.gather(
        *(_unless_refused(api.rows(path, limit=SHOWN, **q)) for _, _, path, q in seen)
    )
    rows = {name: answer for (name, *_), answer in zip(seen, answers, strict=True)}
    return page(request, "beside.html", found=_counted(rows), most=SHOWN)


async def _unless_refused(asked: Awaitable[T]) -> T | None:
    """`None` where the API says nothing about it now."""
    try:
        return await asked
    except (ApiProblem, Unreachable):
        return None


def _counted(rows: dict[str, list[Json] | None]) -> dict[str, int | None]:
    found = {name: None if some is None else len(some) for name, some in rows.items()}
    if "house" in found:
        house, under_way = rows["house"], rows["under_way"]
        del found["house"]
        ready = [p for p in house or () if p["status"] == "ready"]
        found["pack"] = None if house is None else len(ready)
        found["late"] = len(_late([*(house or ()), *(under_way or ())]))
    if rows.get("webhooks") is not None:
        found["webhooks"] = sum(_is_dead(e) for e in rows["webhooks"] or ())
    return found


def _is_dead(endpoint: Json) -> bool:
    return endpoint["status"] == "failed" or endpoint["failing_since"] is not None


# ── parcels ─────────────────────────────────────────────────────────────────────


@router.get("/late")
async def late(request: Request, person: SignedIn) -> Response:
    """Parcels that should have left, or arrived."""
    rows = await person.api.rows(
        "/v1/shipments", status=["ready", "packed", "shipped"], limit=SHOWN
    )
    return page(request, "late.html", rows=_late(rows), most=SHOWN)


def _late(parcels: list[Json]) -> list[Json]:
    return [parcel for parcel in parcels if now() > _expected(parcel)]


def _expected(parcel: Json) -> datetime:
    """When it should have left, or arrived."""
    if parcel["shipped_at"] is None:
        return moment(parcel["created_at"]) + PACKED_WITHIN
    if parcel["eta"] is None:
        return moment(parcel["shipped_at"]) + ARRIVES_WITHIN
    day = datetime.fromisoformat(parcel["eta"]).replace(tzinfo=UTC)
    return day + timedelta(days=1)


# ── books ───────────────────────────────────────────────────────────────────────


@router.get("/audit")
async def audit(request: Request, person: SignedIn) -> Response:
    """Whether money, stock and ledger balance. For those who may ask, and cached."""
    if not person.may(*BOOKS):
        return Response(status_code=204)
    found = await _unless_refused(_audited(request, person))
    return page(request, "audit_tile.html", found=found)


async def _audited(request: Request, person: Person) -> int:
    state = request.app.state
    known: tuple[float, int] | None = getattr(state, "audited", None)
    if known is None or time.monotonic() - known[0] > AUDIT_SECONDS:
        rows = await person.api.rows("/v1/audit")
        known = state.audited = (time.monotonic(), len(rows))
    return known[1]
