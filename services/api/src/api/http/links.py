"""Lets callers in by links in mails, and limits how often.

A link is no identity. It allows its holder some actions on one subject, so its
principal has scopes that no access token can have, and owns that subject alone.
"""

from collections.abc import Awaitable, Callable, Mapping

from shared.platform.links import Link, LinkExpired, LinkKeys, LinkRefused, is_link

from api.http.auth import LINK, Authenticator, Principal
from api.http.problems import Problem

IsGood = Callable[[Link], Awaitable[bool]]
"""Whether a process still accepts a link that it has signed."""


class WithLinks:
    """Authenticates links, and passes all other requests to `others`."""

    def __init__(
        self, keys: LinkKeys, is_good: Mapping[str, IsGood], others: Authenticator
    ) -> None:
        """`is_good` by the name of the process."""
        self._keys = keys
        self._is_good = is_good
        self._others = others

    async def __call__(self, headers: Mapping[str, str]) -> Principal:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_link(token.strip()):
            return await self._others(headers)
        link = await self._good(token.strip())
        return Principal(
            subject=f"{LINK}{link.subject}",
            scopes=frozenset(f"{LINK}{action}" for action in link.actions),
            until=link.until,
            link=link,
        )

    async def _good(self, token: str) -> Link:
        """Raises `Problem`."""
        try:
            link = self._keys.open(token)
        except LinkExpired as expired:
            raise _over(expired.link) from None
        except LinkRefused:
            detail = "This is no link of ours, or not the whole of it."
            raise Problem("unauthenticated", detail, headers=_CHALLENGE) from None
        is_good = self._is_good.get(link.process)
        if is_good is None or not await is_good(link):
            raise _over(link)
        return link


def _over(link: Link) -> Problem:
    return Problem(
        "link-expired",
        "The link has expired. A newer mail has another one.",
        headers=_CHALLENGE,
        language=link.language,
    )


_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
