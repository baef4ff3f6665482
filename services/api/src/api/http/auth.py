"""Knows who calls, and what they may do. Each process declares its scopes.

A caller whose only scopes are customers' sees their own orders; everybody else is staff
or a service, by the scopes of their token. `admin` may do everything.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes
from shared.contracts.errors import NotFound
from shared.platform.links import Link

from api.http.problems import Problem

LINK = "link:"
"""Prefix of the scopes of links in mails, and of the names of their callers."""


@dataclass(frozen=True)
class Principal:
    """The caller: a token's subject with what it may do."""

    subject: str
    scopes: frozenset[str]
    until: float = math.inf
    """The end of the token, in seconds since the epoch."""
    link: Link | None = None
    """The link that they followed, if any: it allows one subject alone."""

    def may(self, *scopes: str) -> bool:
        """Holds one of `scopes`."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    def require(self, *scopes: str) -> None:
        """Raises a `Problem` unless one of `scopes` is held."""
        if not self.may(*scopes):
            wanted = " or ".join(scopes)
            raise Problem(
                "insufficient-scope",
                f"This needs {wanted}.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
                scopes=list(scopes),
            )

    @property
    def seconds_left(self) -> float:
        """Until the token has expired."""
        return max(0.0, self.until - time.time())

    def require_sight(
        self, customer: str, subject: str, what: str, *scopes: str
    ) -> None:
        """Raises `NotFound` for an order `subject` of another customer, and for any but
        the link's own: to this caller it does not exist."""
        if not self.may(*scopes) and not self._owns(customer, subject):
            raise NotFound(what)

    def _owns(self, customer: str, subject: str) -> bool:
        if self.link is not None:
            return self.link.subject == subject
        return customer == self.subject


def principal(
    subject: str,
    scopes: str,
    until: float = math.inf,
    included: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Principal:
    """`scopes` as in a token: words with blanks between them. `included` maps a scope
    to the one that it includes."""
    held = {word for word in scopes.split() if not word.startswith(LINK)}
    held |= {more for scope in held for more in included.get(scope, ())}
    return Principal(subject, frozenset(held), until)


class Authenticator(Protocol):
    async def __call__(self, headers: Mapping[str, str]) -> Principal:
        """Raises a `Problem` for an unknown caller."""


class DeveloperHeaders:
    """Callers name themselves. Only for a machine of one's own: see `ApiSettings`."""

    def __init__(
        self, included: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> None:
        self._included = included

    async def __call__(self, headers: Mapping[str, str]) -> Principal:
        subject = headers.get("x-dev-user", "dev")
        if not is_subject(subject):
            raise Problem("unauthenticated", "X-Dev-User is not a name.")
        scopes = headers.get("x-dev-scopes", "admin")
        return principal(subject, scopes, included=self._included)


_OURS = re.compile(r"(worker|api|shop|system|temporal|era_.*|link:.*)", re.IGNORECASE)
"""Names that only the system uses as actors: automatic steps, erased customers,
links."""


def is_subject(value: object) -> bool:
    """Whether a name can be stored and shown: it becomes the actor of events."""
    return (
        isinstance(value, str)
        and 0 < len(value.strip()) <= len(value) <= 200
        and value.isprintable()
        and not _OURS.fullmatch(value)
    )


_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="An OIDC access token; or the token of a link in a mail, which has the"
    " scopes `link:…` for its one order.",
)


async def _authorize(
    request: Request, wanted: SecurityScopes, _: Annotated[object, Depends(_bearer)]
) -> Principal:
    caller: Principal = request.state.caller  # set by `Admission`
    if wanted.scopes:
        caller.require(*wanted.scopes)
    return caller


def allowed(*scopes: str) -> Any:
    """A dependency that lets in callers with one of `scopes`; without scopes, any known
    caller. `caller: Annotated[Principal, allowed("fulfil", "orders:read")]`"""
    return Security(_authorize, scopes=list(scopes))
