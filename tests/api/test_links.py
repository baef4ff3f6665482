"""Who comes by a link in a mail: for how long, with which key, and to whose order."""

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from api.app import create_app
from pydantic import SecretStr, ValidationError
from shared.database.engine import Engine
from shared.platform.links import LinkKeys, LinkRefused
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.shop import ADDRESS, Shop, as_user, code, done
from tests.support.links import LINK_KEYS, a_key, by_link, link_token

ISSUED = {"api_auth": "oidc", "oidc_audience": "orders"} | {
    "oidc_issuer": "https://id.example.com/"
}


@pytest.fixture
async def shop(make_settings: MakeSettings) -> AsyncIterator[Shop]:
    async with running(create_app(make_settings(order_link_keys=LINK_KEYS))) as client:
        shop = Shop(client)
        await shop.sell()
        yield shop


async def asked(
    shop: Shop, order_id: str, headers: dict[str, str], **params: str
) -> httpx2.Response:
    return await shop.client.get(f"/v1/orders/{order_id}", headers=headers)


async def test_a_link_is_for_one_order_and_names_nobody(shop: Shop) -> None:
    mine, also_mine = await shop.order(), await shop.order()
    link = by_link(mine["id"])
    assert done(await asked(shop, mine["id"], link))["number"] == mine["number"]
    assert code(await asked(shop, also_mine["id"], link)) == "not-found"
    me = done(await shop.client.get("/v1/me", headers=link))
    assert (me["link"]["subject"], me["link"]["language"]) == (mine["id"], "de-AT")
    token = link["Authorization"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(token + "=="))
    assert claims.keys() == {"aud", "sub", "scope", "lang", "exp", "rev"}


async def test_a_link_that_is_over_says_so_in_its_language(shop: Shop) -> None:
    order_id = (await shop.order())["id"]
    answer = await asked(shop, order_id, by_link(order_id, until=time.time() - 1))
    assert code(answer) == "link-expired"
    assert (answer.status_code, answer.json()["language"]) == (401, "de-AT")


async def test_a_link_that_was_altered_is_none(shop: Shop) -> None:
    mine, other = (await shop.order())["id"], (await shop.order())["id"]
    token = link_token(mine)
    head, claims, seal = token.split(".")
    widened = _claims(claims) | {"sub": other}
    nothing = _part({"alg": "none", "typ": "order-link+jwt", "kid": "one"})
    for altered in (
        f"{head}.{_part(widened)}.{seal}",
        f"{head}.{claims}.{seal[::-1]}",
        f"{head}.{claims}.{seal}A",
        f"{head}.{claims}",
        f"{head}.{claims}.",
        f"{nothing}.{claims}.",
        link_token(mine, keys=a_key("unknown")),
        # Known by its name, and another one.
        link_token(mine, keys="one:" + a_key("two").partition(":")[2]),
    ):
        for order in (mine, other):
            answer = await asked(shop, order, {"Authorization": f"Bearer {altered}"})
            assert code(answer) == "unauthenticated"


def _part(value: object) -> str:
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _claims(part: str) -> dict[str, object]:
    known: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return known


async def test_a_link_corrects_where_it_goes_and_shows_no_more(shop: Shop) -> None:
    order = await shop.order(
        ship_to=ADDRESS | {"postal_code": "1"}, bill_to=ADDRESS | {"city": "Bonn"}
    )
    path, link = f"/v1/orders/{order['id']}/contact", by_link(order["id"], "address")
    seen = done(await shop.client.get(path, headers=link))
    assert seen["wrong"] == ["postal_code: invalid"]
    assert {seen[name] for name in ("name", "email", "phone", "bill_to")} == {None}
    version = {"If-Match": '"' + str(order["version"]) + '"'}
    for more in ({"email": "eve@example.com"}, {"bill_to": ADDRESS}):
        refused = await shop.client.patch(
            path, json={"ship_to": ADDRESS} | more, headers=link | version
        )
        assert code(refused) == "insufficient-scope"
    right = {"ship_to": {"postal_code": "10117"}}
    done(await shop.client.patch(path, json=right, headers=link | version))
    assert done(await shop.client.get(path, headers=link))["wrong"] == []
    events = (await shop.get(f"/v1/orders/{order['id']}/events"))["data"]
    assert events[-1]["actor"] == f"link:{order['id']}"


