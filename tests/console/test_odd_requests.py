"""The console refuses what none of its pages sends as the sender's mistake, and fails
at nothing."""

import re
from pathlib import Path

import httpx2
import pytest
from console import sign_in
from console.customer import pages as customer
from console.middleware import LONGEST_BODY
from console.pages import PAGES
from console.settings import ConsoleSettings
from console.sign_in import own_page
from fastapi import Response
from fastapi.routing import APIRoute

from tests.console.conftest import key, serving
from tests.console.test_middleware import cookies
from tests.console.test_signing_in import at_an_issuer
from tests.support.peers import Host
from tests.support.shop import Shop

ODD_IDS = ("%00", "a%0D%0Ab", "..", ".", "%3Flimit=1", "ord_0%23", "%C3%A9", "%FF")
ODD_TEXTS = ("\0", "a\r\nX-Odd: 1", "é", "１", "9" * 5000, " ", "😀" * 30)
FIELDS = (
    *("key", "version", "text", "note", "reason", "decision", "amount", "code"),
    *("kind", "name", "method", "priority", "assignee", "carrier", "tracking"),
    *("units-1", "units-x", "accepted-1", "deduction-1", "created_from", "currency"),
    *("lines", "size", "weight", "shipment", "address.city", "was-name"),
)


def paths(method: str) -> list[str]:
    routers = (sign_in.router, *PAGES, customer.router)
    routes = [route for router in routers for route in router.routes]
    found = [
        r.path
        for r in routes
        if isinstance(r, APIRoute) and method in (r.methods or ())
    ]
    assert found
    return found


async def test_an_id_that_is_none_leads_nowhere_else(
    visitor: httpx2.AsyncClient, console_settings: ConsoleSettings
) -> None:
    await visitor.post(
        "/sign-in",
        data={"name": "ada"},
        headers={"Origin": console_settings.console_url},
    )
    for path in filter(lambda path: "{" in path, paths("GET")):
        for odd in ODD_IDS:
            where = re.sub("{.*?}", odd, path)
            # As it is: the client would resolve the dots.
            target = {"target": where.encode()}
            answer = await visitor.get("/", extensions=target)
            # A page of a product is there before the product.
            least = 400 if "_id}" in path else 200
            assert least <= answer.status_code < 500, (where, answer.status_code)


async def test_a_form_that_no_page_has_sent_is_incomplete(
    visitor: httpx2.AsyncClient, console_settings: ConsoleSettings, shop: Shop
) -> None:
    origin = {"Origin": console_settings.console_url}
    await visitor.post("/sign-in", data={"name": "ada"}, headers=origin)
    order_id = await shop.place(TEA=1)
    for path in paths("POST"):
        where = re.sub("{order_id}", order_id, path)
        where = re.sub("{.*?}", "1", where)
        for odd in ODD_TEXTS:
            form = dict.fromkeys(FIELDS, odd)
            for sent in (form, form | {"key": key()}):
                answer = await visitor.post(where, data=sent, headers=origin)
                assert answer.status_code < 500, (where, odd[:9], answer.status_code)


async def test_a_cookie_that_is_not_ours_is_none(visitor: httpx2.AsyncClient) -> None:
    for path in ("/orders", "/session", "/yours/ord_0", "/signed-out", "/no-such-page"):
        for value in ("é", "AAAA", "=", "A" * 5000):
            sent = "; ".join(f"{n}={value}" for n in ("console", "links", "flash"))
            answer = await visitor.get(path, headers=[(b"Cookie", sent.encode())])
            assert answer.status_code < 500, (path, value[:9])
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("letter", ["A", "é", "😀", "%20"])
def test_an_address_that_no_cookie_holds_is_not_returned_to(letter: str) -> None:
    wanted = own_page("/orders?q=" + letter * 2000)
    begun = {"state": "s" * 48, "verifier": "v" * 64, "next": wanted}
    cookies().write(Response(), "sign-in", begun)
    assert wanted == "/"
    assert own_page("/orders?q=" + letter * 30) != "/"


def test_a_message_fits_into_its_cookie_in_any_writing() -> None:
    cookies().write(Response(), "flash", {"text": "😀" * 300, "tone": "bad"})


async def test_an_answer_to_another_sign_in_is_the_sender_s_mistake(
    host: Host, tmp_path: Path, console_settings: ConsoleSettings
) -> None:
    async with at_an_issuer(host, tmp_path) as issuer:
        there = {"console_auth": "oidc", "oidc_issuer": issuer.signer.issuer}
        settings = console_settings.model_copy(update=there)
        async with (
            serving(settings),
            httpx2.AsyncClient(base_url=settings.console_url, trust_env=False) as http,
        ):
            begun = await http.get("/sign-in")
            state = httpx2.URL(begun.headers["location"]).params["state"]
            for answer in (
                {"code": "c"},
                {"state": "x", "code": "c"},
                {"state": "é", "code": "c"},
                {"state": state, "error": "access_denied"},
                {"state": state, "code": "guessed"},
                {"state": state, "code": "c", "iss": "https://evil.example/"},
            ):
                refused = await http.get("/signed-in", params=answer)
                assert refused.status_code == 400, answer
                assert "Signing in did not work" in refused.text


async def test_a_body_has_a_limit(
    visitor: httpx2.AsyncClient, console_settings: ConsoleSettings
) -> None:
    for path, kind in (
        ("/bench/shp_0/pack", "application/json"),
        ("/orders/ord_0/notes", "application/x-www-form-urlencoded"),
    ):
        headers = {"Origin": console_settings.console_url, "Content-Type": kind}
        body = b"&a=".join([b"b" * 9000] * (LONGEST_BODY // 9000 + 1))
        answer = await visitor.post(path, content=body, headers=headers)
        assert answer.status_code == 413
