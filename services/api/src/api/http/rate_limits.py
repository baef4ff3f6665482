"""Limits the requests of one subject, or of one address without a good token
(draft-ietf-httpapi-ratelimit-headers).

Each process counts in its own memory, so that a request waits for no other system: the
limit is one of fairness, and the gateway in front has a limit for all.
"""

import math
import time

from fastapi import Request
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from api.http.problems import Problem


class RateLimiter:
    """A limit for subjects or addresses, as `name` says. Without a limit nothing is
    counted, and no header is sent."""

    def __init__(self, limit: RateLimitItem | None, name: str = "subject") -> None:
        self._name = name
        self._limit = limit
        # Entries expire with their window, so the size is bounded by one window.
        self.counts = MemoryStorage()
        self._windows = FixedWindowRateLimiter(self.counts)

    async def count(self, request: Request, subject: str) -> None:
        """Count a request, and put the rest into the answer's headers. Raises `Problem`
        too-many-requests."""
        if self._limit is None:
            return
        allowed = await self._windows.hit(self._limit, subject)
        ends, left = await self._windows.get_window_stats(self._limit, subject)
        seconds = max(1, math.ceil(ends - time.time()))
        window = self._limit.get_expiry()
        request.state.response_headers = {
            "RateLimit-Policy": f'"{self._name}";q={self._limit.amount};w={window}',
            "RateLimit": f'"{self._name}";r={left};t={seconds}',
        }
        if not allowed:
            raise Problem(
                "too-many-requests",
                f"At most {self._limit.amount} requests in {window} s.",
                headers={"Retry-After": str(seconds)},
            )


def address_of(request: Request) -> str:
    """For IPv6 the network, since the owner of one address owns all of them."""
    host = request.client.host if request.client else ""
    return ":".join(host.split(":")[:4]) if ":" in host else host
