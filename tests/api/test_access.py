"""Who may call: access tokens, their issuer's keys, and the developer's headers."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt
import pytest
from api.app import create_app
from api.http.auth import Authenticator, DeveloperHeaders
from api.http.oidc import (
    COOL_DOWN_SECONDS,
    KEYS_LIFESPAN_SECONDS,
    LEEWAY_SECONDS,
    IssuerKeys,
    OidcTokens,
    authenticator,
)
from api.http.problems import Problem, Unavailable
from api.processes import PROCESSES
from api.processes import scopes as scopes_of
from api.settings import ApiSettings
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode
from pydantic import SecretStr, ValidationError

from tests.api.conftest import MakeSettings, running
from tests.api.shop import as_user, code, done

ISSUER = "https://id.example.com/app/"
AUDIENCE = "orders"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

SCOPES = scopes_of(PROCESSES)


def jwk(key: PrivateKeyTypes, kid: str) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig"}


@dataclass
class Issuer:
    """An OpenID provider: what it publishes, how often it is asked, and the time."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(RSA_KEY, "one")])
    up: bool = True
    name: str = ISSUER
    asked: int = 0
    now: float = 1000.0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.let_go.set()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        await self.let_go.wait()
        if not self.up:
            raise httpx2.ConnectError("down")
        if request.url.path.endswith("/.well-known/openid-configuration"):
            jwks_uri = "https://id.example.com/k"
            return httpx2.Response(
                200, json={"issuer": self.name, "jwks_uri": jwks_uri}
            )
        self.asked += 1
        return httpx2.Response(200, json={"keys": self.keys})

    @asynccontextmanager
    async def authenticator(self) -> AsyncIterator[OidcTokens]:
        transport = httpx2.MockTransport(self.answer)
        async with httpx2.AsyncClient(transport=transport) as http:
            keys = IssuerKeys(http, ISSUER, None, clock=lambda: self.now)
            yield OidcTokens(keys, ISSUER, AUDIENCE, [None])


def token(
    key: Any = RSA_KEY,
    algorithm: str = "RS256",
    kid: str | None = "one",
    header_typ: str = "JWT",
    **claims: Any,
) -> str:
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "exp": now + 60,
        "scope": "orders:own openid",
    }
    wanted = {k: v for k, v in (usual | claims).items() if v is not None}
    headers = {"typ": header_typ} | ({} if kid is None else {"kid": kid})
    return jwt.encode(wanted, key, algorithm, headers=headers)


def bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


async def refused(authenticate: Authenticator, value: str) -> Problem:
    with pytest.raises(Problem) as refusal:
        await authenticate(bearer(value))
    assert refusal.value.code == "unauthenticated"
    return refusal.value


async def test_a_token_of_the_issuer_is_accepted() -> None:
    async with Issuer().authenticator() as authenticate:
        caller = await authenticate(bearer(token()))
    assert caller.subject == "ada"
    assert caller.may("orders:own")
    assert not caller.may("orders:read")
    assert 30 < caller.seconds_left <= 60 + LEEWAY_SECONDS


async def test_an_old_token_is_told_that_it_is_old() -> None:
    async with Issuer().authenticator() as authenticate:
        problem = await refused(authenticate, token(exp=1))
    assert problem.detail == "The access token has expired."


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/AT+JWT"])
async def test_an_access_token_says_that_it_is_one_or_nothing(typ: str) -> None:
    async with Issuer().authenticator() as authenticate:
        await authenticate(bearer(token(header_typ=typ)))


@pytest.mark.parametrize(
    "other",
    [
        {"header": "logout+jwt"},
        {"header": "dpop+jwt"},
        {"header": "secevent+jwt"},
        {"header": "["},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"nonce": "n-0S6_WzA2Mj"},
        {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    ],
    ids=str,
)
async def test_other_tokens_of_the_issuer_are_no_access_tokens(
    other: dict[str, Any],
) -> None:
    claims = dict(other)
    typ = claims.pop("header", "JWT")
    async with Issuer().authenticator() as authenticate:
        await authenticate(bearer(token()))
        await refused(authenticate, token(header_typ=typ, **claims))


