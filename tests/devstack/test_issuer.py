"""The issuer of the development stack, as API, services and the docs page use it."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from devstack.announcements import access_tokens
from devstack.issuer.app import Issuer, issuer_app
from devstack.issuer.people import ROLES, people, services
from devstack.issuer.signer import A_DAY_OF_WORK, Signer

DOCS = "http://127.0.0.1:8000/docs/oauth2-redirect"
VERIFIER = "a" * 64


@pytest.fixture
def signer() -> Signer:
    return Signer("http://127.0.0.1:9000/")


@pytest.fixture
async def http(signer: Signer) -> AsyncIterator[httpx2.AsyncClient]:
    app = issuer_app(Issuer(signer, people() | services(), A_DAY_OF_WORK))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://id") as http:
        yield http


def claims(signer: Signer, token: str) -> dict[str, Any]:
    (key,) = jwt.PyJWKSet.from_dict(signer.keys()).keys
    issuer = signer.issuer
    decoded: dict[str, Any] = jwt.decode(
        token, key, ["RS256"], audience="orders", issuer=issuer
    )
    return decoded


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_has_the_scopes_of_their_role(
    http: httpx2.AsyncClient, signer: Signer, role: str
) -> None:
    form = {"client_id": role, "client_secret": f"{role}-dev"}
    answer = await http.post("/token", data={"grant_type": "client_credentials"} | form)
    held = claims(signer, answer.json()["access_token"])
    assert (held["sub"], held["scope"]) == (role, ROLES[role])


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "guessed"}, 401, "invalid_client"),
        ({"client_secret": "gueßt"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, 400, "invalid_grant"),
    ],
)
async def test_anybody_else_gets_no_token(
    http: httpx2.AsyncClient, form: dict[str, str], status: int, error: str
) -> None:
    usual = {
        "grant_type": "client_credentials",
        "client_id": "admin",
        "client_secret": "admin-dev",
    }
    answer = await http.post("/token", data=usual | form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def asked(**changed: str) -> dict[str, str]:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    usual = {"redirect_uri": DOCS, "state": "s", "code_challenge": challenge}
    return usual | changed


async def signed_in(http: httpx2.AsyncClient) -> str:
    answer = await http.get("/authorize/warehouse", params=asked())
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith(DOCS)
    assert query["state"] == ["s"]
    return query["code"][0]


def exchange(code: str, verifier: str = VERIFIER) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
    }


async def test_who_is_clicked_on_is_signed_in_once(
    http: httpx2.AsyncClient, signer: Signer
) -> None:
    page = (await http.get("/authorize", params=asked())).text
    assert re.findall(r">([\w-]+)</a>", page) == [*ROLES]
    code = await signed_in(http)
    granted = await http.post("/token", data=exchange(code))
    assert claims(signer, granted.json()["access_token"])["sub"] == "warehouse"
    again = await http.post("/token", data=exchange(code))
    assert again.json() == {"error": "invalid_grant"}


async def test_a_code_is_good_for_who_asked_for_it(http: httpx2.AsyncClient) -> None:
    stolen = exchange(await signed_in(http), verifier="b" * 64)
    assert (await http.post("/token", data=stolen)).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("path", ["/authorize", "/authorize/admin"])
@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.com/",
        "javascript://localhost/%0Aalert(1)",
        "data://localhost/x",
        "http://localhost@evil.example.com/",
        "http://localhost.evil.example.com/",
        "http://localhost\\@evil.example.com/",
        "http://localhost/\r\nSet-Cookie: a=b",
        "HTTP://127.0.0.1:x/",
    ],
)
async def test_a_code_goes_to_this_machine_alone(
    http: httpx2.AsyncClient, path: str, elsewhere: str
) -> None:
    answer = await http.get(path, params=asked(redirect_uri=elsewhere))
    assert answer.json() == {"error": "invalid_request"}


def test_the_key_is_for_its_owner_alone(signer: Signer, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("of an earlier run")
    signer.save(path)
    assert path.stat().st_mode & 0o077 == 0
    assert Signer.load(signer.issuer, path).keys() == signer.keys()


def test_every_token_is_printed_on_a_line_of_its_own(signer: Signer) -> None:
    lines = access_tokens(signer).splitlines()
    printed = {name: lines[lines.index(f"{name}: {ROLES[name]}") + 1] for name in ROLES}
    assert {n: claims(signer, token)["sub"] for n, token in printed.items()} == {
        name: name for name in ROLES
    }


async def test_clients_learn_how_to_show_their_secret(
    http: httpx2.AsyncClient,
) -> None:
    described = (await http.get("/.well-known/openid-configuration")).json()
    ways = described["token_endpoint_auth_methods_supported"]
    assert ways == ["client_secret_post", "none"]
