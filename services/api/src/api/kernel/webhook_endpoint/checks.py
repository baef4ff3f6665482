"""Checks new endpoints. Each mistake has a code of its own."""

import asyncio
from collections.abc import Collection, Sequence

import httpx2
from shared.platform.addresses import Network, PrivateAddress, is_within, resolve

from api.http.problems import Problem, invalid
from api.kernel.standard_webhooks import LONGEST_KEY, SHORTEST_KEY, key_of

RESOLVE_SECONDS = 2.0
PORT = 443
"""The only port that the deliverer's network policy lets out."""


async def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Raises a `Problem`. An unknown host is accepted, as it may become known: the
    deliverer resolves it again for each connection, and decides by the answer."""
    try:
        parsed = httpx2.URL(url)
        host, port = parsed.raw_host.decode(), parsed.port or PORT
        if not 0 < port < 65_536:
            raise ValueError("no port")
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise invalid("#/url", "url", "Not an address that can be called") from None
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            addresses = await resolve(host.strip("[]"), port, allowed)
    except PrivateAddress:
        raise Problem(
            "private-address",
            f"{host} leads to an address that is not public. Give one that can be"
            " reached from the internet.",
        ) from None
    except UnicodeError:  # a part of the name is empty, or too long
        raise invalid("#/url", "url", "Not an address that can be called") from None
    except OSError:  # TimeoutError, too
        addresses = []
    ours = [is_within(address, allowed) for address in addresses]
    if ours and all(ours):
        return
    if parsed.scheme != "https":
        raise Problem("insecure-endpoint", "Give an address that begins with https://.")
    if port != PORT:
        raise invalid("#/url", "port", f"Must have port {PORT}")


def check_types(types: Sequence[str], known: Collection[str]) -> None:
    """Raises a `Problem` for a type, or a pattern, that no event has."""
    for wanted in types:
        prefix = wanted.removesuffix("*")
        fits = wanted in known if prefix == wanted else _any_begins(known, prefix)
        if not fits:
            raise Problem(
                "unknown-event-type",
                f"No event is called {wanted}. The section `webhooks` of /openapi.json"
                " lists all types.",
            )


def _any_begins(known: Collection[str], prefix: str) -> bool:
    return any(type.startswith(prefix) for type in known)


def check_secret(secret: str | None) -> None:
    """Raises a `Problem`."""
    if secret is None:
        return
    try:
        length = len(key_of(secret))
    except ValueError:
        length = 0
    if not SHORTEST_KEY <= length <= LONGEST_KEY:
        raise Problem(
            "weak-secret",
            f"Give {SHORTEST_KEY} to {LONGEST_KEY} random bytes in base64 after whsec_,"
            " or leave the secret out: then one is made.",
        )
