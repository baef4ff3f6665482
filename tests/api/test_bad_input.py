"""Whatever is sent, it gets its problem, changes nothing, and is not repeated."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.http.problems import PROBLEMS
from api.http.request_limits import MAX_BODY_BYTES
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shared.contracts.errors import Refusal

from tests.api.conftest import MakeSettings, running
from tests.api.shop import (
    ADDRESS,
    PARCEL,
    Shop,
    an_order,
    as_user,
    code,
    done,
    eur,
    key,
)

JSON = {"Content-Type": "application/json"}
SECRET = "a-secret-that-nobody-should-see"


async def post(shop: Shop, content: bytes, **headers: str) -> httpx2.Response:
    return await shop.client.post(
        "/v1/orders", content=content, headers=JSON | key() | headers
    )


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b'{"a": ' + b"[" * 100_000,
        b"9" * 5000,
        b'{"currency": "\x00"}',
        b"nonsense",
        b'{"currency": "EUR", "currency": "USD"}',
        b'{"lines": [{"sku": "TEA", "quantity": 1, "quantity": 2}]}',
    ],
)
async def test_what_is_not_json_is_malformed(shop: Shop, content: bytes) -> None:
    answer = await post(shop, content)
    assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_a_body_that_nobody_asked_for_is_no_error(shop: Shop) -> None:
    for path in ("/v1/products", f"/v1/orders/ord_{'0' * 26}"):
        answer = await shop.client.request("GET", path, content=b"{", headers=JSON)
        assert answer.status_code in (200, 404)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"lines": []}, "#/lines"),
        ({"lines": [{"sku": "A", "quantity": 1}] * 501}, "#/lines"),
        ({"lines": [{"sku": "A", "quantity": 0}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "A", "quantity": True}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "A", "quantity": "1"}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "A", "quantity": 1.0}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "A", "quantity": 10**30}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "a\0", "quantity": 1}]}, "#/lines/0/sku"),
        ({"currency": "eur"}, "#/currency"),
        ({"expected_total": eur(-1)}, "#/expected_total/amount"),
        ({"expected_total": eur(10**13)}, "#/expected_total/amount"),
        ({"expected_total": eur(float("nan"))}, "#/expected_total/amount"),  # type: ignore[arg-type]
        ({"contact": {"name": "A", "email": SECRET}}, "#/contact/email"),
        ({"contact": {"name": "\ud800", "email": "a@b.c"}}, "#/contact/name"),
        ({"contact": {"name": "A", "email": "a@b.c\0d"}}, "#/contact/email"),
        ({"contact": {"name": "A", "email": "a@b.c\x01"}}, "#/contact/email"),
        ({"contact": {"name": "=?u?q?=0a?=", "email": "a@b.c"}}, "#/contact/name"),
        ({"contact": {"name": "A", "email": "=?u?q?=0a?=@b.c"}}, "#/contact/email"),
        ({"contact": {"name": "A", "email": '"a"@b.c'}}, "#/contact/email"),
        ({"contact": {"name": "A", "email": "a@b.c>,<d@e.f"}}, "#/contact/email"),
        ({"ship_to": ADDRESS | {"name": "A =?u?b?Cg==?="}}, "#/ship_to/name"),
        ({"bill_to": ADDRESS | {"city": "=?u?q?=0a?="}}, "#/bill_to/city"),
        (
            {"shipping": {"method": "=?u?q?=0a?=", "amount": eur(1)}},
            "#/shipping/method",
        ),
        ({"external_ref": "a\0b"}, "#/external_ref"),
        ({"external_ref": "a\rb"}, "#/external_ref"),
        ({"ship_to": ADDRESS | {"country": "Germany"}}, "#/ship_to/country"),
        ({"ship_to": ADDRESS | {"city": "  "}}, "#/ship_to/city"),
        ({"payment": {"method": "4242 4242 4242 4242"}}, "#/payment/method"),
        (
            {"payment": {"method": "pm_x", "return_url": "javascript:x"}},
            "#/payment/return_url",
        ),
        ({"metadata": {"a": {"b": 1}}}, "#/metadata/a"),
        ({"metadata": {str(n): 1 for n in range(51)}}, "#/metadata"),
        ({"contact": {"name": "A\x9b31m", "email": "a@b.c"}}, "#/contact/name"),
        ({"contact": {"name": "Ada\u202e", "email": "a@b.c"}}, "#/contact/name"),
        ({"contact": {"name": "A\u200bda", "email": "a@b.c"}}, "#/contact/name"),
        ({"contact": {"name": "A\U000e0041", "email": "a@b.c"}}, "#/contact/name"),
        ({"contact": {"name": "Ada", "email": "a\u200b@b.c"}}, "#/contact/email"),
        ({"ship_to": ADDRESS | {"city": "Ber\u2028lin"}}, "#/ship_to/city"),
        ({"external_ref": "a\u2066b"}, "#/external_ref"),
        ({"external_ref": "a\x85b"}, "#/external_ref"),
        ({"customer_id": "ada\ufeff"}, "#/customer_id"),
        ({"customer_id": "worker"}, "#/customer_id"),
        ({"customer_id": "SHOP"}, "#/customer_id"),
        ({"customer_id": f"era_{'0' * 26}"}, "#/customer_id"),
        ({"metadata": {"a": "\x1b]0;pwned\x07"}}, "#/metadata/a"),
        ({"metadata": {"a": "\x9b2J"}}, "#/metadata/a"),
        ({"metadata": {"a": "x\u202ey"}}, "#/metadata/a"),
        ({"surprise": 1}, "#/surprise"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
        ({"\ud800": 1}, "#"),
        ({"metadata": {"a": "\ud800"}}, "#/metadata/a"),
    ],
)
async def test_a_field_that_does_not_fit_is_named_without_its_value(
    shop: Shop, changed: dict[str, Any], pointer: str
) -> None:
    body = json.dumps(an_order(**changed)).encode()
    answer = await post(shop, body)
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert SECRET not in answer.text
    assert all(
        e.keys() == {"pointer", "code", "detail"} for e in answer.json()["errors"]
    )


TWICE = {"lines": [{"line": 1, "quantity": 1}] * 2}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/orders/ord_{}/cancellations", TWICE | {"reason": "x"}, "#/lines"),
        ("/v1/shipments/shp_{}/pack", TWICE | {"parcel": PARCEL}, "#/lines"),
        (
            "/v1/holds/hld_{}/release",
            {"decision": "cancel_lines", "note": "x", "params": TWICE},
            "#/params/lines",
        ),
    ],
)
async def test_a_line_is_named_once(
    shop: Shop, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await shop.client.post(path.format("0" * 26), json=body, headers=key())
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "path", ["/v1/shipments/shp_{}/cancel", "/v1/orders/ord_{}/resume"]
)
async def test_a_command_without_a_body_ignores_none(shop: Shop, path: str) -> None:
    answer = await shop.client.post(
        path.format("0" * 26),
        json={"lines": [{"line": 1, "quantity": 1}]},
        headers=key(),
    )
    assert (answer.status_code, code(answer)) == (422, "validation")


async def test_a_request_that_was_not_understood_leaves_its_key_open(
    shop: Shop,
) -> None:
    await shop.sell()
    same = key()
    await post(shop, b"{}", **same)
    done(await shop.client.post("/v1/orders", json=an_order(), headers=same))


async def test_a_body_has_a_limit(shop: Shop) -> None:
    answer = await post(shop, b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, code(answer)) == (413, "too-large")


async def test_the_limit_holds_without_a_length(shop: Shop) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield b" " * 65536

    answer = await shop.client.post(
        "/v1/orders", content=chunks(), headers=JSON | key()
    )
    assert (answer.status_code, code(answer)) == (413, "too-large")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
async def test_only_json_is_understood(shop: Shop, kind: str) -> None:
    answer = await post(shop, b"{}", **{"Content-Type": kind})
    assert (answer.status_code, code(answer)) == (415, "unsupported-media-type")


async def test_an_address_that_does_not_exist_is_a_problem(shop: Shop) -> None:
    for path in ("/v1", "/v1/nothing", "/v2/orders"):
        answer = await shop.client.get(path)
        assert (answer.status_code, code(answer)) == (404, "not-found")


async def test_a_method_that_does_not_fit_is_a_problem(shop: Shop) -> None:
    answer = await shop.client.delete("/v1/orders")
    assert (answer.status_code, code(answer)) == (405, "method-not-allowed")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/orders", "GET, HEAD, POST"),
        ("/v1/products/TEA", "GET, HEAD, PUT"),
        ("/v1/stock/receipts", "POST"),
        ("/health", "GET, HEAD"),
    ],
)
async def test_an_address_names_every_method_that_fits(
    shop: Shop, path: str, allowed: str
) -> None:
    answer = await shop.client.delete(path)
    assert answer.headers["allow"] == allowed


async def test_an_unexpected_failure_shows_a_trace_id_and_nothing_else(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    async with running(app) as client:
        answer = await client.get("/broken")
    problem = answer.json()
    assert (answer.status_code, code(answer)) == (500, "internal")
    assert answer.headers["x-request-id"] == problem["trace_id"]
    assert SECRET not in answer.text
    assert SECRET in caplog.text


async def test_the_codes_are_listed(shop: Shop) -> None:
    page = await shop.get("/problems")
    assert {kind["code"] for kind in page["data"]} == set(PROBLEMS)
    one = await shop.get("/problems/price-changed")
    assert one["status"] == 409
    unknown = await shop.client.get("/problems/nothing")
    assert code(unknown) == "not-found"


@pytest.mark.parametrize("end", ["", "/"])
async def test_a_problem_leads_to_its_description(
    make_settings: MakeSettings, end: str
) -> None:
    app = create_app(make_settings(public_url=f"https://orders.example.com{end}"))
    async with running(app) as client:
        problem = (await client.get("/v1/nothing")).json()
    assert problem["type"] == "https://orders.example.com/problems/not-found"
    assert problem["instance"] == "/v1/nothing"


async def test_one_log_line_tells_of_a_request(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api.access")
    answer = await shop.client.get("/v1/orders/ord_x", headers=as_user("ada", "admin"))
    [line] = [r for r in caplog.records if r.name == "api.access"]
    names = ("method", "route", "status", "caller")
    assert {name: getattr(line, name) for name in names} == {
        "method": "GET",
        "route": "/v1/orders/{order_id}",
        "status": 404,
        "caller": "ada",
    }
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "name", ["Zoë Åsa", "山田\u3000太郎", "محمد", "Nguyễn Văn", "O’Brien-Łuk", "🫖"]
)
async def test_names_of_all_writings_are_taken(shop: Shop, name: str) -> None:
    await shop.sell()
    order = await shop.order(ship_to=ADDRESS | {"name": name}, metadata={"to": name})
    assert order["metadata"] == {"to": name}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
PATHS = (
    "/v1/orders",
    "/v1/stock/receipts",
    "/v1/stock/adjustments",
    "/v1/holds/hld_01k00000000000000000000000/release",
    "/v1/shipments/shp_01k00000000000000000000000/pack",
    "/v1/webhooks/stripe",
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(path=st.sampled_from(PATHS), body=JUNK, name=st.sampled_from([*an_order(), "x"]))
async def test_no_input_makes_a_500(
    shop: Shop, path: str, body: object, name: str
) -> None:
    for document in (body, an_order() | {name: body}):
        answer = await shop.client.post(
            path, content=json.dumps(document).encode(), headers=JSON | key()
        )
        assert 400 <= answer.status_code < 500, answer.text
        code(answer)


async def test_a_problem_s_own_members_keep_their_meaning(app: FastAPI) -> None:
    @app.get("/refused")
    async def refused() -> None:
        raise Refusal("wrong-state", "No.", status="ready", shipment="shp_1")

    async with running(app) as client:
        answer = await client.get("/refused")
    assert (answer.status_code, code(answer)) == (409, "wrong-state")
    assert answer.json()["shipment"] == "shp_1"
