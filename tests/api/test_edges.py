"""What surrounds every route: who may ask from where, how often, and in which form."""

import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from api.app import create_app
from api.http.rate_limits import RateLimiter
from api.http.request_limits import MAX_HEAD_BYTES
from fastapi import FastAPI, Request
from limits import parse
from pydantic import ValidationError

from tests.api.conftest import MakeSettings, running
from tests.api.serving import serving
from tests.api.shop import Shop, an_order, as_user, code, done, key

ORIGIN = {"Origin": "https://shop.example.com"}
NO_ORDER = "ord_01k00000000000000000000000"


# ── headers ─────────────────────────────────────────────────────────────────────────


async def test_every_answer_carries_the_safe_headers(app: FastAPI) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError

    async with running(app) as client:
        for method, path, status in (
            ("GET", "/v1/products", 200),
            ("GET", "/health", 200),
            ("GET", "/openapi.json", 200),
            ("GET", "/docs", 200),
            ("GET", "/nothing", 404),
            ("DELETE", "/v1/orders", 405),
            ("POST", "/v1/orders", 400),
            ("POST", "/v1/webhooks/nobody", 404),
            ("GET", "/broken", 500),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == status, path
            assert_safe(answer)


def assert_safe(answer: httpx2.Response) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_nothing_leads_to_where_the_host_header_says(shop: Shop) -> None:
    evil = {"Host": "evil.example"}
    for path in ("/v1/orders/", "/v1/products/TEA/", "/docs/", "http://api//evil/"):
        answer = await shop.client.get(path, headers=evil)
        assert (answer.status_code, code(answer)) == (404, "not-found")
        assert "location" not in answer.headers
    assert "evil" not in (await shop.client.get("/", headers=evil)).text


# ── size and form ───────────────────────────────────────────────────────────────────


async def test_head_is_answered_as_get_without_the_content(shop: Shop) -> None:
    await shop.sell()
    path = f"/v1/orders/{(await shop.order())['id']}"
    whole, head = await shop.client.get(path), await shop.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == whole.headers["etag"]
    assert head.headers["content-length"] == whole.headers["content-length"]
    nowhere = await shop.client.head("/v1/stock/receipts")
    assert (nowhere.status_code, nowhere.headers["allow"]) == (405, "POST")


async def test_head_opens_no_stream(make_settings: MakeSettings) -> None:
    stream = {"Accept": "text/event-stream"}
    async with (
        serving(create_app(make_settings())) as (_, url),
        httpx2.AsyncClient(base_url=url) as client,
    ):
        shop = Shop(client)
        await shop.sell()
        path = f"/v1/orders/{(await shop.order())['id']}"
        head = await client.head(f"{path}/events", headers=stream)
        assert head.headers["content-type"].startswith("text/event-stream")
        # By the same connection.
        assert (await client.head(path)).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"X-Long": "x" * MAX_HEAD_BYTES}},
        {"headers": {f"X-{n}": "x" for n in range(3000)}},
        {"params": {"q": "x" * MAX_HEAD_BYTES}},
    ],
)
async def test_a_head_has_a_limit(shop: Shop, sent: dict[str, dict[str, str]]) -> None:
    answer = await shop.client.get(
        "/v1/orders", headers=sent.get("headers"), params=sent.get("params")
    )
    assert (answer.status_code, code(answer)) == (431, "head-too-large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "text/json"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_taken(shop: Shop, headers: dict[str, str]) -> None:
    await shop.sell()
    for path in ("/v1/orders", "/v1/webhooks/stripe"):
        answer = await shop.client.post(path, content=b"{}", headers=headers | key())
        assert (answer.status_code, code(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize("encoding", ["", "Identity", "gzip"])
async def test_an_encoding_of_nothing_says_nothing(shop: Shop, encoding: str) -> None:
    answer = await shop.client.get("/v1/orders", headers={"Content-Encoding": encoding})
    assert answer.status_code == 200


async def test_content_that_is_not_encoded_may_say_so(shop: Shop) -> None:
    await shop.sell()
    plain = {"Content-Encoding": "identity"}
    done(await shop.client.post("/v1/orders", json=an_order(), headers=key() | plain))


async def test_a_charset_does_no_harm(shop: Shop) -> None:
    await shop.sell()
    kind = {"Content-Type": "Application/JSON; charset=utf-8"}
    done(await shop.client.post("/v1/orders", json=an_order(), headers=key() | kind))


# ── addresses and ids ───────────────────────────────────────────────────────────────


IMPOSSIBLE = (
    NO_ORDER,
    NO_ORDER.upper(),
    NO_ORDER.replace("ord", "shp"),
    NO_ORDER + "%0A",
    NO_ORDER + "%00",
    NO_ORDER + "/",
    NO_ORDER.replace("_", "%5F") + "%20",
    NO_ORDER[:-1] + "i",
    "ord_%EF%BC%90" + "0" * 25,
    "%F0%9F%8D%B5",
    "%FF%FE",
    "..%2F..%2Fetc",
    "%2e%2e",
    "'; DROP TABLE orders; --",
    "{order_id}",
    "x" * 5000,
)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders/{}",
        "/v1/orders/{}/events",
        "/v1/orders/{}/process",
        "/v1/shipments/{}/label",
        "/v1/returns/{}",
        "/v1/refunds/{}",
        "/problems/{}",
    ],
)
async def test_an_id_that_cannot_exist_is_not_found(shop: Shop, path: str) -> None:
    for spelled in IMPOSSIBLE:
        answer = await shop.client.get(path.replace("{}", spelled))
        assert (answer.status_code, code(answer)) == (404, "not-found"), spelled


async def test_what_only_stands_where_an_id_should_be_is_not_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api.access")
    for spelled in ("ord_x%0A2026-01-01 [info] all is well", "%1b[2J", NO_ORDER):
        await shop.client.get(f"/v1/orders/{spelled}")
    lines = [r for r in caplog.records if r.name == "api.access"]
    assert [getattr(line, "order_id", None) for line in lines] == [None, None, NO_ORDER]
    assert {vars(line)["route"] for line in lines} == {"/v1/orders/{order_id}"}


# ── other origins ───────────────────────────────────────────────────────────────────


@pytest.fixture
async def from_pages(make_settings: MakeSettings) -> AsyncIterator[httpx2.AsyncClient]:
    origins = "https://shop.example.com, http://localhost:3000"
    async with running(create_app(make_settings(api_cors_origins=origins))) as client:
        yield client


ASKING = ORIGIN | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,idempotency-key,content-type",
}


