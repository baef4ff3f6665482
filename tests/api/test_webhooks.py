"""Webhooks: only from whom they say, stored once, and nothing personal of them."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.http.request_limits import MAX_BODY_BYTES
from api.orders.webhook.signatures import OLDEST_EVENT
from pydantic import SecretStr, ValidationError
from shared.contracts.orders.webhooks import SUBSCRIBED_EVENTS
from shared.database.engine import Engine, connector
from shared.database.listen import Listener
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text
from worker.orders.upkeep.retention import WEBHOOKS_LIVE

from tests.api.conftest import MakeSettings, running
from tests.api.shop import Json, code, done
from tests.conftest import CARRIER_SECRET, EASYPOST_SECRET, STRIPE_SECRET

INTENT = {
    "id": "evt_1",
    "type": "payment_intent.amount_capturable_updated",
    "data": {
        "object": {
            "id": "pi_1",
            "object": "payment_intent",
            "receipt_email": "ada@example.com",
        }
    },
}
SCAN: Json = {
    "type": "tracker.updated",
    "data": {
        "tracking": "T-1",
        "status": "delivered",
        "occurred_at": "2026-01-02T03:04:05.000000Z",
        "signed_by": "Ada Example",
    },
}
HOUR = timedelta(hours=1)
TRACKER: Json = {
    "id": "evt_9",
    "created_at": datetime.now(UTC).isoformat(),
    "description": "tracker.updated",
    "result": {
        "tracking_code": "T-2",
        "status": "in_transit",
        "updated_at": "2026-01-02T03:04:05Z",
        "carrier_detail": {"destination_location": "Berlin"},
    },
}


def hmac_of(secret: bytes, signed: bytes) -> bytes:
    return hmac.new(secret, signed, hashlib.sha256).digest()


def stripe_headers(
    body: bytes, secret: str = STRIPE_SECRET, at: int | None = None
) -> dict[str, str]:
    now = int(time.time()) if at is None else at
    digest = hmac_of(secret.encode(), f"{now}.".encode() + body).hex()
    return {"Stripe-Signature": f"t={now},v1={digest}"}


def carrier_headers(
    body: bytes, event_id: str = "msg_1", at: int | None = None
) -> dict[str, str]:
    now = int(time.time()) if at is None else at
    key = base64.b64decode(CARRIER_SECRET.removeprefix("whsec_"))
    digest = base64.b64encode(hmac_of(key, f"{event_id}.{now}.".encode() + body))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{digest.decode()}",
    }


def easypost_headers(body: bytes) -> dict[str, str]:
    digest = hmac_of(EASYPOST_SECRET.encode(), body).hex()
    return {"X-Hmac-Signature": f"hmac-sha256-hex={digest}"}


async def send(
    client: httpx2.AsyncClient, source: str, event: Json, headers: dict[str, str]
) -> httpx2.Response:
    body = json.dumps(event).encode()
    return await client.post(
        f"/v1/webhooks/{source}",
        content=body,
        headers={"Content-Type": "application/json"} | headers,
    )


def signed(source: str, event: Json, **more: Any) -> dict[str, str]:
    body = json.dumps(event).encode()
    by_source = {
        "stripe": stripe_headers,
        "carrier": carrier_headers,
        "easypost": easypost_headers,
    }
    return by_source[source](body, **more)


async def inbox(engine: Engine) -> list[Json]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT source, event_id, type, payload::text AS payload FROM inbox")
        )
        return [dict(row) | {"payload": json.loads(row.payload)} for row in rows]


@pytest.mark.parametrize(
    ("source", "event", "event_id", "payload"),
    [
        (
            "stripe",
            INTENT,
            "evt_1",
            {
                "object_id": "pi_1",
                "object": "payment_intent",
                "payment_intent": "pi_1",
            },
        ),
        (
            "carrier",
            SCAN,
            "msg_1",
            {
                "tracking": "T-1",
                "status": "delivered",
                "occurred_at": "2026-01-02T03:04:05.000000Z",
            },
        ),
        (
            "easypost",
            TRACKER,
            "evt_9",
            {
                "tracking": "T-2",
                "status": "in_transit",
                "occurred_at": "2026-01-02T03:04:05Z",
            },
        ),
    ],
)
async def test_a_signed_event_is_kept_by_its_ids(
    client: httpx2.AsyncClient,
    engine: Engine,
    source: str,
    event: Json,
    event_id: str,
    payload: Json,
) -> None:
    for _ in range(2):
        done(await send(client, source, event, signed(source, event)))
    [kept] = await inbox(engine)
    assert (kept["source"], kept["event_id"]) == (source, event_id)
    assert kept["payload"] == payload


@pytest.mark.parametrize("source", ["stripe", "carrier", "easypost"])
@pytest.mark.parametrize("event", [INTENT])
async def test_a_body_that_was_changed_is_refused(
    client: httpx2.AsyncClient, engine: Engine, source: str, event: Json
) -> None:
    answer = await send(client, source, event | {"id": "x"}, signed(source, event))
    assert (answer.status_code, code(answer)) == (400, "invalid-signature")
    assert await inbox(engine) == []


@pytest.mark.parametrize("seconds", [-400, 400])
@pytest.mark.parametrize(("source", "event"), [("stripe", INTENT), ("carrier", SCAN)])
async def test_an_old_signature_is_refused(
    client: httpx2.AsyncClient, source: str, event: Json, seconds: int
) -> None:
    at = int(time.time()) + seconds
    answer = await send(client, source, event, signed(source, event, at=at))
    assert (answer.status_code, code(answer)) == (400, "invalid-signature")


@pytest.mark.parametrize("field", ["id", "timestamp"])
async def test_a_signature_covers_what_it_is_sent_with(
    client: httpx2.AsyncClient, engine: Engine, field: str
) -> None:
    """So that nothing of a recording can be made new."""
    now = int(time.time())
    changed = {"id": "msg_2", "timestamp": str(now + 1)}[field]
    headers = signed("carrier", SCAN, at=now) | {f"webhook-{field}": changed}
    answer = await send(client, "carrier", SCAN, headers)
    assert (answer.status_code, code(answer)) == (400, "invalid-signature")
    assert await inbox(engine) == []


async def test_an_old_event_whose_signature_has_no_time_is_refused(
    client: httpx2.AsyncClient, engine: Engine
) -> None:
    assert OLDEST_EVENT < WEBHOOKS_LIVE, "what is younger is known by its id"
    for age, expected in ((OLDEST_EVENT, 400), (OLDEST_EVENT - HOUR, 200)):
        made = (datetime.now(UTC) - age).isoformat()
        event = TRACKER | {"created_at": made}
        answer = await send(client, "easypost", event, signed("easypost", event))
        assert answer.status_code == expected
    assert len(await inbox(engine)) == 1


@pytest.mark.parametrize("at", ["2026-01-02T03:04:05", "0001-01-01T00:00:00Z", "now"])
@pytest.mark.parametrize("source", ["carrier", "easypost"])
async def test_a_scan_has_a_time_that_can_be_stored(
    client: httpx2.AsyncClient, source: str, at: str
) -> None:
    event: Json = {
        "carrier": SCAN | {"data": SCAN["data"] | {"occurred_at": at}},
        "easypost": TRACKER | {"result": TRACKER["result"] | {"updated_at": at}},
    }[source]
    answer = await send(client, source, event, signed(source, event))
    assert (answer.status_code, code(answer)) == (400, "malformed")


@pytest.mark.parametrize("source", ["stripe", "carrier", "easypost"])
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_a_webhook_is_json(
    client: httpx2.AsyncClient, engine: Engine, source: str, kind: str
) -> None:
    event = {"stripe": INTENT, "carrier": SCAN, "easypost": TRACKER}[source]
    headers = signed(source, event) | {"Content-Type": kind}
    answer = await send(client, source, event, headers)
    assert (answer.status_code, code(answer)) == (415, "unsupported-media-type")
    assert await inbox(engine) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=,v1="},
        {"Stripe-Signature": "t=1e9,v1=x"},
        {"Stripe-Signature": f"t={'9' * 5000},v1=x"},
        {"Stripe-Signature": "v1=x"},
    ],
)
async def test_a_signature_that_is_none_is_refused(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await send(client, "stripe", INTENT, headers)
    assert (answer.status_code, code(answer)) == (400, "invalid-signature")


@pytest.mark.parametrize("event_id", ["", "m" * 3000])
async def test_an_event_has_an_id_that_can_be_stored(
    client: httpx2.AsyncClient, event_id: str
) -> None:
    headers = signed("carrier", SCAN, event_id=event_id)
    answer = await send(client, "carrier", SCAN, headers)
    assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_a_key_that_is_being_replaced_signs_twice(
    client: httpx2.AsyncClient,
) -> None:
    now = int(time.time())
    fits = signed("stripe", INTENT, at=now)["Stripe-Signature"].partition(",")[2]
    both = {"Stripe-Signature": f"t={now},v1={'0' * 64},{fits},v0=x"}
    done(await send(client, "stripe", INTENT, both))


@pytest.mark.parametrize(
    "event",
    [
        [],
        {"id": "evt_1"},
        INTENT | {"id": 7},
        INTENT | {"id": "x" * 201},
        INTENT | {"id": "a\0b"},
        INTENT | {"data": {"object": "pi_1"}},
    ],
)
async def test_a_signed_event_that_is_none_is_malformed(
    client: httpx2.AsyncClient, event: Any
) -> None:
    answer = await send(client, "stripe", event, signed("stripe", event))
    assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_an_event_without_an_id_is_acknowledged_and_forgotten(
    client: httpx2.AsyncClient, engine: Engine
) -> None:
    balance = INTENT | {"data": {"object": {"object": "balance"}}}
    done(await send(client, "stripe", balance, signed("stripe", balance)))
    assert await inbox(engine) == []


async def test_only_configured_sources_are_known(make_settings: MakeSettings) -> None:
    app = create_app(make_settings(easypost_webhook_secret=None))
    async with running(app) as client:
        for source in ("easypost", "paypal", "%00"):
            answer = await client.post(f"/v1/webhooks/{source}", json={})
            assert (answer.status_code, code(answer)) == (404, "unknown-source")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_no base64"])
def test_a_key_of_nothing_is_refused_at_the_start(
    make_settings: MakeSettings, secret: str
) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and base64"):
        make_settings(carrier_webhook_secret=SecretStr(secret))


async def test_a_webhook_has_a_limit_too(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/v1/webhooks/stripe", content=b" " * (MAX_BODY_BYTES + 1)
    )
    assert (answer.status_code, code(answer)) == (413, "too-large")


async def test_whoever_works_off_the_inbox_is_woken(
    client: httpx2.AsyncClient, database: str
) -> None:
    settings = DatabaseSettings.model_validate({"database_url": database})
    listener = Listener(connector(settings, application="test"), "inbox")
    listener.start()
    try:
        with listener.subscribe("inbox") as wake:
            assert await wake.wait(20), "connected: whatever came before is told"
            done(await send(client, "stripe", INTENT, signed("stripe", INTENT)))
            assert await wake.wait(20)
    finally:
        await listener.stop()


def test_the_operator_is_told_what_to_subscribe_to() -> None:
    page = Path(__file__).parents[2].joinpath("docs/deployment.md").read_text()
    assert [event for event in SUBSCRIBED_EVENTS if f"`{event}`" not in page] == []