async def test_without_a_list_only_our_own_client_asks_for_tokens(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings(
        api_auth="oidc",
        oidc_issuer=ISSUER,
        oidc_audience=AUDIENCE,
        oidc_docs_client_id="docs",
    )
    transport = httpx2.MockTransport(Issuer().answer)
    async with httpx2.AsyncClient(transport=transport) as http:
        authenticate = authenticator(settings, http, {})
        for claims in ({}, {"azp": AUDIENCE}, {"client_id": "docs"}):
            await authenticate(bearer(token(**claims)))
        await refused(authenticate, token(azp="wiki"))


async def test_only_named_clients_ask_for_tokens() -> None:
    transport = httpx2.MockTransport(Issuer().answer)
    async with httpx2.AsyncClient(transport=transport) as http:
        keys = IssuerKeys(http, ISSUER, None)
        authenticate = OidcTokens(keys, ISSUER, AUDIENCE, ["storefront", "docs"])
        for claim in ("azp", "client_id"):
            await authenticate(bearer(token(**{claim: "storefront"})))
            await refused(authenticate, token(**{claim: "wiki"}))
        await refused(authenticate, token())


def written(header: str, claims: str) -> str:
    """Signed, whatever they are."""
    parts = [base64url_encode(part.encode()) for part in (header, claims)]
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(b".".join(parts), RSA_KEY)
    return b".".join((*parts, base64url_encode(signature))).decode()


HEADER = '{"alg": "RS256", "kid": "one"}'
CLAIMS = f'"iss": "{ISSUER}", "aud": "{AUDIENCE}", "sub": "ada"'


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (HEADER, f'{{{CLAIMS}, "exp": {"9" * 400}}}'),
        (HEADER, f'{{{CLAIMS}, "exp": {"9" * 5000}}}'),
        (HEADER, f'{{{CLAIMS}, "exp": 1e999}}'),
        (HEADER, f'{{{CLAIMS}, "exp": NaN}}'),
        (HEADER, f'{{{CLAIMS}, "exp": -1e308}}'),
        (HEADER, f'{{{CLAIMS}, "exp": [1]}}'),
        (HEADER, f'{{{CLAIMS}, "exp": 1e12, "nbf": {"9" * 400}}}'),
        (HEADER, f'{{{CLAIMS}, "exp": 1e12, "iat": 1e999}}'),
        (HEADER, "[" * 5000),
        (HEADER, "[]"),
        (HEADER, "1"),
        ("[" * 5000, "{}"),
        ("[]", "{}"),
        ('{"alg": "RS256", "kid": {}}', "{}"),
        ('{"alg": "RS256", "kid": "one", "crit": ["x"]}', f'{{{CLAIMS}, "exp": 1e12}}'),
    ],
    ids=range(15),
)
async def test_claims_of_any_form_are_refused_and_break_nothing(
    header: str, claims: str
) -> None:
    async with Issuer().authenticator() as authenticate:
        with pytest.raises(Problem) as refusal:
            await authenticate(bearer(written(header, claims)))
    assert refusal.value.code == "unauthenticated"


@pytest.mark.parametrize("name", ["worker", "Shop", "era_01k0", "system", " ", "a\x9b"])
async def test_nobody_has_a_name_of_ours(name: str) -> None:
    async with Issuer().authenticator() as authenticate:
        await refused(authenticate, token(sub=name))


async def test_elliptic_curves_are_accepted() -> None:
    issuer = Issuer(keys=[jwk(EC_KEY, "one")])
    async with issuer.authenticator() as authenticate:
        await authenticate(bearer(token(EC_KEY, "ES256")))


