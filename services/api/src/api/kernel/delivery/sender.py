"""Makes one attempt at an endpoint, at a freshly resolved address.

The owner of an endpoint could have us call ourselves, or a neighbour. So its name is
resolved once for each connection, every address of the answer is checked, and the
connection goes to one of them; TLS is still checked against the name. Nothing else is
trusted: redirects are not followed, proxies of the environment are ignored, and only
the beginning of the answer is read.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpcore2
import httpx2
from shared.platform.addresses import Network, PrivateAddress, is_within, resolve

from api.kernel.delivery.message import Message, headers

ANSWER_SECONDS = 15.0
"""For a whole attempt. The specification proposes 15 to 30."""
AT_ONCE = 8
"""Simultaneous attempts at one endpoint, each for another subject."""
IDLE_SECONDS = 30.0
MOST_READ = 16 * 1024
"""Bytes of an answer; a longer one ends the connection."""
HEAD = 500
"""Characters of it that are stored."""
LONGEST_WAIT = 6 * 3600
GONE = 410


@dataclass(frozen=True)
class Answer:
    """`error`: why there is no answer, or none that counts."""

    status: int | None
    head: str | None
    latency_ms: int
    error: str | None = None
    retry_after: float | None = None
    """Seconds that the endpoint asks for."""

    @property
    def succeeded(self) -> bool:
        return self.error is None and self.status is not None and self.status < 300


class Sender:
    """Sends to one endpoint, over connections that no other endpoint shares."""

    def __init__(self, allowed: Sequence[Network], trusted: ssl.SSLContext) -> None:
        self._allowed = allowed
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusted,
            max_connections=AT_ONCE,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=_Pinned(allowed),
        )

    async def close(self) -> None:
        await self._pool.aclose()

    async def send(self, url: str, message: Message, secrets: Sequence[str]) -> Answer:
        """Send a message. Never raises for anything that the endpoint does."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._post(url, message, secrets, began)
        except TimeoutError:
            error = f"no answer within {ANSWER_SECONDS:g} seconds"
        except PrivateAddress as refused:
            error = str(refused)
        except (httpx2.InvalidURL, OSError, ValueError) as failure:
            error = f"no connection: {failure}"
        except (
            *(httpcore2.NetworkError, httpcore2.TimeoutException),
            *(httpcore2.ProtocolError, httpcore2.UnsupportedProtocol),
        ) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return Answer(None, None, _since(began), _readable(error, 200))

    async def _post(
        self, url: str, message: Message, secrets: Sequence[str], began: float
    ) -> Answer:
        called = httpx2.URL(url)
        target = httpcore2.URL(
            scheme=called.raw_scheme,
            host=called.raw_host,
            port=called.port,
            target=called.raw_path,
        )
        if called.scheme != "https" and not await self._is_ours(called):
            raise PrivateAddress("only https is sent to public addresses")
        async with self._pool.stream(
            "POST",
            target,
            headers=list(headers(message, secrets)),
            content=message.body,
        ) as response:
            body = await _beginning(response)
            return Answer(
                response.status,
                _readable(body.decode(errors="replace"), HEAD) or None,
                _since(began),
                "redirects are not followed" if 300 <= response.status < 400 else None,
                _retry_after(response.headers),
            )

    async def _is_ours(self, called: httpx2.URL) -> bool:
        found = await resolve(called.host.strip("[]"), called.port or 80, self._allowed)
        return all(is_within(address, self._allowed) for address in found)


class _Pinned(httpcore2.AnyIOBackend):
    """Connects to the checked address, whatever the name resolves to later."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError("no address")
        for address in await resolve(host.strip("[]"), port, self._allowed):
            try:
                return await super().connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore2.ConnectError as error:
                failure = error
        raise failure


async def _beginning(response: httpcore2.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > MOST_READ:
            break
    return body[:MOST_READ]


def _retry_after(found: Iterable[tuple[bytes, bytes]]) -> float | None:
    for name, value in found:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
            return min(float(value), LONGEST_WAIT)
    return None


def _readable(text: str, longest: int) -> str:
    """Without control characters: PostgreSQL cannot store NUL, and terminals obey
    others."""
    return "".join(c if c.isprintable() else " " for c in text[:longest]).strip()


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
