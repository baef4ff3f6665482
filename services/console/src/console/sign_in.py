"""Signs people in at the issuer: OAuth code flow with PKCE, tokens on the server only.

The API says whose an access token is, and with which scopes; nothing is read out of
tokens here, and no ID token is needed.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from console.person import SignedIn
from console.session import Session
from console.settings import ConsoleSettings
from console.templating import page

log = logging.getLogger(__name__)

router = APIRouter()
UNDER_WAY = timedelta(minutes=10)
"""How long somebody may take at the issuer."""
ISSUER_SECONDS = 5.0
UNSAID_LIFE_SECONDS = 300
_REMEMBERED = 1000
LONGEST_RETURN = 2000
"""Bytes of the page that somebody is led back to."""


class SignInFailed(Exception):
    """The issuer does not answer, or its answer is not for us."""


class AnswerRefused(SignInFailed):
    """The browser brings no answer that the issuer gave to this sign-in, so it signs in
    anew."""


class Issuer:
    """The OpenID provider, as far as we need it."""

    def __init__(self, settings: ConsoleSettings, http: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._described: dict[str, Any] | None = None
        self._renewals: OrderedDict[str, asyncio.Task[Session | None]] = OrderedDict()

    async def describe(self) -> dict[str, Any]:
        """Raises `SignInFailed`."""
        if self._described is None:
            base = str(self._settings.oidc_issuer)
            url = base.rstrip("/") + "/.well-known/openid-configuration"
            try:
                answer = await self._http.get(url, timeout=ISSUER_SECONDS)
                known = answer.raise_for_status().json()
                # Discovery §4.3: a document about somebody else says nothing.
                if known["issuer"] != base:
                    raise SignInFailed("the issuer's document names another issuer")
            except (httpx2.HTTPError, ValueError, LookupError) as error:
                raise SignInFailed(f"no answer: {type(error).__name__}") from error
            self._described = known
        return self._described

    async def begin(self, next_page: str) -> tuple[str, dict[str, Any]]:
        """The issuer's address to redirect to, and what to remember meanwhile."""
        known = await self.describe()
        verifier = generate_token(64)
        async with self._client() as client:
            url, state = client.create_authorization_url(
                known["authorization_endpoint"], code_verifier=verifier
            )
        return url, {"state": state, "verifier": verifier, "next": next_page}

    async def finish(self, query: dict[str, str], begun: dict[str, Any]) -> Session:
        """Raises `SignInFailed`, or `AnswerRefused`."""
        known = await self.describe()
        state = query.get("state", "").encode()
        if not secrets.compare_digest(state, begun["state"].encode()):
            raise AnswerRefused("this answer belongs to another sign-in")
        # RFC 9207: an answer of another issuer is not taken for ours.
        if query.get("iss", known["issuer"]) != known["issuer"]:
            raise AnswerRefused("this answer is another issuer's")
        if "code" not in query:
            raise AnswerRefused(query.get("error", "no code"))
        token = await self._token(
            "authorization_code",
            code=query["code"],
            code_verifier=begun["verifier"],
        )
        return _session(token, Session("", "", time.time()))

    async def renew(self, session: Session) -> Session | None:
        """A session with a new access token; nothing where the issuer gives none.

        Requests of one page come together: the first one asks, and the others get its
        answer, since an issuer may take a refresh token once only."""
        if not session.refresh:
            return None
        known_as = hashlib.sha256(session.refresh.encode()).hexdigest()
        renewal = self._renewals.get(known_as)
        if renewal is None:
            renewal = asyncio.create_task(self._renew(session))
            self._renewals[known_as] = renewal
            while len(self._renewals) > _REMEMBERED:
                self._renewals.popitem(last=False)
        return await asyncio.shield(renewal)

    async def _renew(self, session: Session) -> Session | None:
        try:
            token = await self._token("refresh_token", refresh_token=session.refresh)
        except SignInFailed as error:
            log.info("a session ends, since its token is not renewed: %s", error)
            return None
        return _session(token, session)

    async def way_out(self) -> str:
        """The issuer's page to sign out at; empty if it has none."""
        try:
            known = await self.describe()
        except SignInFailed:
            return ""
        end = known.get("end_session_endpoint")
        back = {
            "client_id": self._settings.oidc_client_id,
            "post_logout_redirect_uri": f"{self._settings.console_url}/signed-out",
        }
        return f"{end}?{urlencode(back)}" if end else ""

    async def _token(self, grant: str, **sent: str) -> dict[str, Any]:
        known = await self.describe()
        try:
            async with self._client() as client:
                token: dict[str, Any] = await client.fetch_token(
                    known["token_endpoint"], grant_type=grant, **sent
                )
        except (OAuthError, httpx2.HTTPError, ValueError) as error:
            said = getattr(error, "error", None) or type(error).__name__
            failure = AnswerRefused if said == "invalid_grant" else SignInFailed
            raise failure(str(said)) from error
        if not token.get("access_token"):
            raise SignInFailed("no access token")
        return token

    def _client(self) -> AsyncOAuth2Client:
        secret = self._settings.client_secret()
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=secret,
            token_endpoint_auth_method="client_secret_post" if secret else "none",
            scope=self._settings.oidc_scope,
            redirect_uri=f"{self._settings.console_url}/signed-in",
            code_challenge_method="S256",
            timeout=ISSUER_SECONDS,
            trust_env=False,
        )