async def test_no_page_may_call_unless_its_origin_is_named(
    client: httpx2.AsyncClient, from_pages: httpx2.AsyncClient
) -> None:
    elsewhere = {"Origin": "https://shop.example.com.evil.example"}
    for api, origin in ((client, ORIGIN), (from_pages, elsewhere)):
        asked = await api.options("/v1/orders", headers=ASKING | origin)
        answer = await api.get("/v1/products", headers=origin)
        assert not asked.is_success
        for one in (asked, answer):
            assert "access-control-allow-origin" not in one.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH"])
async def test_a_page_may_use_every_method_that_there_is(
    from_pages: httpx2.AsyncClient, method: str
) -> None:
    asking = ASKING | {"Access-Control-Request-Method": method}
    assert (await from_pages.options("/v1/orders", headers=asking)).is_success


async def test_a_page_of_a_named_origin_may_call(
    from_pages: httpx2.AsyncClient,
) -> None:
    asked = await from_pages.options("/v1/orders", headers=ASKING)
    assert asked.is_success
    assert asked.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "Idempotency-Key" in asked.headers["access-control-allow-headers"]
    assert asked.headers["x-content-type-options"] == "nosniff"
    await Shop(from_pages).sell()
    placed = await from_pages.post(
        "/v1/orders", json=an_order(), headers=key() | ORIGIN
    )
    assert placed.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "access-control-allow-credentials" not in placed.headers
    told = placed.headers["access-control-expose-headers"]
    for name in ("Location", "ETag", "Link", "Retry-After", "RateLimit"):
        assert name in told.split(", ")


