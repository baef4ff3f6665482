"""Ends deliveries after three days, and endpoints.

Each is an event that becomes a mail to the endpoint's owner.
"""

from collections.abc import Awaitable, Callable

from shared.database.engine import Engine
from shared.database.kernel.tables import WebhookDelivery, WebhookEndpoint
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change

from api.kernel.feed.queries import Position

ACTOR = "system"


async def stop_endpoint(engine: Engine, endpoint: str, event: str) -> None:
    """Stop sending to an endpoint. Pending events keep their place, and go out once
    somebody enables the endpoint. Safe to repeat."""

    async def apply(work: UnitOfWork) -> Done:
        if work.snapshot == "enabled":
            await work.update(WebhookEndpoint, endpoint, status="failed")
            work.event(event)
        return Done()

    await _apply(engine, endpoint, apply)


async def give_up(
    engine: Engine, endpoint: str, position: Position, type: str, subject: str
) -> None:
    """Give up one delivery. Others of its subject follow; their `seq` shows the gap."""

    async def apply(work: UnitOfWork) -> Done:
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
        return Done()

    await _apply(engine, endpoint, apply)


async def _apply(
    engine: Engine, endpoint: str, apply: Callable[[UnitOfWork], Awaitable[Done]]
) -> None:
    await change(
        engine,
        WebhookEndpoint,
        endpoint,
        key=None,
        actor=ACTOR,
        apply=apply,
        result=Done,
        snapshot="t.status",
    )
