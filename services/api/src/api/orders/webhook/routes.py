"""Receives webhooks: verify, store, answer. The worker handles them later."""

import json

from fastapi import APIRouter, Request
from shared.database.engine import Engine
from sqlalchemy import text

from api.http.openapi import webhook_problems
from api.http.problems import Problem
from api.http.rate_limits import address_of
from api.http.services import ApiServices
from api.orders.webhook.signatures import Received, Verify, carrier, easypost, stripe
from api.settings import ApiSettings

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

INBOX = "inbox"
SOURCES = ("stripe", "carrier", "easypost")


@router.post(
    "/{source}",
    responses=webhook_problems("unknown-source", "invalid-signature"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def receive_webhook(
    source: str, request: Request, services: ApiServices
) -> dict[str, bool]:
    """Store a signed webhook. Repeats get 200, too."""
    verify, secret = _known(services.settings, source)
    try:
        received = verify(secret, request.headers, await request.body())
    except Problem as problem:
        if problem.code == "invalid-signature":
            await services.stranger_limiter.count(request, address_of(request))
        raise
    if received is not None:
        await _store(services.engine, source, received)
    return {"received": True}


def _known(settings: ApiSettings, source: str) -> tuple[Verify, str]:
    sources = {
        "stripe": (stripe, settings.stripe_webhook_secret),
        "carrier": (carrier, settings.carrier_webhook_secret),
        "easypost": (easypost, settings.easypost_webhook_secret),
    }
    verify, secret = sources.get(source, (stripe, None))
    if secret is None:
        raise Problem("unknown-source", "No webhooks are accepted from there.")
    return verify, secret.get_secret_value()


async def _store(engine: Engine, source: str, received: Received) -> None:
    parameters = {
        "source": source,
        "event_id": received.event_id,
        "type": received.type,
        "payload": json.dumps(dict(received.payload)),
    }
    async with engine.connect() as connection:
        new = await connection.count(_STORE, parameters)
        if new:
            # After the commit, because a commit with NOTIFY takes a lock that all such
            # commits queue for.
            await connection.execute(_WAKE, {"channel": INBOX, "source": source})


_WAKE = text("SELECT pg_notify(:channel, :source)")


_STORE = text(
    """
    INSERT INTO inbox (source, event_id, type, payload)
    VALUES (:source, :event_id, :type, cast(:payload AS jsonb))
    ON CONFLICT DO NOTHING
    """
)
