"""Checks addresses of web pages that customers are sent to."""

import re
from urllib.parse import urlsplit

_PUBLIC_NAME = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_INSIDE = (".internal", ".local", ".localhost", ".arpa", ".svc", ".lan")
"""Domains that every network assigns by itself (RFC 6761, 6762, 9476)."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def customers_page(url: str) -> str:
    """Return the address unchanged if any browser may open the page: HTTPS, a public
    name, and no user part that could look like the host. On this machine, for
    development, HTTP will do. Raises `ValueError`."""
    parts = urlsplit(url)
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
        raise ValueError("must be an address as browsers write it")
    if "@" in parts.netloc:
        raise ValueError("must not name a user")
    if parts.hostname in _THIS_MACHINE and parts.scheme in ("https", "http"):
        return url
    if parts.scheme != "https" or not _is_public(parts.hostname or ""):
        raise ValueError("must begin with https:// and a public host's name")
    return url


def _is_public(host: str) -> bool:
    """Never a numeric address, in any spelling: shops have names."""
    return bool(_PUBLIC_NAME.fullmatch(host)) and not host.endswith(_INSIDE)
