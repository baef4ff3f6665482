"""An OpenID provider with what the API, Temporal and the docs page need.

Services have their tokens by client credentials. For the docs page it shows who there
is, and whoever is clicked on is signed in (authorization code with PKCE).
"""

import hashlib
import hmac
import html
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import FastAPI, Query, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from devstack.issuer.people import Account
from devstack.issuer.signer import ALGORITHM, Signer

_ON_LOOPBACK = r"http://(localhost|127\.0\.0\.1)(:\d+)?"
Form = Mapping[str, str]


@dataclass
class Issuer:
    """The issuer's state; `accounts` and `lives` may be changed while it runs."""

    signer: Signer
    accounts: dict[str, Account]
    lives: timedelta
    codes: dict[str, tuple[str, Form]] = field(default_factory=dict)
    refreshing: dict[str, str] = field(default_factory=dict)
    """Accounts by refresh token."""

    def grant(self, name: str, *, signed_in: bool = False) -> dict[str, Any]:
        """Who has signed in also gets a refresh token, which is valid once and replaced
        by the next."""
        account = self.accounts[name]
        again = {"refresh_token": secrets.token_urlsafe(32)} if signed_in else {}
        self.refreshing |= dict.fromkeys(again.values(), name)
        token = self.signer.token(
            name, account.audience, lives=self.lives, **account.claims
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self.lives.total_seconds()),
            **again,
        }


class _Refused(Exception):
    """Its argument is a word of RFC 6749 §5.2."""


def issuer_app(issuer: Issuer) -> FastAPI:
    app = FastAPI(title="Issuer of the development stack", openapi_url=None)

    @app.get("/.well-known/openid-configuration")
    async def describe() -> dict[str, Any]:
        return _description(issuer.signer)

    @app.get("/keys")
    async def keys() -> dict[str, Any]:
        return issuer.signer.keys()

    @app.post("/token")
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        try:
            name = _who(issuer, form)
            signed_in = form.get("grant_type") != "client_credentials"
            return JSONResponse(issuer.grant(name, signed_in=signed_in))
        except _Refused as refused:
            status = 401 if str(refused) == "invalid_client" else 400
            return JSONResponse({"error": str(refused)}, status)

    @app.get("/authorize")
    async def choose(request: Request, redirect_uri: str) -> Response:
        _only_loopback(redirect_uri)
        return HTMLResponse(_page(issuer.accounts, request.url.query))

    @app.get("/authorize/{name}")
    async def sign_in(
        request: Request,
        name: str,
        redirect_uri: Annotated[str, Query()],
        state: Annotated[str, Query()] = "",
    ) -> Response:
        _only_loopback(redirect_uri)
        code = secrets.token_urlsafe()
        issuer.codes[code] = (name, dict(request.query_params))
        answer = urlencode({"code": code, "state": state})
        return RedirectResponse(f"{redirect_uri}?{answer}", 303)

    @app.get("/sign-out")
    async def sign_out(post_logout_redirect_uri: str) -> Response:
        """Nothing to do: nobody stays signed in here."""
        _only_loopback(post_logout_redirect_uri)
        return RedirectResponse(post_logout_redirect_uri, 303)

    @app.exception_handler(_Refused)
    async def refuse(_: Request, refused: Exception) -> Response:
        return JSONResponse({"error": str(refused)}, 400)

    # The docs page calls from the API's origin.
    app.add_middleware(
        CORSMiddleware,
        allow_origin_regex=_ON_LOOPBACK,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
    )
    return app


def _description(signer: Signer) -> dict[str, Any]:
    base = signer.issuer.rstrip("/")
    return {
        "issuer": signer.issuer,
        "jwks_uri": f"{base}/keys",
        "token_endpoint": f"{base}/token",
        "authorization_endpoint": f"{base}/authorize",
        "end_session_endpoint": f"{base}/sign-out",
        "response_types_supported": ["code"],
        # The default is HTTP Basic. The docs page has no secret.
        "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
        "grant_types_supported": [
            "authorization_code",
            "client_credentials",
            "refresh_token",
        ],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": ["openid", "orders"],
    }


def _who(issuer: Issuer, form: Form) -> str:
    match form.get("grant_type"):
        case "client_credentials":
            return _client(issuer.accounts, form)
        case "authorization_code":
            return _signed_in(issuer, form)
        case "refresh_token":
            return _still_here(issuer, form)
    raise _Refused("unsupported_grant_type")


def _client(accounts: Mapping[str, Account], form: Form) -> str:
    name = form.get("client_id", "")
    account = accounts.get(name)
    secret = form.get("client_secret", "")
    if account is None or not hmac.compare_digest(
        account.secret.encode(), secret.encode()
    ):
        raise _Refused("invalid_client")
    return name


def _signed_in(issuer: Issuer, form: Form) -> str:
    """A code is valid once, for the client that asked for it (RFC 7636)."""
    name, asked = issuer.codes.pop(form.get("code", ""), ("", {}))
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
    if name not in issuer.accounts or asked.get("code_challenge") != challenge:
        raise _Refused("invalid_grant")
    return name


def _still_here(issuer: Issuer, form: Form) -> str:
    name = issuer.refreshing.pop(form.get("refresh_token", ""), "")
    if name not in issuer.accounts:
        raise _Refused("invalid_grant")
    return name


def _only_loopback(redirect_uri: str) -> None:
    # No other scheme, which a browser may run, and no user part before the host.
    if not re.fullmatch(rf"{_ON_LOOPBACK}(/[!-~]*)?", redirect_uri):
        raise _Refused("invalid_request")


def _page(accounts: Mapping[str, Account], query: str) -> str:
    rows = "".join(
        f'<li><a href="authorize/{html.escape(name)}?{html.escape(query)}">'
        f"{html.escape(name)}</a> {html.escape(account.claims['scope'])}</li>"
        for name, account in accounts.items()
        if "scope" in account.claims  # people; services have none
    )
    return f"<!doctype html><title>Sign in</title><h1>Who are you?</h1><ul>{rows}</ul>"