def unsigned() -> str:
    return jwt.encode({"sub": "ada", "iss": ISSUER}, "", "none", headers={"kid": "one"})


def signed_with_the_public_key() -> str:
    """The classic: the public key, taken for the secret of an HMAC."""
    header = {"alg": "HS256", "kid": "one", "typ": "JWT"}
    claims = jwt.decode(token(), options={"verify_signature": False})
    parts = [base64url_encode(json.dumps(part).encode()) for part in (header, claims)]
    signed = b".".join(parts)
    secret = RSA_KEY.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    digest = hmac.digest(secret, signed, "sha256")
    return b".".join((signed, base64url_encode(digest))).decode()


@pytest.mark.parametrize(
    "value",
    [
        unsigned(),
        signed_with_the_public_key(),
        token(OTHER_KEY),
        token(aud="another"),
        token(aud=None),
        token(iss="https://evil.example.com/"),
        token(iss=None),
        token(exp=int(time.time()) - 60),
        token(exp=None),
        token(sub=None),
        token(sub=""),
        token(sub="a\0b"),
        token(sub="x" * 201),
        token(scope=["admin"]),
        token(nbf=int(time.time()) + 600),
        token(algorithm="RS512"),
        token(kid="unknown"),
        token(kid=None),
        token()[:-3],
        "x.y.z",
        "é",
        ".",
        "a" * 10_000,
    ],
    ids=range(23),
)
async def test_any_other_token_is_refused(value: str) -> None:
    async with Issuer().authenticator() as authenticate:
        problem = await refused(authenticate, value)
    assert problem.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic YTpi"}])
async def test_nobody_is_asked_for_a_token(headers: dict[str, str]) -> None:
    async with Issuer().authenticator() as authenticate:
        with pytest.raises(Problem) as refusal:
            await authenticate(headers)
    assert refusal.value.headers == {"WWW-Authenticate": "Bearer"}


async def test_keys_are_asked_for_once_in_a_while() -> None:
    issuer = Issuer()
    async with issuer.authenticator() as authenticate:
        for _ in range(5):
            await authenticate(bearer(token()))
    assert issuer.asked == 1


async def test_a_new_key_is_found_after_the_cool_down() -> None:
    issuer = Issuer()
    async with issuer.authenticator() as authenticate:
        await authenticate(bearer(token()))
        issuer.keys.append(jwk(OTHER_KEY, "two"))
        await refused(authenticate, token(OTHER_KEY, kid="two"))
        assert issuer.asked == 1, "whoever sends unknown keys does not make us ask"
        issuer.now += COOL_DOWN_SECONDS
        await authenticate(bearer(token(OTHER_KEY, kid="two")))


async def test_known_keys_are_good_while_the_issuer_is_down() -> None:
    issuer = Issuer()
    async with issuer.authenticator() as authenticate:
        await authenticate(bearer(token()))
        issuer.up = False
        issuer.now += KEYS_LIFESPAN_SECONDS + 1
        await authenticate(bearer(token()))
        issuer.now += KEYS_LIFESPAN_SECONDS
        await authenticate(bearer(token()))


async def test_a_key_that_was_withdrawn_signs_nothing_any_more() -> None:
    issuer = Issuer()
    async with issuer.authenticator() as authenticate:
        await authenticate(bearer(token()))
        issuer.keys = [jwk(OTHER_KEY, "two")]
        issuer.now += KEYS_LIFESPAN_SECONDS + 1
        await authenticate(bearer(token(OTHER_KEY, kid="two")))
        await refused(authenticate, token())


async def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() -> None:
    issuer = Issuer()
    async with issuer.authenticator() as authenticate:
        await authenticate(bearer(token()))
        issuer.let_go.clear()
        issuer.now += KEYS_LIFESPAN_SECONDS + 1
        stranger = asyncio.create_task(
            refused(authenticate, token(OTHER_KEY, kid="two"))
        )
        for _ in range(3):
            await authenticate(bearer(token()))
        assert not stranger.done()
        issuer.let_go.set()
        await stranger


