"""What shops and people really write, and what they are told about what is refused."""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from api.__main__ import openapi_document
from api.http.forms import FORMS
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import PRICE, SKU, Shop, an_order, code, done, eur, key

PRODUCT = {"name": "Tea", "price": eur(PRICE)}


def _path(sku: str) -> str:
    return f"/v1/products/{quote(sku, safe='')}"


@pytest.mark.parametrize("sku", ["TEA/ASSAM 250 g", "Tüte-1", "A/movements", "茶_1"])
async def test_a_sku_is_what_the_shop_calls_it(shop: Shop, sku: str) -> None:
    await shop.open_location()
    done(await shop.client.put(_path(sku), json=PRODUCT))
    assert done(await shop.client.get(_path(sku)))["sku"] == sku
    received = {
        "location": "berlin",
        "ref": "1",
        "lines": [{"sku": sku, "quantity": 3}],
    }
    await shop.post("/v1/stock/receipts", received)
    moved = await shop.get(f"/v1/stock/{quote(sku, safe='')}/movements")
    assert [m["on_hand"] for m in moved["data"]] == [3]
    order = await shop.order(lines=[{"sku": sku, "quantity": 2}])
    assert [line["sku"] for line in order["lines"]] == [sku]


async def test_the_same_letters_are_the_same_sku(shop: Shop) -> None:
    done(await shop.client.put(_path("Tu\u0308te"), json=PRODUCT))
    assert done(await shop.client.get(_path("T\u00fcte")))["sku"] == "T\u00fcte"


@pytest.mark.parametrize("sku", ["-x", " x", "x ", "x" * 65, "a\tb"])
async def test_a_malformed_sku_is_refused_and_not_missing(shop: Shop, sku: str) -> None:
    answer = await shop.client.put(_path(sku), json=PRODUCT)
    assert (answer.status_code, code(answer)) == (422, "validation")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "path:sku"
    assert "letter or digit" in error["detail"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"currency": "euro"}, "Value must be the three capitals of ISO 4217, such as"),
        (
            {"external_ref": " x"},
            "Value must be a text of up to 100 characters",
        ),
        ({"contact": {"name": "A", "email": "a"}}, "Value must be a mail address"),
    ],
)
async def test_nobody_has_to_read_a_pattern(
    shop: Shop, changed: dict[str, Any], says: str
) -> None:
    answer = await shop.client.post(
        "/v1/orders", json=an_order(**changed), headers=key()
    )
    (error,) = answer.json()["errors"]
    assert error["detail"].startswith(says)


async def test_a_check_of_our_own_speaks_for_itself(shop: Shop) -> None:
    contact = {"name": "=?utf-8?q?Ada?=", "email": "ada@example.com"}
    answer = await shop.client.post(
        "/v1/orders", json=an_order(contact=contact), headers=key()
    )
    (error,) = answer.json()["errors"]
    assert "Value error" not in error["detail"]
    assert error["detail"][0].isupper()


def test_every_pattern_of_the_contract_is_told_in_words() -> None:
    assert set(_patterns(json.loads(openapi_document()))) <= FORMS.keys()


def _patterns(schema: object) -> Iterator[str]:
    match schema:
        case dict():
            if isinstance(schema.get("pattern"), str):
                yield schema["pattern"]
            for part in schema.values():
                yield from _patterns(part)
        case list():
            for part in schema:
                yield from _patterns(part)


@pytest.mark.parametrize(
    "email",
    [
        *("ada@localhost", "ada@shop.invalid", "ada@home.test", "ada@127.0.0.1"),
        *("äda@example.com", "a..b@example.com", "ada@-example.com"),
    ],
)
async def test_nobody_is_promised_mail_who_can_get_none(shop: Shop, email: str) -> None:
    await shop.sell()
    order = an_order(contact={"name": "Ada", "email": email})
    answer = await shop.client.post("/v1/orders", json=order, headers=key())
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/contact/email"
    assert email not in answer.text


async def test_a_domain_is_kept_as_mail_servers_write_it(shop: Shop) -> None:
    await shop.sell()
    contact = {"name": "Ada", "email": "ada@exämple.de", "locale": "de_DE"}
    order = await shop.order(contact=contact)
    kept = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert (kept["email"], kept["locale"]) == ("ada@xn--exmple-cua.de", "de-DE")


def test_what_only_the_system_decides_is_not_offered() -> None:
    release = json.loads(openapi_document())["components"]["schemas"]["Release"]
    assert "settled" not in release["properties"]["decision"]["enum"]


async def test_a_packed_body_is_told_to_come_unpacked(shop: Shop) -> None:
    sent = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    packed = gzip.compress(b"{}")
    answer = await shop.client.post("/v1/orders", content=packed, headers=sent | key())
    assert (answer.status_code, code(answer)) == (415, "unsupported-media-type")


async def test_a_reference_names_its_order_and_is_free_after_a_cancellation(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order(external_ref="web-1")
    again = an_order(external_ref="web-1")
    taken = await shop.client.post("/v1/orders", json=again, headers=key())
    assert (taken.status_code, code(taken)) == (409, "duplicate-reference")
    assert taken.json()["order_id"] == order["id"]
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE orders SET status = 'cancelled', reason = 'asked'")
        )
    done(await shop.client.post("/v1/orders", json=again, headers=key()))


async def test_a_product_is_not_replaced_that_was_changed_meanwhile(shop: Shop) -> None:
    path = _path("TEA")
    first = await shop.client.put(path, json=PRODUCT)
    seen = {"If-Match": first.headers["etag"]}
    assert (await shop.client.get(path)).headers["etag"] == first.headers["etag"]
    done(await shop.client.put(path, json=PRODUCT | {"name": "Assam"}, headers=seen))
    late = await shop.client.put(path, json=PRODUCT | {"name": "Ceylon"}, headers=seen)
    assert (late.status_code, code(late)) == (412, "version-mismatch")
    new = await shop.client.put(_path("MUG"), json=PRODUCT, headers={"If-Match": "*"})
    assert (new.status_code, code(new)) == (412, "version-mismatch")


async def test_a_cursor_is_of_its_list(shop: Shop) -> None:
    await shop.sell()
    for _ in range(2):
        await shop.order(lines=[{"sku": SKU, "quantity": 2}])
    cursor = (await shop.get("/v1/orders", limit=1))["next_cursor"]
    assert len((await shop.get("/v1/orders", limit=1, cursor=cursor))["data"]) == 1
    for other in ("/v1/shipments", "/v1/returns"):
        answer = await shop.client.get(other, params={"cursor": cursor})
        assert (answer.status_code, code(answer)) == (422, "validation")
