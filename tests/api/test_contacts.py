"""Whom an order is for and where it goes: seen, corrected, and nobody else's."""

import logging

import httpx2
import pytest
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import ADDRESS, Json, Shop, as_user, code, done


async def test_the_timeline_names_the_changed_fields_alone(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    answer = await shop.client.patch(
        f"/v1/orders/{order['id']}/contact",
        json={"email": "new@example.com", "phone": "+49 30 1234"},
        headers=as_user("ada", "orders:own") | {"If-Match": '"1"'},
    )
    assert done(answer)["version"] == 2
    events = await shop.get(f"/v1/orders/{order['id']}/events", after=1)
    assert events["data"][0]["data"] == {"fields": ["email", "phone"]}
    async with engine.connect() as connection:
        email = await connection.scalar(text("SELECT email FROM contacts"))
        kept = await connection.scalar(text("SELECT count(*) FROM applied"))
    assert email == "new@example.com"
    assert kept == 0, "a digest of it tells whoever guesses it"


async def corrected(
    shop: Shop, order: Json, if_match: str, **fields: object
) -> httpx2.Response:
    return await shop.client.patch(
        f"/v1/orders/{order['id']}/contact",
        json=fields,
        headers={"If-Match": if_match},
    )


async def test_a_correction_of_any_version_is_never_a_repeat(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    for email in ("old@example.com", "new@example.com", "old@example.com"):
        done(await corrected(shop, order, "*", email=email))
    async with engine.connect() as connection:
        email = await connection.scalar(text("SELECT email FROM contacts"))
    assert email == "old@example.com"


async def test_one_of_several_versions_is_enough(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    stale = await corrected(shop, order, '"7", W/"1"', phone="+49 30 1234")
    assert (stale.status_code, code(stale)) == (412, "version-mismatch")
    fresh = await corrected(shop, order, '"7", "1"', phone="+49 30 1234")
    assert done(fresh)["version"] == 2


async def test_a_contact_is_not_corrected_to_nothing(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    for needed in ("name", "email", "ship_to"):
        answer = await corrected(shop, order, '"1"', **{needed: None})
        assert (answer.status_code, code(answer)) == (422, "validation")


async def test_a_few_fields_correct_theirs(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order(ship_to=ADDRESS | {"street2": "Rear house"})
    done(await corrected(shop, order, "*", ship_to={"postal_code": "10117"}))
    done(await corrected(shop, order, "*", ship_to={"street2": None}))
    done(await corrected(shop, order, "*", name="Eva", locale="de_AT", phone="110"))
    done(await corrected(shop, order, "*", phone=None))
    contact = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert contact["ship_to"] == _shown(ADDRESS | {"postal_code": "10117"})
    kept = [contact[name] for name in ("name", "locale", "phone")]
    assert kept == ["Eva", "de-AT", None]
    assert contact["bill_to"] == _shown(ADDRESS | {"street2": "Rear house"})


async def test_the_bill_follows_the_correction_of_what_cannot_be_right(
    shop: Shop,
) -> None:
    await shop.sell()
    wrong = ADDRESS | {"postal_code": "00000"}
    order = await shop.order(ship_to=wrong)
    done(await corrected(shop, order, "*", ship_to={"postal_code": "10117"}))
    contact = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert contact["bill_to"] is None

    order = await shop.order(ship_to=wrong)
    abroad = ADDRESS | {"country": "AT", "postal_code": "1010", "city": "Wien"}
    done(await corrected(shop, order, "*", ship_to=abroad))
    contact = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert contact["bill_to"] == _shown(wrong)


async def test_a_whole_address_leaves_nothing_of_the_old_one(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order(ship_to=ADDRESS | {"street2": "Rear house"})
    done(await corrected(shop, order, "*", ship_to=ADDRESS | {"city": "Leipzig"}))
    contact = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert contact["ship_to"] == _shown(ADDRESS | {"city": "Leipzig"})


async def test_the_bill_gets_an_address_of_its_own_and_loses_it(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    half = await corrected(shop, order, "*", bill_to={"city": "Bonn"})
    assert (half.status_code, code(half)) == (422, "validation")
    assert half.json()["errors"][0]["pointer"] == "#/bill_to/name"
    done(await corrected(shop, order, "*", bill_to=ADDRESS))
    done(await corrected(shop, order, "*", bill_to={"city": "Bonn"}))
    contact = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert contact["bill_to"] == _shown(ADDRESS | {"city": "Bonn"})
    done(await corrected(shop, order, "*", bill_to=None))
    contact = await shop.get(f"/v1/orders/{order['id']}/contact")
    assert contact["bill_to"] is None


async def test_a_contact_is_read_by_whom_it_is_and_by_who_works_on_it(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/contact"

    async def read(user: str, scopes: str) -> int:
        answer = await shop.client.get(path, headers=as_user(user, scopes))
        return answer.status_code

    with caplog.at_level(logging.INFO, "api.kernel.personal_data"):
        assert await read("ada", "orders:own") == 200
        assert not _readers(caplog), "her own"
        assert await read("eve", "orders:own") == 404
        assert await read("storefront", "orders:read") == 403
        for user, scopes in (("sue", "orders:operate"), ("al", "approvals")):
            assert await read(user, scopes) == 200
    assert _readers(caplog) == ["sue", "al"]


def _readers(caplog: pytest.LogCaptureFixture) -> list[str]:
    reads = [r for r in caplog.records if r.name == "api.kernel.personal_data"]
    return [record.__dict__["actor"] for record in reads]


def _shown(address: Json) -> Json:
    return {"company": None, "street2": None, "region": None, **address}