async def test_a_document_about_another_issuer_is_not_believed() -> None:
    async with Issuer(name="https://evil.example.com/").authenticator() as authenticate:
        with pytest.raises(Unavailable):
            await authenticate(bearer(token()))


async def test_an_issuer_that_never_answered_makes_us_unavailable() -> None:
    issuer = Issuer(up=False)
    async with issuer.authenticator() as authenticate:
        with pytest.raises(Unavailable):
            await authenticate(bearer(token()))


async def test_a_key_for_another_purpose_signs_nothing() -> None:
    published = [
        jwk(RSA_KEY, "one") | {"use": "enc"},
        {"kty": "oct", "kid": "two", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "three"},
        jwk(EC_KEY, "four") | {"alg": "ES512"},
    ]
    async with Issuer(keys=published).authenticator() as authenticate:
        await refused(authenticate, token())


@pytest.mark.parametrize("keys", [["one"], {"one": 1}, 1, None])
async def test_an_answer_that_is_no_key_set_makes_us_unavailable(keys: Any) -> None:
    async with Issuer(keys=keys).authenticator() as authenticate:
        with pytest.raises(Unavailable):
            await authenticate(bearer(token()))


async def test_the_api_asks_for_a_token(make_settings: MakeSettings) -> None:
    settings = make_settings(
        api_auth="oidc",
        oidc_issuer=ISSUER,
        oidc_audience=AUDIENCE,
        oidc_jwks_url="http://127.0.0.1:1/keys",
    )
    async with running(create_app(settings)) as client:
        answer = await client.get("/v1/orders", headers=as_user("ada", "admin"))
        assert (answer.status_code, code(answer)) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
        unknown = await client.get("/v1/orders", headers=bearer(token()))
        assert (unknown.status_code, code(unknown)) == (503, "unavailable")


async def test_the_description_is_the_same_whenever_it_is_asked_for(
    make_settings: MakeSettings,
) -> None:
    """With an issuer, as in production; and one without it, in the same process, is not
    changed by that."""
    settings = make_settings(
        api_auth="oidc", oidc_issuer=ISSUER, oidc_audience=AUDIENCE
    )
    without = create_app(make_settings()).openapi()
    async with running(create_app(settings)) as client:
        first, *others = [done(await client.get("/openapi.json")) for _ in range(3)]
    assert "OpenIdConnect" in first["components"]["securitySchemes"]
    assert others == [first, first]
    assert create_app(make_settings()).openapi() == without != first


def test_without_an_issuer_the_api_does_not_start(database: str) -> None:
    with pytest.raises(ValidationError, match="API_AUTH=disabled-loopback-only"):
        ApiSettings(database_url=SecretStr(database))


@pytest.mark.parametrize(
    "changed",
    [
        {"oidc_issuer": "http://id.example.com/"},
        {"oidc_jwks_url": "http://id.example.com/keys"},
        {"oidc_jwks_url": "ftp://id.example.com/keys"},
    ],
    ids=str,
)
def test_keys_that_could_be_changed_on_the_way_are_not_asked_for(
    make_settings: MakeSettings, changed: dict[str, str]
) -> None:
    usual = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "api_auth": "oidc"}
    with pytest.raises(ValidationError, match="must begin with https://"):
        make_settings(**(usual | changed))


async def test_developers_say_who_they_are() -> None:
    authenticate = DeveloperHeaders()
    assert (await authenticate({})).subject == "dev"
    assert (await authenticate({})).may("approvals")
    clerk = await authenticate({"x-dev-user": "ada", "x-dev-scopes": "fulfil"})
    assert (clerk.subject, clerk.may("admin")) == ("ada", False)


async def test_anybody_known_sees_the_products(client: httpx2.AsyncClient) -> None:
    done(await client.get("/v1/products", headers=as_user("ada", "orders:own")))
