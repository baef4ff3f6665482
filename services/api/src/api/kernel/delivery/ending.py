"""What ends for good: a delivery after three days, or an endpoint. Its owner is told by
mail, since each is an event that becomes a message."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel
from shared.database.engine import Engine
from shared.database.kernel.tables import WebhookDelivery, WebhookEndpoint
from shared.database.kernel.unit_of_work import UnitOfWork, change

from api.kernel.feed.queries import Position

ACTOR = "system"


class _Ended(BaseModel):
    pass


async def stop_endpoint(engine: Engine, endpoint: str, event: str) -> None:
    """Nothing is sent any more. What waits keeps its place, and goes on from there once
    somebody enables the endpoint. Safe to repeat."""

    async def apply(work: UnitOfWork) -> _Ended:
        if work.snapshot == "enabled":
            await work.update(WebhookEndpoint, endpoint, status="failed")
            work.event(event)
        return _Ended()

    await _apply(engine, endpoint, apply)


async def give_up(
    engine: Engine, endpoint: str, position: Position, type: str, subject: str
) -> None:
    """One delivery. Others of its subject follow: their `seq` shows the gap."""

    async def apply(work: UnitOfWork) -> _Ended:
        place = {
            "endpoint": endpoint,
            "transaction_id": position.transaction_id,
            "event_id": position.id,
        }
        await work.update(WebhookDelivery, place, status="failed", due_at=None)
        work.event(
            "webhook_delivery.failed",
            delivery=str(position),
            event_type=type,
            event_subject=subject,
        )
        return _Ended()

    await _apply(engine, endpoint, apply)


async def _apply(
    engine: Engine, endpoint: str, apply: Callable[[UnitOfWork], Awaitable[_Ended]]
) -> None:
    await change(
        engine,
        WebhookEndpoint,
        endpoint,
        key=None,
        actor=ACTOR,
        apply=apply,
        result=_Ended,
        snapshot="t.status",
    )
