"""Knows the person behind a request: their scopes, and the API in their name."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from console.api import Api
from console.session import Session

KNOWN_SECONDS = 60.0
"""How long the API's answer about a person is cached. It only decides what pages offer:
the API checks every request."""
_REMEMBERED = 2000


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


@dataclass(frozen=True)
class Person:
    name: str
    scopes: frozenset[str]
    api: Api

    def may(self, *scopes: str) -> bool:
        """Decides only what a page offers: the API has the rules."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    async def document(self, path: str, **params: Any) -> Response:
        """A file of the API, served from our own origin: the page's policy allows
        printing it."""
        content, kind = await self.api.download(path, **params)
        return Response(content, media_type=kind)


class Known:
    """Caches what the API says about people."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, str, frozenset[str]]] = OrderedDict()

    async def about(self, session: Session, api: Api) -> tuple[str, frozenset[str]]:
        known_as = session.access or f"{session.user} {session.scopes}"
        told = self._known.get(known_as)
        if told is None or time.monotonic() - told[0] > KNOWN_SECONDS:
            me = await api.get("/v1/me")
            told = (time.monotonic(), me["subject"], frozenset(me["scopes"]))
            self._known[known_as] = told
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return told[1], told[2]


async def _person(request: Request) -> Person:
    """Raises `SignInNeeded`."""
    state = request.app.state
    session: Session | None = state.cookies.session(request)
    if session is None and state.issuer is None:
        user, scopes = next(iter(state.settings.console_people.items()))
        session = Session(user, scopes, time.time())
    if session is None:
        raise SignInNeeded
    if session.is_stale:
        session = await state.issuer.renew(session)
        if session is None:
            raise SignInNeeded
        # `PageMiddleware` puts it into the answer, whatever that is.
        request.state.renewed = session
    api = Api(state.http, session.headers)
    name, scopes = await state.known.about(session, api)
    found = request.state.person = Person(name, scopes, api)
    return found


SignedIn = Annotated[Person, Depends(_person)]
