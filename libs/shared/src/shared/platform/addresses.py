"""Decides which network addresses we call when somebody outside has named the host.

A name is no protection: it may resolve to anything, and to something else a moment
later. So the caller resolves once, checks every address of the answer, and connects to
one of these.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are the IPv4 address that is really called."""


class PrivateAddress(Exception):
    """The host leads to ourselves, to a neighbour, or to a cloud's metadata service."""


def networks(written: str) -> tuple[Network, ...]:
    """Parse networks such as `127.0.0.0/8 ::1/128`. Raises `ValueError`."""
    return tuple(ip_network(word) for word in written.replace(",", " ").split())


async def resolve(host: str, port: int, allowed: Sequence[Network]) -> Sequence[str]:
    """All addresses of a host, if each may be called. Raises `PrivateAddress` if one
    may not, and `OSError` for an unknown name."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in found))
    if not all(may_be_called(address, allowed) for address in addresses):
        raise PrivateAddress("the address is not public")
    return addresses


def may_be_called(written: str, allowed: Sequence[Network]) -> bool:
    """Whether the address is public, or in one of the networks that are allowed
    besides."""
    return is_within(written, allowed) or _is_public(_called(written))


def is_within(written: str, those: Sequence[Network]) -> bool:
    called = _called(written)
    return any(called.version == n.version and called in n for n in those)


def _is_public(address: Address) -> bool:
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not special and not local


def _called(written: str) -> Address:
    """The address that is really called: IPv6 has several ways of writing an IPv4
    address."""
    address = ip_address(written.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
