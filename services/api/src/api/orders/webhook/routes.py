"""Receives webhooks: verify, store, answer. The worker handles them later."""

import json

from fastapi import APIRouter, Request
from shared.contracts.orders.webhooks import AUTHORIZATION_EVENTS
from shared.database.engine import Engine
from shared.database.orders.payments import AWAITED
from sqlalchemy import text

from api.http.dependencies import Deps
from api.http.openapi import webhook_problems
from api.http.problems import Problem
from api.http.rate_limits import address_of
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
async def receive_webhook(source: str, request: Request, deps: Deps) -> dict[str, bool]:
    """Store a signed webhook. Repeats get 200, too."""
    verify, secret = _known(deps.settings, source)
    try:
        received = verify(secret, request.headers, await request.body())
    except Problem as problem:
        if problem.code == "invalid-signature":
            await deps.stranger_limiter.count(request, address_of(request))
        raise
    if received is not None:
        await _store(deps.engine, source, received)
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
    ends_authorization = received.type in AUTHORIZATION_EVENTS
    parameters = {
        "source": source,
        "event_id": received.event_id,
        "type": received.type,
        "payload": json.dumps(dict(received.payload)),
        "payment": received.payload["object_id"] if ends_authorization else None,
    }
    async with engine.connect() as connection:
        if await connection.scalar(_STORE, parameters):
            # After the commit, because a commit with NOTIFY takes a lock that all such
            # commits queue for.
            await connection.execute(_WAKE, {"channel": INBOX, "source": source})


_WAKE = text("SELECT pg_notify(:channel, :source)")


# What an order has heard already is kept, and nobody is woken for it. Of a payment that
# is not known yet the worker finds out later.
_STORE = text(
    f"""
    INSERT INTO inbox (source, event_id, type, payload, processed_at)
    VALUES (:source, :event_id, :type, cast(:payload AS jsonb),
      CASE WHEN EXISTS (SELECT FROM payments p WHERE p.provider_ref = :payment
        AND NOT {AWAITED}) THEN now() END)
    ON CONFLICT DO NOTHING RETURNING processed_at IS NULL AS is_open
    """  # noqa: S608 - our own words
)