async def test_a_page_can_read_every_problem(from_pages: httpx2.AsyncClient) -> None:
    huge = await from_pages.post("/v1/orders", content=b" " * 2**21, headers=ORIGIN)
    unknown = await from_pages.get("/nothing", headers=ORIGIN)
    assert [huge.status_code, unknown.status_code] == [413, 404]
    for answer in (huge, unknown):
        assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]


@pytest.mark.parametrize(
    "origins",
    ["*", "https://*.example.com", "shop.example.com", "https://a.example/x", "null"],
)
def test_origins_are_named_one_by_one(
    make_settings: MakeSettings, origins: str
) -> None:
    with pytest.raises(ValidationError, match="must be origins"):
        make_settings(api_cors_origins=origins)


# ── how often ───────────────────────────────────────────────────────────────────────


async def test_a_subject_that_asks_too_often_is_told_when_to_try_again(
    make_settings: MakeSettings,
) -> None:
    ada, bob = as_user("ada", "admin"), as_user("bob", "admin")
    app = create_app(make_settings(api_rate_limit="2/minute"))
    async with running(app) as client:
        first, second, third = [
            await client.get("/v1/products", headers=ada) for _ in range(3)
        ]
        other = await client.get("/v1/products", headers=bob)
    assert [first.status_code, second.status_code] == [200, 200]
    assert (third.status_code, code(third)) == (429, "too-many-requests")
    assert other.status_code == 200
    assert first.headers["ratelimit-policy"] == '"subject";q=2;w=60'
    assert first.headers["ratelimit"].startswith('"subject";r=1;t=')
    assert third.headers["ratelimit"].startswith('"subject";r=0;t=')
    assert 1 <= int(third.headers["retry-after"]) <= 60


async def test_a_request_too_many_changes_nothing(make_settings: MakeSettings) -> None:
    app = create_app(make_settings(api_rate_limit="1/minute"))
    async with running(app) as client:
        product = {"name": "Tea", "price": {"amount": 1290, "currency": "EUR"}}
        done(await client.put("/v1/products/TEA", json=product))
        again = await client.put(
            "/v1/products/TEA", json={"name": "x", "price": {"amount": 1}}
        )
        kept = await client.get("/v1/products/TEA", headers=as_user("bob", "admin"))
    assert again.status_code == 429
    assert kept.json()["price"]["amount"] == 1290


async def test_probes_and_webhooks_are_not_counted(make_settings: MakeSettings) -> None:
    app = create_app(make_settings(api_rate_limit="1/minute"))
    async with running(app) as client:
        for _ in range(3):
            assert (await client.get("/health")).status_code == 200
            assert (await client.get("/ready")).status_code == 200
            refused = await client.post("/v1/webhooks/stripe", json={})
            assert code(refused) == "invalid-signature"


async def test_without_a_limit_nothing_is_told(client: httpx2.AsyncClient) -> None:
    assert "ratelimit" not in (await client.get("/v1/products")).headers


async def test_only_subjects_of_the_window_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = RateLimiter(parse("10/second"))
    for n in range(1000):
        await rates.count(Request({"type": "http"}), f"subject-{n}")
    then = time.time() + 2
    monkeypatch.setattr(time, "time", lambda: then)
    await rates.count(Request({"type": "http"}), "somebody")
    assert rates.counts.timer is not None
    await rates.counts.timer
    assert len(rates.counts.storage) == len(rates.counts.expirations) == 1
    assert len(rates.counts.locks) <= 1


@pytest.mark.parametrize("rate", ["many", "5/fortnight", "100/hour", "5 per 2 minutes"])
def test_a_rate_is_a_number_a_second_or_a_minute(
    make_settings: MakeSettings, rate: str
) -> None:
    with pytest.raises(ValidationError, match="api_rate_limit"):
        make_settings(api_rate_limit=rate)