def _session(token: dict[str, Any], before: Session) -> Session:
    lives = float(token.get("expires_in") or UNSAID_LIFE_SECONDS)
    return before.renewed(
        access=str(token["access_token"]),
        refresh=str(token.get("refresh_token") or before.refresh),
        until=time.time() + lives,
    )


def own_page(path: str) -> str:
    """`path` if it is a page of ours, so that signing in leads nowhere else, and if
    a cookie can hold it."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\"))
    is_short = len(path.encode(errors="replace")) <= LONGEST_RETURN
    return path if inside and is_short and path.isprintable() else "/"


@router.get("/sign-in")
async def sign_in(request: Request, next: str = "/") -> Response:
    state = request.app.state
    if state.issuer is None:
        people = state.settings.console_people
        return page(request, "people.html", next=own_page(next), people=people)
    url, begun = await state.issuer.begin(own_page(next))
    answer = RedirectResponse(url, 303)
    state.cookies.write(answer, "sign-in", begun)
    return answer


@router.get("/signed-in")
async def signed_in(request: Request) -> Response:
    state = request.app.state
    begun = state.cookies.read(request, "sign-in", UNDER_WAY)
    if begun is None or state.issuer is None:
        return RedirectResponse("/sign-in", 303)
    session = await state.issuer.finish(dict(request.query_params), begun)
    answer = RedirectResponse(begun["next"], 303)
    state.cookies.keep(answer, session)
    state.cookies.drop(answer, "sign-in")
    return answer


@router.post("/sign-in")
async def say_who(
    request: Request, name: str = Form(), next: str = Form("/")
) -> Response:
    """Without an issuer: somebody says who they are, on this machine alone."""
    state = request.app.state
    people: dict[str, str] = state.settings.console_people
    if state.issuer is not None or name not in people:
        return RedirectResponse("/sign-in", 303)
    answer = RedirectResponse(own_page(next), 303)
    state.cookies.keep(answer, Session(name, people[name], time.time()))
    return answer


@router.get("/session")
async def session(person: SignedIn) -> Response:
    """Whether the session is still valid. Pages ask before they send a form, so that
    nothing typed is lost."""
    return Response(status_code=204)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    state = request.app.state
    out = await state.issuer.way_out() if state.issuer else ""
    answer = RedirectResponse(out or "/signed-out", 303)
    state.cookies.drop(answer, "console")
    return answer


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    return page(request, "signed_out.html")


@router.get("/signed-in-again")
async def signed_in_again(request: Request) -> Response:
    """The page of the tab in which somebody has signed in again."""
    return page(request, "signed_out.html", again=True)
