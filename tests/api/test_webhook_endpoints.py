"""Webhook endpoints: made, changed, disabled, and their mistakes. What is delivered is
in tests/webhooks."""

import base64
import json
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.processes import PROCESSES, event_types
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.shop import Json, Shop, as_user, code, done, key

PATH = "/v1/webhook-endpoints"
HERE = "https://203.0.113.7/hooks"
"""Reserved for documentation (RFC 5737): private, and allowed in these tests."""
PUBLIC = "https://93.184.216.34/hooks"


def an_endpoint(**changed: Any) -> Json:
    return {"url": PUBLIC, "owner_email": "erp@example.com"} | changed


async def events_of(engine: Engine, subject: str) -> Sequence[str]:
    async with engine.connect() as connection:
        return await connection.scalars(
            text("SELECT type FROM events WHERE subject = :id ORDER BY seq"),
            {"id": subject},
        )


@pytest.fixture
async def endpoint(shop: Shop) -> Json:
    return await shop.post(PATH, an_endpoint(types=["order.*"]))


async def test_one_is_made_and_found(shop: Shop, endpoint: Json) -> None:
    assert endpoint["status"] == "enabled"
    assert endpoint["types"] == ["order.*"]
    assert (await shop.get(PATH))["data"] == [endpoint]
    assert await shop.get(f"{PATH}/{endpoint['id']}") == endpoint


async def test_its_secret_is_shown_to_those_who_may_change_it_and_nowhere_else(
    shop: Shop, endpoint: Json
) -> None:
    path = f"{PATH}/{endpoint['id']}/secret"
    secret = (await shop.get(path))["secret"]
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret not in str(endpoint)
    reader = as_user("ada", "webhooks:read")
    assert code(await shop.client.get(path, headers=reader)) == "insufficient-scope"


async def test_a_secret_of_ones_own_is_kept(shop: Shop) -> None:
    secret = "whsec_" + base64.b64encode(b"x" * 24).decode()
    made = await shop.post(PATH, an_endpoint(secret=secret))
    assert (await shop.get(f"{PATH}/{made['id']}/secret"))["secret"] == secret


async def test_it_changes_by_what_is_given(shop: Shop, endpoint: Json) -> None:
    path = f"{PATH}/{endpoint['id']}"
    answer = await shop.client.patch(path, json={"types": ["shipment.*"]})
    changed = done(answer)
    assert changed["types"] == ["shipment.*"]
    assert changed["url"] == endpoint["url"]
    assert (await shop.client.patch(path, json={"url": None})).status_code == 422


async def test_it_is_disabled_and_enabled(
    shop: Shop, engine: Engine, endpoint: Json
) -> None:
    path = f"{PATH}/{endpoint['id']}"
    assert (await shop.post(f"{path}/disable", {}))["status"] == "disabled"
    refused = await shop.client.post(f"{path}/test", json={}, headers=key())
    assert code(refused) == "wrong-state"
    assert (await shop.post(f"{path}/enable", {}))["status"] == "enabled"
    assert await events_of(engine, endpoint["id"]) == [
        "webhook_endpoint.created",
        "webhook_endpoint.disabled",
        "webhook_endpoint.enabled",
    ]


async def test_a_new_secret_leaves_the_old_one_for_a_while(
    shop: Shop, endpoint: Json
) -> None:
    path = f"{PATH}/{endpoint['id']}"
    before = await shop.get(f"{path}/secret")
    rotated = await shop.post(f"{path}/rotate-secret", {"overlap_hours": 1})
    after = await shop.get(f"{path}/secret")
    assert after["previous"] == before["secret"] != after["secret"]
    assert after["previous_until"] == rotated["previous_secret_until"] is not None
    await shop.post(f"{path}/rotate-secret", {"overlap_hours": 0})
    assert (await shop.get(f"{path}/secret"))["previous"] is None


async def test_one_that_is_deleted_is_not_found(
    shop: Shop, engine: Engine, endpoint: Json
) -> None:
    path = f"{PATH}/{endpoint['id']}"
    assert (await shop.client.delete(path)).status_code == 204
    assert code(await shop.client.delete(path)) == "not-found"
    assert code(await shop.client.get(f"{path}/deliveries")) == "not-found"
    assert "webhook_endpoint.deleted" in await events_of(engine, endpoint["id"])


async def test_a_test_waits_to_be_delivered(shop: Shop, endpoint: Json) -> None:
    path = f"{PATH}/{endpoint['id']}"
    sent = await shop.post(f"{path}/test", {})
    assert (sent["type"], sent["status"]) == ("webhook_endpoint.test", "pending")
    assert (await shop.get(f"{path}/deliveries"))["data"] == [sent]
    assert await shop.get(f"{path}/deliveries/{sent['id']}") == sent
    assert (await shop.get(f"{path}/deliveries", status="failed"))["data"] == []
    again = await shop.post(f"{path}/deliveries/{sent['id']}/redeliver", {})
    assert again["status"] == "pending"