async def test_links_of_mails_to_a_wrong_address_are_over(shop: Shop) -> None:
    order = await shop.order()
    before = by_link(order["id"])
    done(
        await shop.client.patch(
            f"/v1/orders/{order['id']}/contact",
            json={"email": "right@example.com"},
            headers={"If-Match": "*"},
        )
    )
    assert code(await asked(shop, order["id"], before)) == "link-expired"
    done(await asked(shop, order["id"], by_link(order["id"], revision=1)))


async def test_of_somebody_who_was_erased_no_link_is_left(
    shop: Shop, engine: Engine
) -> None:
    order_id = (await shop.order())["id"]
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE contacts SET name = NULL, email = NULL, erased_at = now()")
        )
    assert code(await asked(shop, order_id, by_link(order_id))) == "link-expired"


async def test_a_key_is_replaced_and_taken_back_without_a_restart(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(a_key("old"))
    app = create_app(make_settings(order_link_keys_file=file))
    async with running(app) as client:
        shop = Shop(client)
        await shop.sell()
        id = (await shop.order())["id"]
        old, new = (by_link(id, keys=a_key(one)) for one in ("old", "new"))
        assert code(await asked(shop, id, new)) == "unauthenticated"
        file.write_text(f"{a_key('new')}\n{a_key('old')}\n")
        for either in (old, new):
            done(await asked(shop, id, either))
        # The signer takes the first one.
        keys = LinkKeys(None, file)
        assert keys.open(keys.sign(keys.open(old["Authorization"].split()[1])))
        file.write_text("spoiled")
        done(await asked(shop, id, old))
        file.write_text(a_key("new"))
        assert code(await asked(shop, id, old)) == "unauthenticated"


async def test_a_link_needs_no_issuer_and_is_no_access_token(
    make_settings: MakeSettings,
) -> None:
    """The issuer is not asked, and without keys nobody believes a link."""
    settings = make_settings(order_link_keys=LINK_KEYS, **ISSUED)
    async with running(create_app(settings)) as client:
        link = by_link("ord_" + "0" * 26)
        answer = await client.get("/v1/me", headers=link)
        assert code(answer) == "link-expired"  # there is no such order
    async with running(create_app(make_settings(**ISSUED))) as client:
        answer = await client.get("/v1/me", headers=link)
        assert code(answer) == "unauthenticated"


async def test_a_link_is_limited_and_so_is_whoever_guesses(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings(
        order_link_keys=LINK_KEYS,
        api_link_limit="2/minute",
        api_stranger_limit="2/minute",
    )
    async with running(create_app(settings)) as client:
        shop = Shop(client)
        await shop.sell()
        one, two = (await shop.order())["id"], (await shop.order())["id"]
        seen = [await asked(shop, one, by_link(one)) for _ in range(3)]
        assert [answer.status_code for answer in seen] == [200, 200, 429]
        assert (await asked(shop, two, by_link(two))).status_code == 200
        guess = by_link(two, keys=a_key("guessed"))
        guessed = [await asked(shop, two, guess) for _ in range(3)]
        assert [answer.status_code for answer in guessed] == [401, 401, 429]


async def test_nobody_is_called_as_a_link_is(shop: Shop) -> None:
    answer = await shop.client.get("/v1/me", headers=as_user("link:ord_1", "admin"))
    assert code(answer) == "unauthenticated"


@pytest.mark.parametrize("keys", ["one", "one:c2hvcnQ=", ":" + "A" * 43 + "=", "  "])
def test_a_key_that_signs_nothing_is_refused_at_the_start(
    make_settings: MakeSettings, keys: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        make_settings(order_link_keys=SecretStr(keys))
    assert "c2hvcnQ" not in str(refused.value.errors(include_input=False))


def test_what_is_no_token_is_no_link() -> None:
    keys = LinkKeys(LINK_KEYS, None)
    for token in ("", "a.b.c", "ä" * 99, "." * 999):
        with pytest.raises(LinkRefused):
            keys.open(token)
