"""Checks access tokens of an OpenID provider against the keys it publishes."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import httpx2
import jwt

from api.http.auth import (
    Authenticator,
    DeveloperHeaders,
    Principal,
    is_subject,
    principal,
)
from api.http.problems import Problem, Unavailable
from api.settings import AccessSettings

log = logging.getLogger(__name__)

# Asymmetric and widespread. Never `none`, and never HMAC: with that a public key,
# taken for a shared secret, would sign anything.
ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
KEYS_LIFESPAN_SECONDS = 300.0
COOL_DOWN_SECONDS = 30.0
"""Between two requests to the issuer, however many unknown key ids arrive."""
LEEWAY_SECONDS = 30
FETCH_TIMEOUT_SECONDS = 5.0
LAST_MOMENT = 253402300799
"""The end of the year 9999. Later times cannot be represented."""
_ACCESS_TOKENS = ("jwt", "at+jwt", "application/at+jwt")
"""The `typ` of an access token: RFC 9068, and issuers that are older than it."""
_ONLY_ELSEWHERE = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events", "cnf"})
"""Claims of ID and logout tokens, and of tokens that need a proof which we do not check
(RFC 7800)."""
_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
"""Errors raised by malformed claims, such as an `exp` of 400 digits."""
_NO_KEYS = (TypeError, AttributeError)
"""Errors raised by a malformed document."""


class IssuerKeys:
    """The issuer's keys by id. They are refreshed when old or when an unknown one is
    needed, and kept while the issuer does not answer."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        issuer: str,
        jwks_url: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._url = jwks_url
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Raises `Unavailable` if the issuer has never answered yet."""
        if key_id not in self._keys and self._may_ask():
            await self._refresh()
        elif self._is_old() and self._may_ask():
            # In the background: the keys at hand are good.
            self._refresh()
        if self._fetched_at is None:
            raise Unavailable("The issuer of access tokens does not answer.")
        return self._keys.get(key_id)

    def _is_old(self) -> bool:
        age = self._clock() - (self._fetched_at or 0)
        return self._fetched_at is not None and age > KEYS_LIFESPAN_SECONDS

    def _may_ask(self) -> bool:
        if self._fetching is not None or self._asked_at is None:
            return True
        return self._clock() - self._asked_at >= COOL_DOWN_SECONDS

    def _refresh(self) -> asyncio.Future[None]:
        if self._fetching is None:
            self._asked_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        # Shielded: if the first caller leaves, the others still wait for it.
        return asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            document = await self._get(await self._jwks_url())
            self._keys = _usable_keys(document)
            self._fetched_at = self._clock()
        except (httpx2.HTTPError, ValueError, LookupError, *_NO_KEYS) as error:
            log.warning("the issuer's keys cannot be read: %r", error)
        finally:
            self._fetching = None

    async def _jwks_url(self) -> str:
        if self._url is None:
            document = await self._get(discovery_url(self._issuer))
            # Discovery §4.3: a document about somebody else says nothing.
            if document["issuer"] != self._issuer:
                raise ValueError("the issuer's document names another issuer")
            self._url = str(document["jwks_uri"])
        return self._url

    async def _get(self, url: str) -> Any:
        response = await self._http.get(url, timeout=FETCH_TIMEOUT_SECONDS)
        return response.raise_for_status().json()


def discovery_url(issuer: str) -> str:
    """The address of a provider's description."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def _usable_keys(document: Mapping[str, Any]) -> dict[str | None, jwt.PyJWK]:
    keys: dict[str | None, jwt.PyJWK] = {}
    for entry in document["keys"]:
        algorithm = ALGORITHMS.get(entry.get("kty"))
        if algorithm is None or entry.get("use", "sig") != "sig":
            continue
        if entry.get("alg", algorithm) != algorithm:
            continue
        try:
            key = jwt.PyJWK(entry, algorithm)
        except jwt.PyJWTError as error:
            log.warning("a key of the issuer cannot be used: %r", error)
            continue
        keys[entry.get("kid")] = key
    return keys


class OidcTokens:
    """`Authorization: Bearer …`, signed by the issuer for this audience."""

    def __init__(
        self,
        keys: IssuerKeys,
        issuer: str,
        audience: str,
        clients: Collection[str | None],
        included: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """Accepts tokens of these `clients`; `None` stands for a token without a
        client."""
        self._clients = frozenset(clients)
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._included = included

    async def __call__(self, headers: Mapping[str, str]) -> Principal:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("An access token is needed.", error=None)
        claims = await self._claims(token.strip())
        self._check_kind(claims)
        subject, scopes = claims["sub"], claims.get("scope", "")
        if not is_subject(subject) or not isinstance(scopes, str):
            raise _refused("The access token's claims cannot be used.")
        until = float(claims["exp"]) + LEEWAY_SECONDS
        return principal(subject, scopes, until, self._included)

    def _check_kind(self, claims: Mapping[str, Any]) -> None:
        """Raises `Problem` for a token that the same keys sign for another purpose."""
        if not _ONLY_ELSEWHERE.isdisjoint(claims):
            raise _refused("This is no access token, or one that is bound to a key.")
        if claims.get("typ", "Bearer") != "Bearer" or int(claims["exp"]) > LAST_MOMENT:
            raise _refused("This is no access token.")
        client = claims.get("azp", claims.get("client_id"))
        if client not in self._clients:
            raise _refused("The access token was issued to another client.")

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "JWT")).lower() not in _ACCESS_TOKENS:
                raise _refused("This is no access token.")
            key = await self._keys.find(header.get("kid"))
            if key is None:
                raise _refused("The access token is signed by an unknown key.")
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _refused("The access token has expired.") from error
        except (jwt.PyJWTError, *_UNREADABLE) as error:
            raise _refused("The access token is not valid.") from error
        return claims


def _refused(detail: str, *, error: str | None = "invalid_token") -> Problem:
    challenge = "Bearer" if error is None else f'Bearer error="{error}"'
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def authenticator(
    settings: AccessSettings,
    http: httpx2.AsyncClient,
    included: Mapping[str, Sequence[str]],
) -> Authenticator:
    """The authenticator that the settings ask for; `included` as in `principal`."""
    if settings.oidc_issuer is None or settings.api_auth != "oidc":
        return DeveloperHeaders(included)
    keys = IssuerKeys(http, settings.oidc_issuer, settings.oidc_jwks_url)
    audience = settings.oidc_audience or ""
    listed: Sequence[str | None] = settings.oidc_clients
    clients = listed or (*settings.own_clients, None)
    return OidcTokens(keys, settings.oidc_issuer, audience, clients, included)