async def test_deliveries_are_found_by_what_can_be_a_subject(
    client: httpx2.AsyncClient, endpoint: Json
) -> None:
    path = f"{PATH}/{endpoint['id']}/deliveries"
    for subject in ("\0", "a\x1b[2J", "\u202e"):
        answer = await client.get(path, params={"subject": subject})
        assert code(answer) == "validation"


async def test_a_cursor_of_numbers_that_no_row_has_is_none(
    shop: Shop, endpoint: Json
) -> None:
    path = f"{PATH}/{endpoint['id']}"
    for _ in range(2):
        await shop.post(f"{path}/test", {})
    page = await shop.get(f"{path}/deliveries", limit=1)
    of_list, *position = json.loads(
        base64.urlsafe_b64decode(page["next_cursor"] + "==")
    )
    assert len(position) == 2
    for odd in (10**30, 1e300, -1, True, "1"):
        for row in ([odd, 1], [1, odd]):
            written = json.dumps([of_list, *row]).encode()
            cursor = base64.urlsafe_b64encode(written).decode().rstrip("=")
            answer = await shop.client.get(
                f"{path}/deliveries", params={"cursor": cursor}
            )
            assert code(answer) == "validation", odd


async def test_a_delivery_that_is_not_there_is_not_found(
    client: httpx2.AsyncClient, endpoint: Json
) -> None:
    for id in ("1-1", "nonsense"):
        path = f"{PATH}/{endpoint['id']}/deliveries/{id}"
        assert code(await client.get(path)) == "not-found"
        again = await client.post(f"{path}/redeliver", json={}, headers=key())
        assert code(again) == "not-found"


async def test_only_the_last_month_is_sent_again(shop: Shop, endpoint: Json) -> None:
    path = f"{PATH}/{endpoint['id']}/redeliver"
    for since in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        answer = await shop.client.post(path, json={"since": since}, headers=key())
        assert code(answer) == "validation"


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        ({"url": "http://erp.example.com/hooks"}, "insecure-endpoint"),
        ({"url": "ftp://erp.example.com/hooks"}, "validation"),
        ({"url": "https://user:pass@example.com"}, "validation"),
        ({"url": "https://example.com:99999/"}, "validation"),
        ({"url": "https://93.184.216.34:22/"}, "validation"),
        ({"url": "https://localhost/hooks"}, "private-address"),
        ({"url": "https://10.1.2.3/hooks"}, "private-address"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "private-address"),
        ({"url": "https://[::ffff:10.1.2.3]/hooks"}, "private-address"),
        ({"url": "https://[64:ff9b::a00:1]/hooks"}, "private-address"),
        ({"url": "https://2130706433/hooks"}, "private-address"),
        ({"url": "https://erp..example.com/"}, "validation"),
        ({"url": f"https://{'a' * 64}.example.com/"}, "validation"),
        ({"types": ["order.eaten"]}, "unknown-event-type"),
        ({"types": ["meal.*"]}, "unknown-event-type"),
        ({"types": []}, "validation"),
        ({"secret": "whsec_c2hvcnQ="}, "weak-secret"),
        ({"secret": "whsec_A"}, "weak-secret"),
        ({"secret": "my secret"}, "validation"),
        ({"after": "9223372036854775807-1"}, "cursor-ahead"),
        ({"after": "yesterday"}, "validation"),
        ({"owner_email": "nobody"}, "validation"),
    ],
)
async def test_each_mistake_has_its_problem_and_makes_nothing(
    client: httpx2.AsyncClient, mistake: Json, problem: str
) -> None:
    answer = await client.post(PATH, json=an_endpoint(**mistake), headers=key())
    assert code(answer) == problem
    assert done(await client.get(PATH))["data"] == []


async def test_there_are_only_so_many(
    shop: Shop, endpoint: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.kernel.webhook_endpoint.changes.MOST_ENDPOINTS", 1)
    answer = await shop.client.post(PATH, json=an_endpoint(), headers=key())
    assert code(answer) == "too-many-endpoints"


async def test_a_network_of_ones_own_may_be_allowed(
    make_settings: MakeSettings,
) -> None:
    app = create_app(make_settings(webhook_networks=(ip_network("203.0.113.0/24"),)))
    async with running(app) as client:
        for url in (HERE, HERE.replace("https", "http")):
            answer = await client.post(PATH, json=an_endpoint(url=url), headers=key())
            assert answer.status_code == 201
        answer = await client.post(
            PATH, json=an_endpoint(url="http://127.0.0.1/"), headers=key()
        )
        assert code(answer) == "private-address"


async def test_every_type_of_event_is_in_the_document(
    client: httpx2.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    assert event_types(PROCESSES).keys() <= document["webhooks"].keys()
