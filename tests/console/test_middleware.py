"""What holds for every request to the console, whatever the page."""

import hashlib
import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from console.session import Cookies, Session, TooLarge
from console.settings import ConsoleSettings
from console.sign_in import own_page
from cryptography.fernet import Fernet
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from tests.console.conftest import KEY, key, serving
from tests.support.shop import Shop

STATIC = Path(__file__).parents[2] / "services/console/src/console/static"
TEMPLATES = STATIC.parent / "templates"


async def test_a_change_that_another_site_asks_for_is_refused(
    visitor: httpx2.AsyncClient, console: str, shop: Shop
) -> None:
    order_id = await shop.confirmed(TEA=1)
    path, form = f"/orders/{order_id}/notes", {"key": key(), "text": "Forged."}
    for origin in (None, "null", "https://evil.example", console + "0"):
        headers = {} if origin is None else {"Origin": origin}
        refused = await visitor.post(path, data=form, headers=headers)
        assert refused.status_code == 403
    kept = await visitor.post(path, data=form, headers={"Origin": console})
    assert kept.status_code == 303
    notes = (await shop.get(f"/v1/orders/{order_id}/notes"))["data"]
    assert [note["text"] for note in notes] == ["Forged."]


async def test_every_answer_carries_the_policy(visitor: httpx2.AsyncClient) -> None:
    for path in (
        "/",
        "/orders",
        "/no-such-page",
        "/holds/hld_0",
        "/o/no-link",
        "/yours/ord_0",
        "/static/console.css",
    ):
        answer = await visitor.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await visitor.get("/orders")).headers["cache-control"] == "no-store"


def test_no_template_has_anything_inline() -> None:
    inline = re.compile(
        r"<style|\sstyle=|\son[a-z]+=\"|javascript:|<script(?![^>]* src=)"
    )
    pages = list(TEMPLATES.rglob("*.html"))
    assert pages
    found = [page.name for page in pages if inline.search(page.read_text())]
    assert found == []


def test_vendored_scripts_are_those_of_their_packages() -> None:
    folder = STATIC / "vendor"
    packages = json.loads((folder / "packages.json").read_text())
    assert packages.keys() == {script.name for script in folder.glob("*.js")}
    for name, known in packages.items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest == known["sha256"]
        assert (folder / known["licence"]).exists()


async def test_every_page_is_there_before_the_shop_has_anything(
    visitor: httpx2.AsyncClient, console: str
) -> None:
    """What they show of a shop that has much is in the slow tests, in a browser."""
    form, ours = {"name": "ada", "next": "/"}, {"Origin": console}
    await visitor.post("/sign-in", data=form, headers=ours)
    for path in (
        *("/", "/now/beside", "/now/audit", "/now/late", "/orders", "/exports"),
        *("/bench", "/bench/many", "/returns", "/stock", "/stock/NOTHING"),
        *("/locations", "/locations/new", "/books", "/events", "/session"),
    ):
        assert (await visitor.get(path)).is_success, path


async def test_the_first_page_is_small(visitor: httpx2.AsyncClient) -> None:
    """With all that it loads, compressed as it is sent."""
    page = await visitor.get("/", headers={"Accept-Encoding": "gzip"})
    assets = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.text))
    assert len(assets) >= 4
    weight = int(page.headers["content-length"])
    for asset in assets:
        answer = await visitor.get(asset, headers={"Accept-Encoding": "gzip"})
        weight += int(answer.headers["content-length"])
    assert weight < 60_000


# ── sessions ────────────────────────────────────────────────────────────────────────

SESSION = Session("grace", "orders:operate", time.time())


def cookies(*keys: str, secure: bool = True) -> Cookies:
    return Cookies(
        [Fernet(k) for k in keys or (KEY,)], secure=secure, lives=timedelta(hours=12)
    )


def sent(answer: Response) -> Request:
    name, _, value = answer.headers["set-cookie"].partition("=")
    cookie = f"{name}={value.partition(';')[0]}"
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())]})


def test_a_session_is_for_this_host_alone_and_no_script_reads_it() -> None:
    answer = Response()
    cookies().keep(answer, SESSION)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-console=")
    for flag in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert "grace" not in cookie
    assert cookies().session(sent(answer)) == SESSION


def test_a_key_is_replaced_without_signing_anybody_out() -> None:
    new = Fernet.generate_key().decode()
    answer = Response()
    cookies(KEY).keep(answer, SESSION)
    assert cookies(new, KEY).session(sent(answer)) == SESSION
    assert cookies(new).session(sent(answer)) is None


def test_a_session_ends_however_often_it_is_renewed() -> None:
    answer = Response()
    cookies().keep(answer, replace(SESSION, began=time.time() - 12 * 3600 - 1))
    assert cookies().session(sent(answer)) is None


def test_a_cookie_of_one_kind_is_not_taken_for_another() -> None:
    answer = Response()
    cookies().write(answer, "flash", {"user": "mallory"})
    forged = answer.headers["set-cookie"].replace("__Host-flash", "__Host-console")
    answer.headers["set-cookie"] = forged
    assert cookies().session(sent(answer)) is None


def test_tokens_that_no_browser_would_keep_are_an_error() -> None:
    with pytest.raises(TooLarge):
        cookies().keep(Response(), replace(SESSION, access="x" * 4000))


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/orders?status=placed", "/orders?status=placed"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\n/evil", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_alone(wanted: str, led_to: str) -> None:
    assert own_page(wanted) == led_to


# ── settings ────────────────────────────────────────────────────────────────────────


def test_without_an_issuer_it_must_be_told_so() -> None:
    with pytest.raises(ValidationError, match="OIDC_ISSUER"):
        ConsoleSettings(console_session_keys=KEY)


def test_without_an_issuer_it_listens_on_loopback_alone() -> None:
    settings = ConsoleSettings(
        console_auth="disabled-loopback-only",
        console_host="0.0.0.0",
        console_session_keys=KEY,
    )
    assert settings.bind_host == "127.0.0.1"


@pytest.mark.parametrize("keys", ["", "short", "secret-secret-secret"])
def test_a_key_that_seals_nothing_is_refused_at_the_start(keys: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ConsoleSettings(
            console_auth="disabled-loopback-only", console_session_keys=keys
        )
    assert "secret-secret-secret" not in str(refused.value.errors(include_input=False))


async def test_while_the_api_is_down_a_page_says_so(
    console_settings: ConsoleSettings,
) -> None:
    nowhere = console_settings.model_copy(
        update={"console_api_url": "http://127.0.0.1:1"}
    )
    async with (
        serving(nowhere),
        httpx2.AsyncClient(base_url=nowhere.console_url, trust_env=False) as http,
    ):
        answer = await http.get("/")
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        customers = await http.get("/o/no-link")
        assert customers.status_code == 503
        assert "Nothing was lost" in customers.text
        assert (await http.get("/health")).status_code == 200
