"""Knows the customer behind a request by the link that they followed.

The API judges links: here they are kept as they came, in a sealed cookie, and sent with
each call. The console cannot make one, or act for anybody without one.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request, Response

from console.api import Api, part

KEPT = timedelta(hours=12)
"""How long a browser shows an order after its link was followed."""
MOST_ORDERS = 5
"""Orders whose links a browser keeps: all of them have to fit into one cookie."""
_COOKIE = "links"


class NoLink(Exception):
    """Nobody has followed a link to this order in this browser, or too long ago."""


@dataclass(frozen=True)
class Visitor:
    order_id: str
    actions: frozenset[str]
    language: str
    """A tag such as `de-AT`: that of the mail."""
    api: Api

    def may(self, action: str) -> bool:
        """Only for what a page offers: the API decides."""
        return f"link:{action}" in self.actions


async def follow(request: Request, token: str) -> Visitor:
    """Ask the API whose link this is. Raises `NoLink`, or what the API says."""
    client = request.client.host if request.client else ""
    headers = {"Authorization": f"Bearer {part(token)}", "X-Forwarded-For": client}
    api = Api(request.app.state.http, headers)
    me = await api.get("/v1/me")
    if me["link"] is None:
        raise NoLink
    known = me["link"]
    request.state.language = known["language"]
    return Visitor(known["subject"], frozenset(me["scopes"]), known["language"], api)


def keep(request: Request, answer: Response, visitor: Visitor, token: str) -> None:
    others = {k: v for k, v in _kept(request).items() if k != visitor.order_id}
    latest = dict(list(others.items())[1 - MOST_ORDERS :])
    kept = latest | {visitor.order_id: token}
    request.app.state.cookies.write(answer, _COOKIE, kept)


def _kept(request: Request) -> dict[str, str]:
    """Tokens by order, the latest one last."""
    known: dict[str, str] = request.app.state.cookies.read(request, _COOKIE, KEPT) or {}
    return known


async def _visitor(request: Request, order_id: str) -> Visitor:
    """Raises `NoLink`, or what the API says of the link."""
    token = _kept(request).get(order_id)
    if token is None:
        raise NoLink
    visitor = await follow(request, token)
    if visitor.order_id != order_id:
        raise NoLink
    return visitor


Visiting = Annotated[Visitor, Depends(_visitor)]
