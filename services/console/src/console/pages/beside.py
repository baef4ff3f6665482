"""The panels beside the queue: what else may need somebody, for those who may see
it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from fastapi import APIRouter, Request, Response

from console.api import ApiProblem, Json, Unreachable
from console.display import moment, now
from console.person import Person, SignedIn
from console.templating import page

router = APIRouter(prefix="/now")

T = TypeVar("T")
Rows = list[Json] | None
SHOWN = 100
COUNTED = 50
"""Beside the queue are numbers alone. What is not counted is `50+`."""
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
        *(_unless_refused(api.rows(path, limit=COUNTED, **q)) for _, _, path, q in seen)
    )
    rows = {name: answer for (name, *_), answer in zip(seen, answers, strict=True)}
    return page(request, "beside.html", found=counted(rows))


async def _unless_refused(asked: Awaitable[T]) -> T | None:
    """`None` where the API says nothing about it now."""
    try:
        return await asked
    except (ApiProblem, Unreachable):
        return None


class Count(NamedTuple):
    """`3`, or `50+` where not all rows were looked at."""

    n: int
    is_more: bool


def counted(rows: dict[str, Rows]) -> dict[str, Count | None]:
    """By the tile that says it; `None` where the API does not say it now."""
    found = {name: _count(some) for name, some in rows.items() if name != "house"}
    if "house" in rows:
        found["pack"] = _count(rows["house"], lambda one: one["status"] == "ready")
        late = [_count(rows[name], _is_late) for name in ("house", "under_way")]
        known = [count for count in late if count is not None]
        n = sum(count.n for count in known)
        found["late"] = Count(n, any(c.is_more for c in known)) if known else None
    if "webhooks" in rows:
        found["webhooks"] = _count(rows["webhooks"], _is_dead)
    return found


def _count(rows: Rows, counts: Callable[[Json], bool] = bool) -> Count | None:
    if rows is None:
        return None
    return Count(sum(map(counts, rows)), len(rows) == COUNTED)


def _is_dead(endpoint: Json) -> bool:
    return endpoint["status"] == "failed" or endpoint["failing_since"] is not None


# ── parcels ─────────────────────────────────────────────────────────────────────


@router.get("/late")
async def late(request: Request, person: SignedIn) -> Response:
    """Parcels that should have left, or arrived."""
    rows = await person.api.rows(
        "/v1/shipments", status=["ready", "packed", "shipped"], limit=SHOWN
    )
    return page(
        request,
        "late.html",
        rows=list(filter(_is_late, rows)),
        most=SHOWN if len(rows) == SHOWN else None,
    )


def _is_late(parcel: Json) -> bool:
    return now() > _expected(parcel)


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
