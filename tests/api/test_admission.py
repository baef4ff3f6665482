"""No request holds up the event loop for long, whoever sends it."""

import json
from collections.abc import AsyncIterator

import pytest
from api.app import create_app
from api.http.admission import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_ESCAPES,
    MAX_PARAMETERS,
    MAX_VALUES,
)
from api.http.request_limits import MAX_BODY_BYTES, USUAL_BODY_BYTES

from tests.api.conftest import MakeSettings, running
from tests.api.shop import Shop, an_order, as_user, code, key

JSON = {"Content-Type": "application/json"}
WITH_AN_ISSUER = {
    "api_auth": "oidc",
    "oidc_issuer": "https://id.example.com/",
    "oidc_audience": "orders",
    "oidc_jwks_url": "http://127.0.0.1:1/keys",
}


# ── who, before anything is read ────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/stock/receipts", "/v1/nothing"])
async def test_nothing_is_read_of_whoever_has_no_token(
    make_settings: MakeSettings, path: str
) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{")
        yield b"{"

    async with running(create_app(make_settings(**WITH_AN_ISSUER))) as client:
        sent = {"headers": JSON | key(), "content": body()}
        answer = await client.post(path, **sent)  # type: ignore[arg-type]
    assert (answer.status_code, code(answer)) == (401, "unauthenticated")
    assert read == []


async def test_an_address_is_limited_in_how_often_it_calls_without_a_token(
    make_settings: MakeSettings,
) -> None:
    app = create_app(make_settings(api_stranger_limit="2/minute", **WITH_AN_ISSUER))
    async with running(app) as client:
        bad = {"Authorization": "Bearer x.y.z"}
        answers = [
            await client.get("/v1/orders", headers=h) for h in ({}, bad, {}, bad)
        ]
        forged = await client.post("/v1/webhooks/stripe", json={})
        healthy = await client.get("/health")
    assert [a.status_code for a in answers] == [401, 401, 429, 429]
    assert code(answers[2]) == code(forged) == "too-many-requests"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert healthy.status_code == 200


async def test_whoever_is_known_is_served_beside_strangers(
    make_settings: MakeSettings,
) -> None:
    app = create_app(make_settings(api_stranger_limit="1/minute"))
    async with running(app) as client:
        nameless = as_user("\t", "admin")
        answers = [await client.get("/v1/products", headers=nameless) for _ in "ab"]
        known = await client.get("/v1/products", headers=as_user("ada", "orders:own"))
    assert [a.status_code for a in answers] == [401, 429]
    assert known.status_code == 200


# ── how much ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/v1/orders", MAX_BODY_BYTES),
        ("/v1/webhooks/stripe", MAX_BODY_BYTES),
        ("/v1/stock/receipts", USUAL_BODY_BYTES),
        ("/v1/holds/hld_01k00000000000000000000000/release", USUAL_BODY_BYTES),
    ],
)
async def test_each_address_has_its_limit(shop: Shop, path: str, most: int) -> None:
    for size, refused in ((most, False), (most + 1, True)):
        answer = await shop.client.post(
            path, content=b"{}".ljust(size), headers=JSON | key()
        )
        assert (answer.status_code == 413) is refused


def members(count: int, name: str = "m") -> dict[str, int]:
    return {f"{name}{n}": 1 for n in range(count)}


def nested(depth: int) -> object:
    inner: object = 1
    for _ in range(depth):
        inner = [inner]
    return inner


HOSTILE: dict[str, object] = {
    "members of an order": members(4000),
    "members of metadata": {"metadata": members(4000)},
    "values": {"lines": [0] * MAX_VALUES},
    "objects": {"lines": [{}] * (MAX_VALUES // 2)},
    "texts": {"lines": [""] * MAX_VALUES},
    "depth": {"lines": nested(MAX_DEPTH)},
    "digits": {"currency": 10**MAX_DIGITS},
    "escapes": {"currency": '"' * (MAX_ESCAPES + 1)},
}


@pytest.mark.parametrize("shape", HOSTILE)
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/stock/receipts"])
async def test_what_would_take_long_is_not_looked_at(
    shop: Shop, path: str, shape: str
) -> None:
    body = json.dumps(an_order() | HOSTILE[shape]).encode()  # type: ignore[operator]
    assert len(body) <= USUAL_BODY_BYTES
    answer = await shop.client.post(path, content=body, headers=JSON | key())
    assert code(answer) in ("too-large", "malformed")


async def test_as_much_as_that_is_looked_at(shop: Shop) -> None:
    """One less of each is the schema's matter."""
    for wanted in (
        {"lines": [0] * (MAX_VALUES - 100)},
        {"lines": nested(MAX_DEPTH - 1)},
        {"currency": 10 ** (MAX_DIGITS - 1)},
        {"currency": '"' * 20_000},
    ):
        answer = await shop.client.post(
            "/v1/orders", json=an_order(**wanted), headers=key()
        )
        assert (answer.status_code, code(answer)) == (422, "validation")
        assert len(answer.json()["errors"]) == 1


async def test_mistakes_of_one_line_are_found_and_no_more(shop: Shop) -> None:
    wrong = {"sku": "?", "quantity": 0}
    answer = await shop.client.post(
        "/v1/orders", json=an_order(lines=[wrong] * 500), headers=key()
    )
    assert [e["pointer"] for e in answer.json()["errors"]] == [
        "#/lines/0/sku",
        "#/lines/0/quantity",
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
async def test_only_utf_8_is_read(shop: Shop, encoding: str) -> None:
    await shop.sell()
    kind = {"Content-Type": f"application/json; charset={encoding}"}
    answer = await shop.client.post(
        "/v1/orders",
        content=json.dumps(an_order()).encode(encoding),
        headers=kind | key(),
    )
    assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_texts_may_hold_what_structure_is_made_of(shop: Shop) -> None:
    await shop.sell()
    strange = {
        f"k{n}": text
        for n, text in enumerate(
            ('"' * 500, "\\" * 500, "[{,:" * 125, "9" * 500, '\\"')
        )
    }
    order = await shop.order(metadata=strange)
    assert order["metadata"] == strange


async def test_an_address_has_so_many_parameters(shop: Shop) -> None:
    for path in ("/v1/orders", "/health"):
        query = "&".join("x=1" for _ in range(MAX_PARAMETERS + 1))
        answer = await shop.client.get(f"{path}?{query}")
        assert (answer.status_code, code(answer)) == (400, "malformed")
