"""`/_sim`: how tests and people steer a simulator. No part of the simulated API."""

from collections.abc import Callable

from fastapi import APIRouter
from pydantic import BaseModel

from simulators.database import Database
from simulators.faults import Fault, Faults, SwitchedFault
from simulators.webhooks import Webhooks


class Health(BaseModel):
    """pending_webhooks: events that no receiver has taken yet."""

    status: str
    pending_webhooks: int


def control_routes(
    database: Database,
    faults: Faults,
    webhooks: Webhooks,
    books: Callable[[], list[dict[str, object]]],
) -> APIRouter:
    """What both simulators have; `books` is what a checker compares with ours."""
    router = APIRouter(prefix="/_sim", tags=["control"])

    @router.get("/health")
    async def health() -> Health:
        return Health(status="ok", pending_webhooks=webhooks.pending())

    @router.get("/faults")
    async def active_faults() -> list[SwitchedFault]:
        return faults.active()

    @router.post("/faults", status_code=201)
    async def switch_on(wanted: Fault | list[Fault]) -> list[SwitchedFault]:
        several = wanted if isinstance(wanted, list) else [wanted]
        return [faults.add(fault) for fault in several]

    @router.delete("/faults", status_code=204)
    async def switch_off() -> None:
        faults.clear()

    @router.get("/books")
    async def show_books() -> list[dict[str, object]]:
        return books()

    @router.post("/reset", status_code=204)
    async def reset() -> None:
        database.clear()

    return router
